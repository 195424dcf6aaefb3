using System.Runtime.CompilerServices;
using Cliper.Kernels.Gpu.DeviceCode;
using ILGPU;

namespace Cliper.Kernels.Operations;

public static partial class ColumnSum
{
    /// <summary>parts[slice] = sum of x over the slice's rows.</summary>
    /// <remarks>
    /// Block (x, y) has 256 columns of slice y: 8 warps, each every eighth row, eight columns a lane. Shared memory: 32
    /// bytes a thread. The parts are added by another kernel in their order. Any GPU from compute capability 7.0 on,
    /// bf16 from 8.0 on.
    /// </remarks>
    [DeviceCode]
    private static void SumSliceKernel<TX>(TX x, GlobalPtrFp32 parts, int rows, int width, long stride, int each,
        int vectorized) where TX : struct, IGlobalPtr
    {
        // (1) Sum this thread's rows of its columns.
        int column = ColumnBlock.Column, count = width - column, end = IntrinsicMath.Min(rows, (Grid.IdxY + 1) * each);
        Vec8 sum = default;
        for (int row = Grid.IdxY * each + ColumnBlock.Row; row < end && count > 0; row += ColumnBlock.Rows)
            sum = Vec8.Add(sum, Vec8.Load(x, row * stride + column, count, vectorized));

        // (2) Sum over the block's warps.
        ColumnBlock.StoreSum(sum, parts, width);
    }
}

/// <summary>
/// Sums a slice of rows by a block a slice of rows: a warp has every eighth of them and 256 columns, eight a lane. With
/// eight warps a slice, enough loads are under way to fill the memory's bandwidth.
/// </summary>
internal static class ColumnBlock
{
    /// <summary>Rows that are under way at once, one a warp.</summary>
    public const int Rows = 8;

    /// <summary>Threads of a block.</summary>
    public const int Threads = Rows * 32;

    /// <summary>Columns of a block.</summary>
    public const int Columns = 32 * Vec8.Size;

    /// <summary>This thread's first column; block x has those from x <see cref="Columns"/> on.</summary>
    public static int Column => Grid.IdxX * Columns + (Group.IdxX & 31) * Vec8.Size;

    /// <summary>This thread's first row in the slice.</summary>
    public static int Row => Group.IdxX >> 5;

    /// <summary>
    /// parts[slice y, column ...] = the sums of the block's threads of the same columns, added in the order of their
    /// rows. All threads call it; between two calls there is a barrier.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void StoreSum(Vec8 sum, GlobalPtrFp32 parts, int width)
    {
        ArrayView<F4> sums = SharedMemory.Allocate<F4>(Threads * 2);
        F4 low = new() { X = sum.A, Y = sum.B, Z = sum.C, W = sum.D }, high = new()
        {
            X = sum.E,
            Y = sum.F,
            Z = sum.G,
            W = sum.H
        };
        (sums[Group.IdxX], sums[Threads + Group.IdxX]) = (low, high);
        Group.Barrier();
        // Each thread has one column; the first four of eight neighbors stand in the first half.
        int column = Grid.IdxX * Columns + Group.IdxX, place = (Group.IdxX >> 2 & 1) * Threads + (Group.IdxX >> 3);
        if (column >= width)
            return;
        float total = 0;
        for (int row = 0; row < Rows; row++)
        {
            F4 four = sums[place + row * 32];
            int at = Group.IdxX & 3;
            total += at == 0 ? four.X : at == 1 ? four.Y : at == 2 ? four.Z : four.W;
        }
        parts.Store((long)Grid.IdxY * width + column, total);
    }
}
