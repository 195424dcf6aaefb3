using Cliper.Kernels.Devices;
using Cliper.Kernels.Ptx;

namespace Cliper.Kernels.Operations;

public static partial class Convolution
{
    private const int GpuThreads = 256;

    private static readonly KernelFamily
        UnfoldKernels = new(typeof(Convolution), nameof(UnfoldKernel), "Convolution unfold", GpuThreads, 1, 72),
        FoldKernels = new(typeof(Convolution), nameof(FoldKernel), "Convolution fold", GpuThreads, 1, 72);

    internal static IEnumerable<GpuKernel> GpuKernels =>
    [
        .. Formats.All.Select(stored => UnfoldKernels[stored.Numbers(), stored.Format()]),
        .. Formats.All.Select(stored => UnfoldKernels[typeof(Floats), stored.Format()]),
        .. Formats.All.Select(stored => FoldKernels[stored.Format(), stored.Numbers()]),
        .. Formats.All.Select(stored => FoldKernels[stored.Format(), typeof(Floats)]),
    ];

    private static void UnfoldGpu(GpuDevice gpu, DeviceArray x, DeviceArray unfolded, SlidingWindow window, Block block)
    {
        (FeatureMap input, WindowAxis down, WindowAxis across) = window;
        FeatureMap output = window.Output(1);
        DeviceArray images = ImagesOf(x, input, block.FirstLine / output.Height, block.Lines / output.Height);
        gpu.Run(UnfoldKernels[x.Type.Numbers(), unfolded.Type.Format()],
            new Blocks(Blocks.Cover((long)block.Rows * Blocks.Cover(window.Elements, Chunk.Size), GpuThreads)), images, unfolded,
            (long)block.Rows, input.Height, input.Width, input.Channels, output.Height, output.Width, down.Kernel, across.Kernel,
            down.Stride, across.Stride, down.Before, across.Before,
            Chunk.IsWide(input.Channels, input.Channels, images, unfolded));
    }

    private static void FoldGpu(GpuDevice gpu, DeviceArray unfolded, DeviceArray dx, bool accumulate, SlidingWindow window, Block block)
    {
        (FeatureMap input, WindowAxis down, WindowAxis across) = window;
        FeatureMap output = window.Output(1);
        int count = block.Lines / output.Height;
        DeviceArray images = ImagesOf(dx, input, block.FirstLine / output.Height, count);
        long pixels = (long)count * input.Height * input.Width;
        gpu.Run(FoldKernels[unfolded.Type.Format(), dx.Type.Numbers()],
            new Blocks(Blocks.Cover(pixels * Blocks.Cover(input.Channels, Chunk.Size), GpuThreads)), unfolded, images, accumulate,
            pixels, input.Height, input.Width, input.Channels, output.Height, output.Width, down.Kernel, across.Kernel, down.Stride,
            across.Stride, down.Before, across.Before, Chunk.IsWide(input.Channels, input.Channels, unfolded, images));
    }

    private static DeviceArray ImagesOf(DeviceArray images, FeatureMap sizes, int first, int count)
    {
        long each = sizes.Height * sizes.Line;
        return images.Slice(first * each, count * each);
    }
}
