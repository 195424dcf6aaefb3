using System.Text;

namespace Cliper.Cli;

/// <summary>
/// Passes messages on as long as there is somebody to read them: a terminal that was closed, a pipe that has ended or a
/// full disk under a log loses messages, and never ends the work that they are about.
/// </summary>
/// <param name="inner">Receives the messages.</param>
internal sealed class LossyWriter(TextWriter inner) : TextWriter
{
    /// <inheritdoc/>
    public override Encoding Encoding => inner.Encoding;

    /// <inheritdoc/>
    public override void Write(char value) => Try(() => inner.Write(value));

    /// <inheritdoc/>
    public override void Write(char[] buffer, int index, int count) => Try(() => inner.Write(buffer, index, count));

    /// <inheritdoc/>
    public override void Write(string? value) => Try(() => inner.Write(value));

    /// <inheritdoc/>
    public override void WriteLine(string? value) => Try(() => inner.WriteLine(value));

    /// <inheritdoc/>
    public override void Flush() => Try(inner.Flush);

    private static void Try(Action write)
    {
        try
        {
            write();
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException
            or ObjectDisposedException)
        {
            // There is nowhere left to report a message that cannot be written.
        }
    }
}
