using Cliper.Kernels.Gpu.Compiler;
using Cliper.Kernels.Gpu.DeviceCode;
using Cliper.Kernels.Gpu.Runtime;
using Cliper.Kernels.Memory;

namespace Cliper.Kernels.Operations;

public static partial class AveragePool
{
    private const int GpuThreads = 256;

    private static readonly KernelFamily
        ForwardKernels = new(typeof(AveragePool), nameof(ForwardKernel), "AveragePool forward", GpuThreads, 1, 64),
        BackwardKernels = new(typeof(AveragePool), nameof(BackwardKernel), "AveragePool backward", GpuThreads, 1, 64);

    internal static IEnumerable<GpuKernel> GpuKernels => [.. ForwardKernels.ForEachDtype16,
        .. BackwardKernels.ForEachDtype16];

    private static void ForwardGpu(GpuDevice gpu, DeviceArray x, DeviceArray y, FeatureMap input, int size)
    {
        FeatureMap output = Output(input, size);
        gpu.Run(ForwardKernels[x.Type.Dtype()], BlocksOf(output), x, y, output.Pixels, input.Height, input.Width,
            input.Channels, size, Vec8.IsVectorizable(input.Channels, input.Channels, x, y));
    }

    private static void BackwardGpu(GpuDevice gpu, DeviceArray dy, GradientTarget dx, FeatureMap input, int size) =>
        gpu.Run(BackwardKernels[dy.Type.Dtype()], BlocksOf(input), dy, dx.Array, dx.Accumulate, input.Pixels,
            input.Height, input.Width, input.Channels, size,
            Vec8.IsVectorizable(input.Channels, input.Channels, dy, dx.Array));

    private static Blocks BlocksOf(FeatureMap map) =>
        new(Blocks.Cover(map.Pixels * Blocks.Cover(map.Channels, Vec8.Size), GpuThreads));
}
