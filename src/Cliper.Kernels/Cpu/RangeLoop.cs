namespace Cliper.Kernels.Cpu;

/// <summary>
/// Work on a range of elements, rows or samples, written once for every instruction set: a struct that holds the
/// pointers of its operands. Element i must not depend on where the range begins or ends, so that threads do not change
/// a bit.
/// </summary>
internal interface IRangeBody
{
    /// <summary>Does [<paramref name="start"/>, <paramref name="end"/>).</summary>
    void Run<V>(long start, long end) where V : struct, ILanes<V>;
}

/// <summary>Runs <see cref="IRangeBody"/>s on all threads at the device's instruction set.</summary>
internal static class RangeLoop
{
    /// <summary>Elements a unit of work should touch: long enough to hide the fork, short enough to balance.</summary>
    public const int Grain = 16384;

    /// <summary>
    /// Does [0, <paramref name="count"/>) in units of <paramref name="grain"/>; one unit runs on the caller alone.
    /// </summary>
    public static void Run<TBody>(CpuDevice host, long count, long grain, TBody body)
        where TBody : struct, IRangeBody
    {
        if (count <= 0)
            return;
        host.Pool.Run(checked((int)((count + grain - 1) / grain)), (unit, _) =>
        {
            long start = unit * grain, end = Math.Min(count, start + grain);
            switch (host.Level)
            {
                case SimdLevel.Avx512: body.Run<Lanes512>(start, end); break;
                case SimdLevel.Avx2: body.Run<Lanes256>(start, end); break;
                default: body.Run<LanesPortable>(start, end); break;
            }
        });
    }

    /// <summary>Does every element of an array of <paramref name="count"/>.</summary>
    public static void Elements<TBody>(CpuDevice host, long count, TBody body)
        where TBody : struct, IRangeBody => Run(host, count, Grain, body);

    /// <summary>Does every row of <paramref name="width"/> elements.</summary>
    public static void Rows<TBody>(CpuDevice host, long rows, long width, TBody body)
        where TBody : struct, IRangeBody => Run(host, rows, Math.Max(1, Grain / Math.Max(1, width)), body);
}
