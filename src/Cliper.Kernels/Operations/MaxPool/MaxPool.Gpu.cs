using Cliper.Kernels.Devices;
using Cliper.Kernels.Ptx;

namespace Cliper.Kernels.Operations;

public static partial class MaxPool
{
    private const int GpuThreads = 256;

    private static readonly KernelFamily
        ForwardKernels = new(typeof(MaxPool), nameof(ForwardKernel), "MaxPool forward", GpuThreads, 1, 64),
        BackwardKernels = new(typeof(MaxPool), nameof(BackwardKernel), "MaxPool backward", GpuThreads, 1, 80);

    internal static IEnumerable<GpuKernel> GpuKernels => [.. ForwardKernels.OfFormats, .. BackwardKernels.OfFormats];

    private static void ForwardGpu(GpuDevice gpu, DeviceArray x, DeviceArray y, FeatureMap input)
    {
        FeatureMap output = Output(input);
        gpu.Run(ForwardKernels[x.Type.Format()], BlocksOf(output), x, y, output.Pixels, input.Height, input.Width, input.Channels,
            Chunk.IsWide(input.Channels, input.Channels, x, y));
    }

    // Windows that reach over the last odd row or column have no output: what they hold gets zero.
    private static void BackwardGpu(GpuDevice gpu, DeviceArray x, DeviceArray y, DeviceArray dy, DeviceArray dx, bool accumulate,
        FeatureMap input)
    {
        FeatureMap windows = input with { Height = Blocks.Cover(input.Height, Size), Width = Blocks.Cover(input.Width, Size) };
        gpu.Run(BackwardKernels[x.Type.Format()], BlocksOf(windows), x, y, dy, dx, accumulate, windows.Pixels, input.Height,
            input.Width, input.Channels, Chunk.IsWide(input.Channels, input.Channels, x, y, dy, dx));
    }

    private static Blocks BlocksOf(FeatureMap map) =>
        new(Blocks.Cover(map.Pixels * Blocks.Cover(map.Channels, Chunk.Size), GpuThreads));
}
