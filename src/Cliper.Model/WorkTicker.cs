using System.Diagnostics;

namespace Cliper.Model;

/// <summary>
/// Counts the pieces of a long work that many threads do, and tells every second or so how much is done. Thread-safe.
/// </summary>
/// <param name="total">Number of pieces.</param>
/// <param name="told">Given the fraction that is done, one call at a time; null for nobody.</param>
internal sealed class WorkTicker(int total, Action<double>? told)
{
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(1);

    private readonly Lock _turn = new();
    private long _last = Stopwatch.GetTimestamp();
    private int _done;

    /// <summary>Counts a piece.</summary>
    public void Done()
    {
        int done = Interlocked.Increment(ref _done);
        if (told is null || Stopwatch.GetElapsedTime(Volatile.Read(ref _last)) < Interval || !_turn.TryEnter())
            return;
        try
        {
            Volatile.Write(ref _last, Stopwatch.GetTimestamp());
            told((double)done / total);
        }
        finally
        {
            _turn.Exit();
        }
    }
}
