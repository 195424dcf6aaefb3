using Cliper.Kernels.Gpu.Compiler;
using Cliper.Kernels.Gpu.DeviceCode;
using Cliper.Kernels.Gpu.Runtime;
using Cliper.Kernels.Memory;

namespace Cliper.Kernels.Operations;

public static partial class LayerNorm
{
    // A warp has a row. Up to so many columns stay in registers: all loads are under way at once, and memory is read
    // once. Longer rows and those without 16-byte accesses are looked at again, in the first-level cache.
    private const int GpuThreads = 128, WarpsOfBlock = GpuThreads / 32, HeldChunks = 4,
        HeldWidth = HeldChunks * 32 * Vec8.Size;

    private static readonly KernelFamily
        HeldForwardKernels = new(typeof(LayerNorm), nameof(ForwardHeldKernel), "LayerNorm forward", GpuThreads, 1, 72),
        HeldBackwardKernels = new(typeof(LayerNorm), nameof(BackwardHeldKernel), "LayerNorm backward", GpuThreads, 1,
        128), ForwardKernels = new(typeof(LayerNorm), nameof(ForwardKernel), "LayerNorm forward, any row", GpuThreads,
        1, 72), BackwardKernels = new(typeof(LayerNorm), nameof(BackwardKernel), "LayerNorm backward, any row",
        GpuThreads, 1, 96), ParameterKernels = new(typeof(LayerNorm), nameof(ParameterGradientKernel),
        "LayerNorm parameters", ColumnBlock.Threads, 1, 96);

    internal static IEnumerable<GpuKernel> GpuKernels => [.. HeldForwardKernels.ForEachDtype16,
        .. HeldBackwardKernels.ForEachDtype16, .. ParameterKernels.ForEachDtype16, .. ForwardKernels.ForEachDtype16,
        .. BackwardKernels.ForEachDtype16];

    private static void ForwardGpu(GpuDevice gpu, DeviceArray x, Affine affine, DeviceArray y, Statistics statistics,
        RowShape shape, float epsilon)
    {
        (DeviceArray gamma, DeviceArray beta) = affine;
        (DeviceArray mean, DeviceArray rstd) = statistics;
        (int rows, int width) = shape;
        var blocks = new Blocks(Blocks.Cover(rows, WarpsOfBlock));
        bool vectorized = Vec8.IsVectorizable(width, width, x, gamma, beta, y);
        if (vectorized && width <= HeldWidth)
            gpu.Run(HeldForwardKernels[x.Type.Dtype()], blocks, x, gamma, beta, y, mean, rstd, rows, width, epsilon);
        else
            gpu.Run(ForwardKernels[x.Type.Dtype()], blocks, x, gamma, beta, y, mean, rstd, rows, width, epsilon,
                vectorized);
    }

    private static void BackwardGpu(GpuDevice gpu, DeviceArray x, DeviceArray gamma, Statistics statistics,
        DeviceArray dy, Gradients gradients, RowShape shape)
    {
        (DeviceArray mean, DeviceArray rstd) = statistics;
        (int rows, int width) = shape;
        if (!gradients.Gamma.IsNull || !gradients.Beta.IsNull)
        {
            int slices = ColumnSum.Slices(rows);
            DeviceArray gammaParts = gpu.Allocate((long)slices * width), betaParts = gpu.Allocate((long)slices * width);
            gpu.Run(ParameterKernels[x.Type.Dtype()], new Blocks(Blocks.Cover(width, ColumnBlock.Columns), slices), x,
                mean, rstd, dy, gammaParts, betaParts, rows, width, Blocks.Cover(rows, slices),
                Vec8.IsVectorizable(width, width, x, dy));
            AddSlices(gpu, gammaParts, gradients.Gamma, slices, width);
            AddSlices(gpu, betaParts, gradients.Beta, slices, width);
            gpu.Free(gammaParts);
            gpu.Free(betaParts);
        }
        (DeviceArray dx, bool accumulate) = gradients.X;
        if (dx.IsNull)
            return;
        // Last: dx may be dy.
        var blocks = new Blocks(Blocks.Cover(rows, WarpsOfBlock));
        bool vectorized = Vec8.IsVectorizable(width, width, x, gamma, dy, dx);
        if (vectorized && width <= HeldWidth)
            gpu.Run(HeldBackwardKernels[x.Type.Dtype()], blocks, x, gamma, mean, rstd, dy, dx, rows, width,
                accumulate);
        else
            gpu.Run(BackwardKernels[x.Type.Dtype()], blocks, x, gamma, mean, rstd, dy, dx, rows, width, accumulate,
                vectorized);
    }

    private static void AddSlices(GpuDevice gpu, DeviceArray parts, GradientTarget target, int slices, int width)
    {
        if (!target.IsNull)
            SplitKReduction.Run(gpu, parts, target.Array, slices, width, target.Accumulate);
    }
}
