using Cliper.Kernels.Gpu.Compiler;
using Cliper.Kernels.Gpu.DeviceCode;
using Cliper.Kernels.Gpu.Runtime;
using Cliper.Kernels.Memory;

namespace Cliper.Kernels.Operations;

public static partial class L2Normalize
{
    // A warp has a row; the second look at it comes from the first-level cache.
    private const int GpuThreads = 128, WarpsOfBlock = GpuThreads / 32;

    private static readonly GpuKernel ForwardRows =
        new(typeof(L2Normalize), nameof(ForwardKernel), "L2Normalize forward", GpuThreads, 1, 64);

    private static readonly GpuKernel BackwardRows =
        new(typeof(L2Normalize), nameof(BackwardKernel), "L2Normalize backward", GpuThreads, 1, 64);

    internal static IEnumerable<GpuKernel> GpuKernels => [ForwardRows, BackwardRows];

    private static void ForwardGpu(GpuDevice gpu, DeviceArray x, DeviceArray y, DeviceArray inverse, int rows,
        int width) =>
        gpu.Run(ForwardRows, new Blocks(Blocks.Cover(rows, WarpsOfBlock)), x, y, inverse, rows, width,
            Vec8.IsVectorizable(width, width, x, y));

    private static void BackwardGpu(GpuDevice gpu, DeviceArray y, DeviceArray inverse, DeviceArray dy,
        GradientTarget dx, int rows, int width) =>
        gpu.Run(BackwardRows, new Blocks(Blocks.Cover(rows, WarpsOfBlock)), y, inverse, dy, dx.Array, rows,
            width, dx.Accumulate, Vec8.IsVectorizable(width, width, y, dy, dx.Array));
}
