using Cliper.Kernels.Gpu.DeviceCode;
using ILGPU;

namespace Cliper.Kernels.Operations;

public static partial class L2Normalize
{
    [DeviceCode]
    private static void ForwardKernel(GlobalPtrFp32 x, GlobalPtrFp32 y, GlobalPtrFp32 inverse, int rows, int width, int vectorized)
    {
        int row = Grid.IdxX * WarpsOfBlock + (Group.IdxX >> 5), lane = Group.IdxX & 31;
        if (row >= rows)
            return;
        long first = (long)row * width;
        float squares = 0;
        for (int column = lane * Vec8.Size; column < width; column += 32 * Vec8.Size)
        {
            Vec8 value = Vec8.Load(x, first + column, width - column, vectorized);
            squares += Vec8.Sum(Vec8.Multiply(value, value));
        }
        squares = Ptx.WarpSum(squares);
        // As on the host: an infinite length makes NaN, not zeros that hide it.
        float factor = squares == 0 ? 0f : Ptx.InverseSqrt(squares) + (squares - squares);
        for (int column = lane * Vec8.Size; column < width; column += 32 * Vec8.Size)
        {
            int count = width - column;
            Vec8.Store(y, first + column, Vec8.Scale(Vec8.Load(x, first + column, count, vectorized), factor), count, vectorized);
        }
        if (lane == 0 && !inverse.IsNull)
            inverse.Store(row, factor);
    }

    [DeviceCode]
    private static void BackwardKernel(GlobalPtrFp32 y, GlobalPtrFp32 inverse, GlobalPtrFp32 dy, GlobalPtrFp32 dx, int rows, int width, int accumulate, int vectorized)
    {
        int row = Grid.IdxX * WarpsOfBlock + (Group.IdxX >> 5), lane = Group.IdxX & 31;
        if (row >= rows)
            return;
        long first = (long)row * width;
        float along = 0, factor = inverse.Load(row);
        for (int column = lane * Vec8.Size; column < width; column += 32 * Vec8.Size)
        {
            int count = width - column;
            along += Vec8.Sum(Vec8.Multiply(Vec8.Load(y, first + column, count, vectorized), Vec8.Load(dy, first + column, count, vectorized)));
        }
        along = Ptx.WarpSum(along);
        for (int column = lane * Vec8.Size; column < width; column += 32 * Vec8.Size)
        {
            int count = width - column;
            Vec8 part = Vec8.Scale(Vec8.Load(y, first + column, count, vectorized), -along);
            Vec8 d = Vec8.Scale(Vec8.Add(Vec8.Load(dy, first + column, count, vectorized), part), factor);
            Vec8.Write(dx, first + column, d, count, vectorized, accumulate);
        }
    }
}
