using System.Text;
using System.Text.RegularExpressions;

namespace Cliper.Kernels.Gpu.Compiler;

/// <summary>Reads the log that the driver's compiler writes about a kernel.</summary>
internal static partial class CompilerLog
{
    /// <summary>A log in one line: the driver's ends at its first zero and may have several lines.</summary>
    /// <param name="log">The buffer that the driver wrote to.</param>
    public static string OneLine(ReadOnlySpan<byte> log)
    {
        const StringSplitOptions Filled = StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries;
        int end = log.IndexOf((byte)0);
        return string.Join("; ", Encoding.UTF8.GetString(end < 0 ? log : log[..end]).Split('\n', Filled));
    }

    /// <summary>
    /// The part of a log that says why a kernel is slow though right: registers spilled to memory, or wgmma
    /// instructions that are made to wait for each other. Null where it says neither.
    /// </summary>
    /// <param name="log">From <see cref="OneLine"/>.</param>
    public static string? Complaint(string log) =>
        Slow().Match(log) is { Success: true } found ? found.Value.Trim() : null;

    [GeneratedRegex(@"[1-9]\d* bytes spill (stores|loads)|[^;]*serializ[^;]*", RegexOptions.IgnoreCase)]
    private static partial Regex Slow();
}
