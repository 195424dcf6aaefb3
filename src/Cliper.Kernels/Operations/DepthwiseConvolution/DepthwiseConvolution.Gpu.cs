using Cliper.Kernels.Gpu.Compiler;
using Cliper.Kernels.Gpu.DeviceCode;
using Cliper.Kernels.Gpu.Runtime;
using Cliper.Kernels.Memory;

namespace Cliper.Kernels.Operations;

public static partial class DepthwiseConvolution
{
    private const int GpuThreads = 256;

    private static readonly KernelFamily
        ForwardKernels = new(typeof(DepthwiseConvolution), nameof(ForwardKernel), "DepthwiseConvolution forward",
        GpuThreads, 1, 80),
        InputKernels = new(typeof(DepthwiseConvolution), nameof(InputKernel), "DepthwiseConvolution input",
        GpuThreads, 1, 80),
        WeightKernels = new(typeof(DepthwiseConvolution), nameof(WeightKernel), "DepthwiseConvolution weight",
        ColumnBlock.Threads, 1, 80);

    internal static IEnumerable<GpuKernel> GpuKernels =>
        [.. ForwardKernels.ForEachDtype16, .. InputKernels.ForEachDtype16, .. WeightKernels.ForEachDtype16];

    private static void ForwardGpu(GpuDevice gpu, DeviceArray x, DeviceArray weight, DeviceArray y,
        SlidingWindow window)
    {
        (FeatureMap input, WindowAxis down, WindowAxis across) = window;
        FeatureMap output = window.Output(input.Channels);
        gpu.Run(ForwardKernels[x.Type.Dtype()], BlocksOf(output), x, weight, y, output.Pixels, input.Height,
            input.Width,
            input.Channels, output.Height, output.Width, down.Kernel, across.Kernel, down.Stride, across.Stride,
            down.Before,
            across.Before, Vec8.IsVectorizable(input.Channels, input.Channels, x, weight, y));
    }

    private static void BackwardInputGpu(GpuDevice gpu, DeviceArray weight, DeviceArray dy, GradientTarget dx,
        SlidingWindow window)
    {
        (FeatureMap input, WindowAxis down, WindowAxis across) = window;
        FeatureMap output = window.Output(input.Channels);
        gpu.Run(InputKernels[dy.Type.Dtype()], BlocksOf(input), weight, dy, dx.Array, dx.Accumulate, input.Pixels,
            input.Height, input.Width, input.Channels, output.Height, output.Width, down.Kernel, across.Kernel,
            down.Stride, across.Stride, down.Before, across.Before,
            Vec8.IsVectorizable(input.Channels, input.Channels, weight, dy, dx.Array));
    }

    // The sums that the slices of output pixels leave is added in their order, as ColumnSum does.
    private static void BackwardWeightGpu(GpuDevice gpu, DeviceArray x, DeviceArray dy, GradientTarget dweight,
        SlidingWindow window)
    {
        (FeatureMap input, WindowAxis down, WindowAxis across) = window;
        FeatureMap output = window.Output(input.Channels);
        int pixels = checked((int)output.Pixels), slices = ColumnSum.Slices(pixels),
            each = Blocks.Cover(pixels, slices);
        DeviceArray parts = gpu.Allocate((long)slices * window.Elements);
        gpu.Run(WeightKernels[x.Type.Dtype()], new Blocks(Blocks.Cover(input.Channels, ColumnBlock.Columns), slices,
            window.Taps),
            x, dy, parts, pixels, each, input.Height, input.Width, input.Channels, output.Height, output.Width,
            down.Kernel,
            across.Kernel, down.Stride, across.Stride, down.Before, across.Before,
            Vec8.IsVectorizable(input.Channels, input.Channels, x, dy));
        SplitKReduction.Run(gpu, parts, dweight.Array, slices, window.Elements, dweight.Accumulate);
        gpu.Free(parts);
    }

    private static Blocks BlocksOf(FeatureMap map) =>
        new(Blocks.Cover(map.Pixels * Blocks.Cover(map.Channels, Vec8.Size), GpuThreads));
}
