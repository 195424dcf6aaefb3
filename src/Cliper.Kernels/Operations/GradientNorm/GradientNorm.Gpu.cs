using Cliper.Kernels.Gpu.Compiler;
using Cliper.Kernels.Gpu.DeviceCode;
using Cliper.Kernels.Gpu.Runtime;
using Cliper.Kernels.Memory;

namespace Cliper.Kernels.Operations;

public static partial class GradientNorm
{
    private const int GpuThreads = Sum.GpuThreads, PerBlock = 16384;

    private static readonly GpuKernel Squares =
        new(typeof(GradientNorm), nameof(SumSquaresKernel), "Gradient Squares", GpuThreads, 1, 48);

    private static readonly GpuKernel Factor =
        new(typeof(GradientNorm), nameof(ClipFactorKernel), "Gradient Factor", GpuThreads, 1, 48);

    internal static IEnumerable<GpuKernel> GpuKernels => [Squares, Factor];

    private static void MeasureGpu(GpuDevice gpu, ReadOnlySpan<DeviceArray> gradients, double maximum, double scale,
        DeviceArray result)
    {
        var table = new TensorRow[gradients.Length];
        int blocks = 0;
        for (int index = 0; index < gradients.Length; index++)
        {
            DeviceArray gradient = gradients[index];
            table[index] = new TensorRow { FirstBlock = blocks, Length = gradient.Length, Address = gradient.Address };
            blocks = checked(blocks + Blocks.Cover(gradient.Length, PerBlock));
        }
        // Numbers that change from step to step lie on the device, so that the launches are always the same.
        DeviceArray rows = TensorTable.Upload<TensorRow>(gpu, table), parts = gpu.Allocate(blocks),
            limits = gpu.From([(float)maximum, (float)(1 / scale)]);
        gpu.Run(Squares, new Blocks(blocks), rows, gradients.Length, parts);
        gpu.Run(Factor, new Blocks(1), parts, blocks, limits, result);
        gpu.Free(rows);
        gpu.Free(parts);
        gpu.Free(limits);
    }

    /// <summary>One gradient of a launch.</summary>
    private struct TensorRow
    {
        /// <summary>Index of the gradient's first block, its length and its address.</summary>
        public long FirstBlock, Length, Address;
    }
}
