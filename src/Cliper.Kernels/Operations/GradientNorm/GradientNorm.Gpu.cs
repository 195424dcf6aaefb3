using System.Runtime.InteropServices;
using Cliper.Kernels.Gpu.Compiler;
using Cliper.Kernels.Gpu.DeviceCode;
using Cliper.Kernels.Gpu.Runtime;
using Cliper.Kernels.Memory;
using ILGPU;

namespace Cliper.Kernels.Operations;

public static partial class GradientNorm
{
    private const int GpuThreads = Sum.GpuThreads, PerBlock = 16384;

    // A row a tensor: first block, length, address.
    private const int Fields = 3;

    private static readonly GpuKernel Squares =
        new(((Action<GlobalPtrInt32, int, GlobalPtrFp32>)SquaresRun).Method, "Gradient Squares", GpuThreads, 1, 48);

    private static readonly GpuKernel Factor =
        new(((Action<GlobalPtrFp32, int, GlobalPtrFp32, GlobalPtrFp32>)FactorRun).Method, "Gradient Factor", GpuThreads, 1, 48);

    internal static IEnumerable<GpuKernel> GpuKernels => [Squares, Factor];

    private static void MeasureGpu(GpuDevice gpu, ReadOnlySpan<DeviceArray> gradients, double maximum, double scale, DeviceArray result)
    {
        var table = new long[gradients.Length * Fields];
        int blocks = 0;
        for (int index = 0; index < gradients.Length; index++)
        {
            Span<long> row = table.AsSpan(index * Fields, Fields);
            (row[0], row[1], row[2]) = (blocks, gradients[index].Length, gradients[index].Address);
            blocks = checked(blocks + Blocks.Cover(gradients[index].Length, PerBlock));
        }
        // Numbers that change from step to step lie on the device, so that the launches are always the same.
        DeviceArray rows = gpu.From(MemoryMarshal.Cast<long, int>(table)), parts = gpu.Allocate(blocks),
            limits = gpu.From([(float)maximum, (float)(1 / scale)]);
        gpu.Run(Squares, new Blocks(blocks), rows, gradients.Length, parts);
        gpu.Run(Factor, new Blocks(1), parts, blocks, limits, result);
        gpu.Free(rows);
        gpu.Free(parts);
        gpu.Free(limits);
    }

    // parts[block] = sum of the squares of the block's elements.
    private static void SquaresRun(GlobalPtrInt32 table, int tensors, GlobalPtrFp32 parts)
    {
        var row = TensorTable.Row.Find(table, tensors, Fields);
        var x = new GlobalPtrFp32(row.Long(2));
        long length = row.Long(1), start = (long)row.Block * PerBlock, end = start + PerBlock;
        if (end > length)
            end = length;
        float sum = 0;
        // Arrays begin at multiples of 256 bytes, blocks at multiples of 64 KB.
        long at = start + Group.IdxX * 4;
        for (; at + 4 <= end; at += GpuThreads * 4)
        {
            F4 four = x.Load4(at);
            sum = Ptx.Fma(four.X, four.X, Ptx.Fma(four.Y, four.Y, Ptx.Fma(four.Z, four.Z, Ptx.Fma(four.W, four.W, sum))));
        }
        // At most three elements are left, of the one thread that stopped before them.
        for (; at < end; at++)
        {
            float value = x.Load(at);
            sum = Ptx.Fma(value, value, sum);
        }
        sum = Sum.OfBlock(sum, 0);
        if (Group.IdxX == 0)
            parts.Store(Grid.IdxX, sum);
    }

    // One block: some thousand parts of a model. limits is the maximum and one over the scale.
    private static void FactorRun(GlobalPtrFp32 parts, int count, GlobalPtrFp32 limits, GlobalPtrFp32 result)
    {
        float sum = 0;
        for (int at = Group.IdxX; at < count; at += GpuThreads)
            sum += parts.Load(at);
        sum = Sum.OfBlock(sum, 0);
        if (Group.IdxX != 0)
            return;
        float maximum = limits.Load(0), factor = limits.Load(1), norm = Ptx.SquareRoot(sum) * factor;
        result.Store(0, norm);
        if (norm > maximum)
            factor *= maximum / norm;
        // A comparison with NaN is false.
        result.Store(1, norm <= float.MaxValue ? factor : 0f);
    }
}
