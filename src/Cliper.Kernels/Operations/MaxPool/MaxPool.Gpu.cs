using Cliper.Kernels.Gpu.Compiler;
using Cliper.Kernels.Gpu.DeviceCode;
using Cliper.Kernels.Gpu.Runtime;
using Cliper.Kernels.Memory;

namespace Cliper.Kernels.Operations;

public static partial class MaxPool
{
    private const int GpuThreads = 256;

    private static readonly KernelFamily
        ForwardKernels = new(typeof(MaxPool), nameof(ForwardKernel), "MaxPool forward", GpuThreads, 1, 64),
        BackwardKernels = new(typeof(MaxPool), nameof(BackwardKernel), "MaxPool backward", GpuThreads, 1, 80);

    internal static IEnumerable<GpuKernel> GpuKernels => [.. ForwardKernels.ForEachDtype16,
        .. BackwardKernels.ForEachDtype16];

    private static void ForwardGpu(GpuDevice gpu, DeviceArray x, DeviceArray y, FeatureMap input)
    {
        FeatureMap output = Output(input);
        gpu.Run(ForwardKernels[x.Type.Dtype()], BlocksOf(output), x, y, output.Pixels, input.Height, input.Width,
            input.Channels,
            Vec8.IsVectorizable(input.Channels, input.Channels, x, y));
    }

    // Windows that reach over the last odd row or column have no output: what they hold gets zero.
    private static void BackwardGpu(GpuDevice gpu, DeviceArray x, DeviceArray y, DeviceArray dy, GradientTarget dx,
        FeatureMap input)
    {
        FeatureMap windows = input with
        {
            Height = Blocks.Cover(input.Height, Size),
            Width = Blocks.Cover(input.Width, Size)
        };
        gpu.Run(BackwardKernels[x.Type.Dtype()], BlocksOf(windows), x, y, dy, dx.Array, dx.Accumulate,
            windows.Pixels, input.Height, input.Width, input.Channels,
            Vec8.IsVectorizable(input.Channels, input.Channels, x, y, dy, dx.Array));
    }

    private static Blocks BlocksOf(FeatureMap map) =>
        new(Blocks.Cover(map.Pixels * Blocks.Cover(map.Channels, Vec8.Size), GpuThreads));
}
