using Cliper.Kernels.Gpu.DeviceCode;
using ILGPU;

namespace Cliper.Kernels.Operations;

public static partial class GradientNorm
{
    // parts[block] = sum of the squares of the block's elements.
    [DeviceCode]
    private static void SumSquaresKernel(GlobalPtrInt32 table, int tensors, GlobalPtrFp32 parts)
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
    [DeviceCode]
    private static void ClipFactorKernel(GlobalPtrFp32 parts, int count, GlobalPtrFp32 limits, GlobalPtrFp32 result)
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
