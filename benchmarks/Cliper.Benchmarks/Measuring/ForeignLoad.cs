using System.Diagnostics;

namespace Cliper.Benchmarks.Measuring;

/// <summary>How much of the machine other processes use: /proc/stat's busy time less our own.</summary>
internal static class ForeignLoad
{
    private const double TickSeconds = 0.01;

    /// <summary>Above this share of all cores a sample counts as disturbed.</summary>
    public const double Allowed = 0.06;

    /// <summary>A moment to measure from.</summary>
    internal readonly record struct Mark(double Busy, double Own, long Time);

    /// <summary>Now.</summary>
    public static Mark Now() => new(BusySeconds(), Environment.CpuUsage.TotalTime.TotalSeconds,
        Stopwatch.GetTimestamp());

    /// <summary>
    /// Whether others used more than <see cref="Allowed"/> since <paramref name="start"/>. Time is counted in ticks of
    /// 10 ms, so two ticks are always let pass.
    /// </summary>
    public static bool WasHigh(Mark start)
    {
        Mark end = Now();
        double foreign = end.Busy - start.Busy - (end.Own - start.Own);
        double whole = Stopwatch.GetElapsedTime(start.Time, end.Time).TotalSeconds * Environment.ProcessorCount;
        return foreign > Math.Max(2 * TickSeconds, Allowed * whole);
    }

    /// <summary>Waits until others leave the machine alone, at most <paramref name="limit"/>.</summary>
    public static void WaitUntilLow(TimeSpan limit)
    {
        long from = Stopwatch.GetTimestamp();
        do
        {
            Mark mark = Now();
            Thread.Sleep(100);
            if (!WasHigh(mark))
                return;
            Thread.Sleep(200);
        }
        while (Stopwatch.GetElapsedTime(from) < limit);
    }

    // user, nice, system, interrupts and time stolen by the host; not idle, not waiting for disks.
    private static double BusySeconds()
    {
        string[] fields = File.ReadLines("/proc/stat").First().Split(' ', StringSplitOptions.RemoveEmptyEntries);
        return TickSeconds * new[] { 1, 2, 3, 6, 7, 8 }.Sum(field => long.Parse(fields[field]));
    }
}
