using Cliper.Kernels.Devices;
using Cliper.Kernels.Ptx;
using ILGPU;

namespace Cliper.Kernels.Operations;

public static partial class ColumnSum
{
    private const int GpuThreads = 64, RowsPerSlice = 64, MaxSlices = 256;

    private static readonly KernelFamily Kernels = new(typeof(ColumnSum), nameof(SumSlice), "ColumnSum", GpuThreads, 1, 64);

    internal static IEnumerable<GpuKernel> GpuKernels => Kernels.OfNumbers;

    /// <summary>Slices that rows are cut into: by their number alone, so that the order of the sum is always the same.</summary>
    internal static int Slices(int rows) => Math.Clamp(rows / RowsPerSlice, 1, MaxSlices);

    private static void ForwardGpu(GpuDevice gpu, DeviceArray x, DeviceArray y, bool accumulate, int rows, int width, long stride)
    {
        int slices = Slices(rows), each = Blocks.Cover(rows, slices);
        DeviceArray parts = gpu.Allocate((long)slices * width);
        gpu.Run(Kernels[x.Type.Numbers()], new Blocks(Blocks.Cover(width, GpuThreads * Chunk.Size), slices), x, parts,
            rows, width, stride, each, Chunk.IsWide(width, stride, x));
        SliceSum.Run(gpu, parts, y, slices, width, accumulate);
        gpu.Free(parts);
    }

    // Block (x, y) sums slice y of eight columns a thread; what the slices leave is added in their order.
    private static void SumSlice<TX>(TX x, Floats parts, int rows, int width, long stride, int each, int wide) where TX : struct, INumbers
    {
        int column = (Grid.IdxX * GpuThreads + Group.IdxX) * Chunk.Size, count = width - column;
        if (count <= 0)
            return;
        int end = IntrinsicMath.Min(rows, (Grid.IdxY + 1) * each);
        F8 sum = default;
        for (int row = Grid.IdxY * each; row < end; row++)
            sum = Chunk.Add(sum, Chunk.Load(x, row * stride + column, count, wide));
        Chunk.Store(parts, (long)Grid.IdxY * width + column, sum, count, wide);
    }
}
