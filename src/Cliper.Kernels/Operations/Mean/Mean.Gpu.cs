using Cliper.Kernels.Gpu.Compiler;
using Cliper.Kernels.Gpu.DeviceCode;
using Cliper.Kernels.Gpu.Runtime;
using Cliper.Kernels.Memory;

namespace Cliper.Kernels.Operations;

public static partial class Mean
{
    private const int GpuThreads = 256;

    private static readonly GpuKernel ForwardChunks =
        new(typeof(Mean), nameof(ForwardKernel), "Mean forward", GpuThreads, 1, 48);

    private static readonly GpuKernel BackwardChunks =
        new(typeof(Mean), nameof(BackwardKernel), "Mean backward", GpuThreads, 1, 48);

    internal static IEnumerable<GpuKernel> GpuKernels => [ForwardChunks, BackwardChunks];

    private static void ForwardGpu(GpuDevice gpu, DeviceArray x, DeviceArray y, int samples, int frames, int width) =>
        gpu.Run(ForwardChunks, BlocksOf(samples, width), x, y, (long)samples, frames, width,
            Vec8.IsVectorizable(width, width, x, y));

    private static void BackwardGpu(GpuDevice gpu, DeviceArray dy, GradientTarget dx, int samples, int frames,
        int width) =>
        gpu.Run(BackwardChunks, BlocksOf((long)samples * frames, width), dy, dx.Array, dx.Accumulate,
            (long)samples * frames, frames, width, Vec8.IsVectorizable(width, width, dy, dx.Array));

    private static Blocks BlocksOf(long rows, int width) => new(Blocks.Cover(rows * Blocks.Cover(width, Vec8.Size),
        GpuThreads));
}
