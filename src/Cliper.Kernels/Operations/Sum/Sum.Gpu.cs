using System.Runtime.InteropServices;
using Cliper.Kernels.Devices;
using Cliper.Kernels.Ptx;
using ILGPU;

namespace Cliper.Kernels.Operations;

public static partial class Sum
{
    // Elements of a block; what the blocks leave is added by one more, in their order.
    private const int GpuThreads = 256, PerBlock = 16384;

    private static readonly GpuKernel OfProducts =
        new(((Action<Floats, Floats, Floats, long, int>)SumBlock).Method, "Sum", GpuThreads, 1, 48);

    // A row a tensor: first block, length, address.
    private const int Fields = 3;

    private static readonly GpuKernel OfManySquares =
        new(((Action<Integers, int, Floats>)SquaresRun).Method, "Sum Squares", GpuThreads, 1, 48);

    internal static IEnumerable<GpuKernel> GpuKernels => [OfProducts, OfManySquares];

    private static double OfSquaresGpu(GpuDevice gpu, ReadOnlySpan<DeviceArray> arrays)
    {
        var table = new long[arrays.Length * Fields];
        int blocks = 0;
        for (int index = 0; index < arrays.Length; index++)
        {
            Span<long> row = table.AsSpan(index * Fields, Fields);
            (row[0], row[1], row[2]) = (blocks, arrays[index].Length, arrays[index].Address);
            blocks = checked(blocks + Blocks.Cover(arrays[index].Length, PerBlock));
        }
        if (blocks == 0)
            return 0;
        DeviceArray rows = gpu.From(MemoryMarshal.Cast<long, int>(table)), parts = gpu.Allocate(blocks);
        gpu.Run(OfManySquares, new Blocks(blocks), rows, arrays.Length, parts);
        // In order and in double: some thousand numbers of a model, in one copy.
        double sum = 0;
        foreach (float part in gpu.ToFloats(parts))
            sum += part;
        gpu.Free(rows);
        gpu.Free(parts);
        return sum;
    }

    private static void ForwardGpu(GpuDevice gpu, DeviceArray x, DeviceArray y, bool accumulate) =>
        ProductsGpu(gpu, x, default, y, accumulate);

    private static void ProductsGpu(GpuDevice gpu, DeviceArray a, DeviceArray b, DeviceArray y, bool accumulate)
    {
        DeviceArray source = a, second = b, toFree = default;
        while (source.Length > PerBlock)
        {
            DeviceArray parts = gpu.Allocate(Blocks.Cover(source.Length, PerBlock));
            gpu.Run(OfProducts, new Blocks((int)parts.Length), source, second, parts, source.Length, false);
            gpu.Free(toFree);
            (source, second, toFree) = (parts, default, parts);
        }
        gpu.Run(OfProducts, new Blocks(1), source, second, y, source.Length, accumulate);
        gpu.Free(toFree);
    }

    private static void BackwardGpu(GpuDevice gpu, DeviceArray dy, DeviceArray dx, bool accumulate) =>
        ElementLoop.Run<ElementLoop.Second>(gpu, dx, dy, dx, accumulate: accumulate);

    // parts[block] = sum of the squares of the block's elements.
    private static void SquaresRun(Integers table, int tensors, Floats parts)
    {
        ArrayView<float> shared = SharedMemory.Allocate<float>(GpuThreads / 32);
        var row = TensorTable.Row.Find(table, tensors, Fields);
        var x = new Floats(row.Long(2));
        long length = row.Long(1), start = (long)row.Block * PerBlock, end = start + PerBlock;
        if (end > length)
            end = length;
        float sum = 0;
        // Arrays begin at multiples of 256 bytes, blocks at multiples of 64 KB.
        long at = start + Group.IdxX * 4;
        for (; at + 4 <= end; at += GpuThreads * 4)
        {
            F4 four = x.Load4(at);
            sum = Gpu.Fma(four.X, four.X, Gpu.Fma(four.Y, four.Y, Gpu.Fma(four.Z, four.Z, Gpu.Fma(four.W, four.W, sum))));
        }
        // At most three elements are left, of the one thread that stopped before them.
        for (; at < end; at++)
        {
            float value = x.Load(at);
            sum = Gpu.Fma(value, value, sum);
        }
        sum = Gpu.WarpSum(sum);
        if ((Group.IdxX & 31) == 0)
            shared[Group.IdxX >> 5] = sum;
        Group.Barrier();
        if (Group.IdxX != 0)
            return;
        sum = 0;
        for (int warp = 0; warp < GpuThreads / 32; warp++)
            sum += shared[warp];
        parts.Store(Grid.IdxX, sum);
    }

    // y[block] = sum over the block's elements of a, or of a b.
    private static void SumBlock(Floats a, Floats b, Floats y, long length, int accumulate)
    {
        ArrayView<float> shared = SharedMemory.Allocate<float>(GpuThreads / 32);
        long start = (long)Grid.IdxX * PerBlock, end = start + PerBlock;
        if (end > length)
            end = length;
        float sum = 0;
        for (long at = start + Group.IdxX; at < end; at += GpuThreads)
            sum = Gpu.Fma(a.Load(at), b.IsNull ? 1f : b.Load(at), sum);
        sum = Gpu.WarpSum(sum);
        if ((Group.IdxX & 31) == 0)
            shared[Group.IdxX >> 5] = sum;
        Group.Barrier();
        if (Group.IdxX != 0)
            return;
        sum = accumulate != 0 ? y.Load(Grid.IdxX) : 0f;
        for (int warp = 0; warp < GpuThreads / 32; warp++)
            sum += shared[warp];
        y.Store(Grid.IdxX, sum);
    }
}
