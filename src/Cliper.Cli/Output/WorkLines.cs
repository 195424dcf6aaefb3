using System.Diagnostics;

namespace Cliper.Cli;

/// <summary>Says every few seconds how much of a long work is done.</summary>
/// <param name="terminal">Where to.</param>
internal sealed class WorkLines(Terminal terminal)
{
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(5);

    private long _last = Stopwatch.GetTimestamp();

    /// <summary>Told how far a work has come.</summary>
    /// <param name="work">Words for it.</param>
    /// <param name="fraction">How much of it is done, 0 to 1.</param>
    public void Tell(string work, double fraction)
    {
        if (Stopwatch.GetElapsedTime(_last) < Interval)
            return;
        _last = Stopwatch.GetTimestamp();
        terminal.Say(Format.Invariant($"{work}: {100 * fraction:F0} %"));
    }
}
