using Cliper.Kernels.Gpu.Compiler;
using Cliper.Kernels.Gpu.DeviceCode;
using Cliper.Kernels.Gpu.Runtime;
using Cliper.Kernels.Memory;

namespace Cliper.Kernels.Operations;

public static partial class AddMeanToken
{
    private const int GpuThreads = 128;

    private static readonly KernelFamily
        ForwardKernels = new(typeof(AddMeanToken), nameof(ForwardKernel), "AddMeanToken forward", GpuThreads, 1, 64),
        BackwardKernels = new(typeof(AddMeanToken), nameof(BackwardKernel), "AddMeanToken backward", GpuThreads, 1, 64);

    internal static IEnumerable<GpuKernel> GpuKernels => [.. ForwardKernels.ForEachDtype16,
        .. BackwardKernels.ForEachDtype16];

    private static void ForwardGpu(GpuDevice gpu, DeviceArray x, DeviceArray positions, DeviceArray y, int samples,
        int pixels, int width) =>
        gpu.Run(ForwardKernels[y.Type.Dtype()], BlocksOf(samples, width), x, positions, y, (long)samples, pixels, width,
            Vec8.IsVectorizable(width, width, x, positions, y));

    private static void BackwardGpu(GpuDevice gpu, DeviceArray dy, GradientTarget dx, int samples, int pixels,
        int width) =>
        gpu.Run(BackwardKernels[dy.Type.Dtype()], BlocksOf((long)samples * pixels, width), dy, dx.Array, dx.Accumulate,
            (long)samples * pixels, pixels, width, Vec8.IsVectorizable(width, width, dy, dx.Array));

    private static Blocks BlocksOf(long rows, int width) =>
        new(Blocks.Cover(rows * Blocks.Cover(width, Vec8.Size), GpuThreads));
}
