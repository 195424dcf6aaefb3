namespace Cliper.Model.Images;

/// <summary>
/// The memory that decoders may use together. A decoder waits until what it needs is free, so that many threads with
/// large pictures need no more than one after the other; what needs all of it gets it alone.
/// </summary>
public static class PixelBudget
{
    /// <summary>Largest share of the memory that decoders take unless they are given another limit, and the most of
    /// it in bytes.</summary>
    private const long UsualShare = 8, UsualMost = 1L << 30;

    private static readonly object Lock = new();
    private static long _used;

    /// <summary>The limit of a program that sets none.</summary>
    public static long UsualLimit { get; } =
        Math.Min(UsualMost, GC.GetGCMemoryInfo().TotalAvailableMemoryBytes / UsualShare);

    /// <summary>Bytes that decoders use together at most.</summary>
    public static long Limit { get; set; } = UsualLimit;

    /// <summary>Number of threads that may each hold one of the largest decoded images beside their decoders.</summary>
    internal static int Threads =>
        (int)Math.Clamp(Limit / (3 * SkiaImageCodec.MostDecoded), 1, Environment.ProcessorCount);

    /// <summary>Waits until a decoder may use memory.</summary>
    /// <param name="bytes">How much.</param>
    /// <param name="name">Name of the picture for an error.</param>
    /// <returns>The lease, which the decoder disposes when it has freed the memory.</returns>
    /// <exception cref="InputException">It is more than the limit.</exception>
    internal static Lease Take(long bytes, string name)
    {
        if (bytes > Limit)
            throw new InputException(FormattableString.Invariant(
                $"{name}: the picture takes {bytes >> 20:N0} MiB to be decoded, allowed are {Limit >> 20:N0}"))
            { Remedy = Remedy.AllowMemory };
        lock (Lock)
        {
            while (_used > 0 && _used + bytes > Limit)
                Monitor.Wait(Lock);
            _used += bytes;
        }
        return new Lease(bytes);
    }

    /// <summary>Memory that a decoder uses.</summary>
    internal readonly struct Lease(long bytes) : IDisposable
    {
        /// <inheritdoc/>
        public void Dispose()
        {
            lock (Lock)
            {
                _used -= bytes;
                Monitor.PulseAll(Lock);
            }
        }
    }
}
