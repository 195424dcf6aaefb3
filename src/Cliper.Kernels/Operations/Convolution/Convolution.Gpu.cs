using Cliper.Kernels.Gpu.Compiler;
using Cliper.Kernels.Gpu.DeviceCode;
using Cliper.Kernels.Gpu.Runtime;
using Cliper.Kernels.Memory;

namespace Cliper.Kernels.Operations;

public static partial class Convolution
{
    private const int GpuThreads = 256;

    private static readonly KernelFamily
        UnfoldKernels = new(typeof(Convolution), nameof(UnfoldKernel), "Convolution unfold", GpuThreads, 1, 72),
        FoldKernels = new(typeof(Convolution), nameof(FoldKernel), "Convolution fold", GpuThreads, 1, 72);

    internal static IEnumerable<GpuKernel> GpuKernels =>
    [
        .. Dtypes.All16.Select(stored => UnfoldKernels[stored.PointerType(), stored.Dtype()]),
        .. Dtypes.All16.Select(stored => UnfoldKernels[typeof(GlobalPtrFp32), stored.Dtype()]),
        .. Dtypes.All16.Select(stored => FoldKernels[stored.Dtype(), stored.PointerType()]),
        .. Dtypes.All16.Select(stored => FoldKernels[stored.Dtype(), typeof(GlobalPtrFp32)]),
    ];

    private static void UnfoldGpu(GpuDevice gpu, DeviceArray x, DeviceArray unfolded, SlidingWindow window, Block block)
    {
        (FeatureMap input, WindowAxis down, WindowAxis across) = window;
        FeatureMap output = window.Output(1);
        DeviceArray images = ImagesOf(x, input, block.FirstLine / output.Height, block.Lines / output.Height);
        gpu.Run(UnfoldKernels[x.Type.PointerType(), unfolded.Type.Dtype()],
            new Blocks(Blocks.Cover((long)block.Rows * Blocks.Cover(window.Elements, Vec8.Size), GpuThreads)),
            images, unfolded,
            (long)block.Rows, input.Height, input.Width, input.Channels, output.Height, output.Width, down.Kernel,
            across.Kernel,
            down.Stride, across.Stride, down.Before, across.Before,
            Vec8.IsVectorizable(input.Channels, input.Channels, images, unfolded));
    }

    private static void FoldGpu(GpuDevice gpu, DeviceArray unfolded, GradientTarget dx, SlidingWindow window,
        Block block)
    {
        (FeatureMap input, WindowAxis down, WindowAxis across) = window;
        FeatureMap output = window.Output(1);
        int count = block.Lines / output.Height;
        DeviceArray images = ImagesOf(dx.Array, input, block.FirstLine / output.Height, count);
        long pixels = (long)count * input.Height * input.Width;
        gpu.Run(FoldKernels[unfolded.Type.Dtype(), images.Type.PointerType()],
            new Blocks(Blocks.Cover(pixels * Blocks.Cover(input.Channels, Vec8.Size), GpuThreads)), unfolded,
            images, dx.Accumulate,
            pixels, input.Height, input.Width, input.Channels, output.Height, output.Width, down.Kernel, across.Kernel,
            down.Stride,
            across.Stride, down.Before, across.Before, Vec8.IsVectorizable(input.Channels, input.Channels,
            unfolded, images));
    }

    private static DeviceArray ImagesOf(DeviceArray images, FeatureMap sizes, int first, int count)
    {
        long each = sizes.Height * sizes.Line;
        return images.Slice(first * each, count * each);
    }
}
