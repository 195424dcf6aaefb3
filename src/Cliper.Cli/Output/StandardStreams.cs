using System.Globalization;
using System.Text;

namespace Cliper.Cli;

/// <summary>The streams that the process was started with.</summary>
internal static class StandardStreams
{
    public const int Output = 1, Error = 2;

    // O_CLOEXEC, in octal as the kernel prints it: a descriptor with this flag does not survive the start of a program.
    private const int ClosedOnStart = 0x80000;
    private const string Flags = "flags:";

    /// <summary>
    /// Whether a standard descriptor was open when the program started. Where it was closed (2>&amp;-), the runtime has
    /// given its number to a file of its own, which messages would be written into.
    /// </summary>
    /// <param name="descriptor">Number of the descriptor.</param>
    public static bool IsInherited(int descriptor)
    {
        if (!OperatingSystem.IsLinux())
            return true;
        try
        {
            string? line = File.ReadLines($"/proc/self/fdinfo/{descriptor.ToString(CultureInfo.InvariantCulture)}")
                .FirstOrDefault(text => text.StartsWith(Flags, StringComparison.Ordinal));
            return line is null || (Convert.ToInt32(line[Flags.Length..].Trim(), 8) & ClosedOnStart) == 0;
        }
        catch (FileNotFoundException)
        {
            return false;
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException or FormatException)
        {
            // Without /proc nothing is known, and nearly every program starts with all three open.
            return true;
        }
    }

    /// <summary>
    /// Makes Windows take text as UTF-8, in consoles and pipes, where its usual code page has no letters of other
    /// languages. Other systems' encoding is the locale's.
    /// </summary>
    public static void SpeakUtf8()
    {
        if (!OperatingSystem.IsWindows())
            return;
        try
        {
            Console.OutputEncoding = new UTF8Encoding(encoderShouldEmitUTF8Identifier: false);
        }
        catch (IOException)
        {
            // A program without a console keeps the encoding of its streams.
        }
    }

    /// <summary>
    /// Standard output in UTF-8; null where the console's own writer has to serve, as on a console of Windows, which
    /// shows bytes by its code page.
    /// </summary>
    public static TextWriter? Documents() =>
        !IsInherited(Output) || (OperatingSystem.IsWindows() && !Console.IsOutputRedirected) ? null
            : new StreamWriter(Console.OpenStandardOutput(),
                new UTF8Encoding(encoderShouldEmitUTF8Identifier: false))
            { AutoFlush = true };
}

/// <summary>Stands for a standard output that was closed from the start: writing a result there is an error.</summary>
internal sealed class ClosedOutput : Stream
{
    public override bool CanRead => false;

    public override bool CanSeek => false;

    public override bool CanWrite => true;

    public override long Length => throw new NotSupportedException();

    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    public override void Flush()
    {
    }

    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    public override void Write(byte[] buffer, int offset, int count) =>
        throw new IOException("standard output is closed: the result cannot be printed");
}
