using Cliper.Kernels.Gpu.DeviceCode;
using ILGPU;

namespace Cliper.Kernels.Operations;

public static partial class L2Normalize
{
    /// <summary>y = x / |x|, one row a warp.</summary>
    /// <remarks>
    /// A block has 128 threads, which are 4 warps of one row each; it uses no shared memory. The second pass reads
    /// the row from the first-level cache. Any GPU from compute capability 7.0 on.
    /// </remarks>
    [DeviceCode]
    private static void ForwardKernel(GlobalPtrFp32 x, GlobalPtrFp32 y, GlobalPtrFp32 inverse, int rows, int width,
        int vectorized)
    {
        int row = Grid.IdxX * WarpsOfBlock + (Group.IdxX >> 5), lane = Group.IdxX & 31;
        if (row >= rows)
            return;
        long first = (long)row * width;

        // (1) Sum the squares of the row.
        float squares = 0;
        for (int column = lane * Vec8.Size; column < width; column += 32 * Vec8.Size)
        {
            Vec8 value = Vec8.Load(x, first + column, width - column, vectorized);
            squares += Vec8.Sum(Vec8.Multiply(value, value));
        }
        squares = Ptx.WarpSum(squares);

        // (2) Scale by the inverse of the length. An infinite length makes NaN, not zeros that hide it, as on the CPU.
        float factor = squares == 0 ? 0f : Ptx.InverseSqrt(squares) + (squares - squares);
        for (int column = lane * Vec8.Size; column < width; column += 32 * Vec8.Size)
        {
            int count = width - column;
            Vec8.Store(y, first + column, Vec8.Scale(Vec8.Load(x, first + column, count, vectorized), factor), count,
                vectorized);
        }
        if (lane == 0 && !inverse.IsNull)
            inverse.Store(row, factor);
    }

    /// <summary>dx (+)= (dy - y (y . dy)) / |x|, one row a warp.</summary>
    /// <remarks>
    /// A block has 128 threads, which are 4 warps of one row each; it uses no shared memory. Any GPU from compute
    /// capability 7.0 on.
    /// </remarks>
    [DeviceCode]
    private static void BackwardKernel(GlobalPtrFp32 y, GlobalPtrFp32 inverse, GlobalPtrFp32 dy, GlobalPtrFp32 dx,
        int rows, int width, int accumulate, int vectorized)
    {
        int row = Grid.IdxX * WarpsOfBlock + (Group.IdxX >> 5), lane = Group.IdxX & 31;
        if (row >= rows)
            return;
        long first = (long)row * width;

        // (1) Compute y . dy.
        float along = 0, factor = inverse.Load(row);
        for (int column = lane * Vec8.Size; column < width; column += 32 * Vec8.Size)
        {
            int count = width - column;
            along += Vec8.Sum(Vec8.Multiply(Vec8.Load(y, first + column, count, vectorized),
                Vec8.Load(dy, first + column, count, vectorized)));
        }
        along = Ptx.WarpSum(along);

        // (2) Store the gradient, or add to it.
        for (int column = lane * Vec8.Size; column < width; column += 32 * Vec8.Size)
        {
            int count = width - column;
            Vec8 part = Vec8.Scale(Vec8.Load(y, first + column, count, vectorized), -along);
            Vec8 d = Vec8.Scale(Vec8.Add(Vec8.Load(dy, first + column, count, vectorized), part), factor);
            Vec8.Write(dx, first + column, d, count, vectorized, accumulate);
        }
    }
}
