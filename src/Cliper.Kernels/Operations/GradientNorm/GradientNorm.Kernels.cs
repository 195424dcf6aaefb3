using Cliper.Kernels.Gpu.DeviceCode;
using ILGPU;

namespace Cliper.Kernels.Operations;

public static partial class GradientNorm
{
    /// <summary>Reads a <see cref="TensorRow"/>; each property is the field of its name.</summary>
    [DeviceCode]
    private readonly struct TensorRowView
    {
        /// <summary>Size of a row in units of 64 bits.</summary>
        public const int Units = 3;

        private readonly TensorTable.Row _row;

        public TensorRowView(TensorTable.Row row) => _row = row;

        /// <summary>Index of this block among the blocks of its gradient.</summary>
        public int Block => _row.Block;

        public long Length => _row.Long(1);

        public long Address => _row.Long(2);
    }

    /// <summary>parts[block] = sum of the squares of the block's elements.</summary>
    /// <remarks>
    /// A block of 256 threads has 16384 elements of one gradient, four a thread at a time with 16-byte accesses. Shared
    /// memory: one float a warp. Any GPU from compute capability 7.0 on.
    /// </remarks>
    [DeviceCode]
    private static void SumSquaresKernel(GlobalPtrInt32 table, int tensors, GlobalPtrFp32 parts)
    {
        // (1) Find the gradient that this block belongs to.
        var row = new TensorRowView(TensorTable.Row.Find(table, tensors, TensorRowView.Units));
        var x = new GlobalPtrFp32(row.Address);
        long length = row.Length, start = (long)row.Block * PerBlock, end = start + PerBlock;
        if (end > length)
            end = length;

        // (2) Sum squares, four at a time: arrays begin at multiples of 256 bytes, blocks at multiples of 64 KiB.
        float sum = 0;
        long at = start + Group.IdxX * 4;
        for (; at + 4 <= end; at += GpuThreads * 4)
        {
            F4 four = x.Load4(at);
            sum = Ptx.Fma(four.X, four.X, Ptx.Fma(four.Y, four.Y, Ptx.Fma(four.Z, four.Z, Ptx.Fma(four.W, four.W,
                sum))));
        }
        // At most three elements are left, of the one thread that stopped before them.
        for (; at < end; at++)
        {
            float value = x.Load(at);
            sum = Ptx.Fma(value, value, sum);
        }

        // (3) Sum over the block's threads.
        sum = Sum.OfBlock(sum, 0);
        if (Group.IdxX == 0)
            parts.Store(Grid.IdxX, sum);
    }

    /// <summary>result = (norm, factor min(1, maximum / norm) / scale, or 0 where the norm is not finite).</summary>
    /// <remarks>
    /// One block of 256 threads, because a model has some thousand parts. limits = (maximum, 1 / scale). Shared memory:
    /// one float a warp. Any GPU from compute capability 7.0 on.
    /// </remarks>
    [DeviceCode]
    private static void ClipFactorKernel(GlobalPtrFp32 parts, int count, GlobalPtrFp32 limits, GlobalPtrFp32 result)
    {
        // (1) Sum the parts.
        float sum = 0;
        for (int at = Group.IdxX; at < count; at += GpuThreads)
            sum += parts.Load(at);
        sum = Sum.OfBlock(sum, 0);
        if (Group.IdxX != 0)
            return;

        // (2) Compute norm and factor in the first thread.
        float maximum = limits.Load(0), factor = limits.Load(1), norm = Ptx.SquareRoot(sum) * factor;
        result.Store(0, norm);
        if (norm > maximum)
            factor *= maximum / norm;
        // A comparison with NaN is false.
        result.Store(1, norm <= float.MaxValue ? factor : 0f);
    }
}
