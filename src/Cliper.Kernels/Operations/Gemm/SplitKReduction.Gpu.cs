using Cliper.Kernels.Gpu.Compiler;
using Cliper.Kernels.Gpu.DeviceCode;
using Cliper.Kernels.Gpu.Runtime;
using Cliper.Kernels.Memory;

namespace Cliper.Kernels.Operations;

/// <summary>
/// The split-K reduction: adds up the partial results that the splits of a reduction dimension left, in the order of
/// the splits, so that the bits do not depend on which block came first.
/// </summary>
internal static partial class SplitKReduction
{
    private static readonly KernelFamily Family =
        new(typeof(SplitKReduction), nameof(SplitKReductionKernel), "SplitKReduction", Threads, 1, 48);

    /// <summary>The kernels of each type of result.</summary>
    public static IEnumerable<GpuKernel> Kernels => Family.ForEachFloating;

    /// <summary>y[i] = sum over s of parts[s * count + i], plus y[i] when accumulating.</summary>
    public static void Run(GpuDevice gpu, DeviceArray parts, DeviceArray y, int splits, long count, bool accumulate) =>
        gpu.Run(Family[y.Type.PointerType()], new Blocks(Blocks.Cover(count, Threads * Vec8.Size)), parts, y, splits,
            count, accumulate, Vec8.IsVectorizable(count, count, parts, y));
}
