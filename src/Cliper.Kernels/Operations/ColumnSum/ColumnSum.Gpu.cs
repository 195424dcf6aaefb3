using Cliper.Kernels.Gpu.Compiler;
using Cliper.Kernels.Gpu.DeviceCode;
using Cliper.Kernels.Gpu.Runtime;
using Cliper.Kernels.Memory;

namespace Cliper.Kernels.Operations;

public static partial class ColumnSum
{
    private const int RowsPerSlice = 64, MaxSlices = 256;

    private static readonly KernelFamily Kernels = new(typeof(ColumnSum), nameof(SumSliceKernel), "ColumnSum",
        ColumnBlock.Threads, 1, 64);

    internal static IEnumerable<GpuKernel> GpuKernels => Kernels.ForEachFloating;

    /// <summary>
    /// Slices that rows are cut into: by their number alone, so that the order of the sum is always the same.
    /// </summary>
    internal static int Slices(int rows) => Math.Clamp(rows / RowsPerSlice, 1, MaxSlices);

    private static void ForwardGpu(GpuDevice gpu, DeviceArray x, GradientTarget y, int rows, int width, long stride)
    {
        int slices = Slices(rows), each = Blocks.Cover(rows, slices);
        DeviceArray parts = gpu.Allocate((long)slices * width);
        gpu.Run(Kernels[x.Type.PointerType()], new Blocks(Blocks.Cover(width, ColumnBlock.Columns), slices), x, parts,
            rows, width, stride, each, Vec8.IsVectorizable(width, stride, x));
        SplitKReduction.Run(gpu, parts, y.Array, slices, width, y.Accumulate);
        gpu.Free(parts);
    }
}
