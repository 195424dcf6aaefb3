using Cliper.Model;
using Cliper.Model.Samples;

namespace Cliper.Cli.Commands;

/// <summary>A picture from standard input, which has no name but "-".</summary>
internal static class StandardInputPicture
{
    /// <summary>The path that stands for it.</summary>
    public const string Path = "-";

    /// <summary>Most bytes that are read: standard input may never end.</summary>
    private const int MostBytes = 256 << 20;

    /// <summary>Reads it to its end.</summary>
    /// <exception cref="InputException">Nothing comes, or too much.</exception>
    public static Sample Read(Stream input)
    {
        using var content = new MemoryStream();
        var buffer = new byte[1 << 16];
        for (int read; (read = input.Read(buffer, 0, buffer.Length)) > 0;)
        {
            content.Write(buffer, 0, read);
            if (content.Length > MostBytes)
                throw new InputException(
                    $"{Path}: more than {MostBytes:N0} bytes came from standard input; expected a picture");
        }
        return content.Length > 0 ? new Sample(Path, 0, [new EncodedFrame(Path, content.ToArray())])
            : throw new InputException($"{Path}: nothing came from standard input; expected a picture");
    }
}
