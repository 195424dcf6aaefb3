namespace Cliper.Kernels.Cpu;

/// <summary>
/// Work on a range of elements, rows or samples, written once for every instruction set: a struct that holds the pointers
/// of its operands. Element i must not depend on where the range begins or ends, so that threads do not change a bit.
/// </summary>
internal interface IRangeKernel
{
    /// <summary>Does [<paramref name="start"/>, <paramref name="end"/>).</summary>
    void Run<V>(long start, long end) where V : struct, ILanes<V>;
}

/// <summary>Runs <see cref="IRangeKernel"/>s on all threads at the device's instruction set.</summary>
internal static class RangeLoop
{
    /// <summary>Elements a unit of work should touch: long enough to hide the fork, short enough to balance.</summary>
    public const int Grain = 16384;

    /// <summary>Does [0, <paramref name="count"/>) in units of <paramref name="grain"/>; one unit runs on the caller alone.</summary>
    public static void Run<TKernel>(CpuDevice host, long count, long grain, TKernel kernel)
        where TKernel : struct, IRangeKernel
    {
        if (count <= 0)
            return;
        host.Pool.Run(checked((int)((count + grain - 1) / grain)), (unit, _) =>
        {
            long start = unit * grain, end = Math.Min(count, start + grain);
            switch (host.Level)
            {
                case SimdLevel.Avx512: kernel.Run<Lanes512>(start, end); break;
                case SimdLevel.Avx2: kernel.Run<Lanes256>(start, end); break;
                default: kernel.Run<LanesPortable>(start, end); break;
            }
        });
    }

    /// <summary>Does every element of an array of <paramref name="count"/>.</summary>
    public static void Elements<TKernel>(CpuDevice host, long count, TKernel kernel)
        where TKernel : struct, IRangeKernel => Run(host, count, Grain, kernel);

    /// <summary>Does every row of <paramref name="width"/> elements.</summary>
    public static void Rows<TKernel>(CpuDevice host, long rows, long width, TKernel kernel)
        where TKernel : struct, IRangeKernel => Run(host, rows, Math.Max(1, Grain / Math.Max(1, width)), kernel);
}
