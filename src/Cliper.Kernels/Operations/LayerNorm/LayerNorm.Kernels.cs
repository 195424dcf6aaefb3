using System.Runtime.CompilerServices;
using Cliper.Kernels.Gpu.DeviceCode;
using ILGPU;

namespace Cliper.Kernels.Operations;

public static partial class LayerNorm
{
    // The gradient dx, from g = gamma dy and the normalized x.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vec8 Gradient(Vec8 g, Vec8 normalized, float averageG, float averageGn, float factor) =>
        Vec8.Scale(Vec8.Add(Vec8.Scale(g, 1, -averageG), Vec8.Scale(normalized, -averageGn)), factor);

    /// <summary>y = (x - mean) rstd gamma + beta, rows of any width.</summary>
    /// <remarks>
    /// A warp has one row, a block 4 warps; no shared memory. Later passes read the row from the first-level cache. Any
    /// GPU from compute capability 7.0 on, bf16 from 8.0 on.
    /// </remarks>
    [DeviceCode]
    private static void ForwardKernel<TDtype>(GlobalPtr16<TDtype> x, GlobalPtrFp32 gamma, GlobalPtrFp32 beta,
        GlobalPtr16<TDtype> y, GlobalPtrFp32 mean, GlobalPtrFp32 rstd, int rows, int width, float epsilon,
        int vectorized)
        where TDtype : struct, IDtype16
    {
        int row = Grid.IdxX * WarpsOfBlock + (Group.IdxX >> 5), lane = Group.IdxX & 31;
        if (row >= rows)
            return;
        long first = (long)row * width;

        // (1) Compute the mean, and then the variance about it.
        float sum = 0;
        for (int column = lane * Vec8.Size; column < width; column += 32 * Vec8.Size)
            sum += Vec8.Sum(Vec8.Load(x, first + column, width - column, vectorized));
        float average = Ptx.WarpSum(sum) / width, squares = 0;
        for (int column = lane * Vec8.Size; column < width; column += 32 * Vec8.Size)
        {
            Vec8 d = Vec8.Scale(Vec8.Load(x, first + column, width - column, vectorized), 1, -average);
            d = Vec8.Cut(d, width - column);
            squares += Vec8.Sum(Vec8.Multiply(d, d));
        }

        // (2) Normalize and store the row.
        float factor = Ptx.InverseSqrt(Ptx.WarpSum(squares) / width + epsilon);
        for (int column = lane * Vec8.Size; column < width; column += 32 * Vec8.Size)
        {
            int count = width - column;
            Vec8 n = Vec8.Scale(Vec8.Scale(Vec8.Load(x, first + column, count, vectorized), 1, -average), factor);
            Vec8.Store(y, first + column,
                Vec8.Add(Vec8.Multiply(n, Vec8.Load(gamma, column, count, vectorized)),
                    Vec8.Load(beta, column, count, vectorized)), count, vectorized);
        }

        // (3) Keep the statistics for the backward pass.
        if (lane == 0 && !mean.IsNull)
        {
            mean.Store(row, average);
            rstd.Store(row, factor);
        }
    }

    /// <summary>
    /// dx (+)= (g - mean g - n mean(g n)) rstd with g = gamma dy and the normalized n, rows of any width.
    /// </summary>
    /// <remarks>
    /// A warp has one row, a block 4 warps; no shared memory. Later passes read the row from the first-level cache. Any
    /// GPU from compute capability 7.0 on, bf16 from 8.0 on.
    /// </remarks>
    [DeviceCode]
    private static void BackwardKernel<TDtype>(GlobalPtr16<TDtype> x, GlobalPtrFp32 gamma, GlobalPtrFp32 mean,
        GlobalPtrFp32 rstd, GlobalPtr16<TDtype> dy, GlobalPtr16<TDtype> dx, int rows, int width, int accumulate,
        int vectorized)
        where TDtype : struct, IDtype16
    {
        int row = Grid.IdxX * WarpsOfBlock + (Group.IdxX >> 5), lane = Group.IdxX & 31;
        if (row >= rows)
            return;
        long first = (long)row * width;

        // (1) Sum g and g n.
        float average = mean.Load(row), factor = rstd.Load(row), sumG = 0, sumGn = 0;
        for (int column = lane * Vec8.Size; column < width; column += 32 * Vec8.Size)
        {
            int count = width - column;
            Vec8 g = Vec8.Multiply(Vec8.Load(dy, first + column, count, vectorized), Vec8.Load(gamma, column, count,
                vectorized));
            sumG += Vec8.Sum(g);
            sumGn += Vec8.Sum(Vec8.Multiply(g, Normalized(x, first + column, count, vectorized, average, factor)));
        }

        // (2) Store the gradient, or add to it.
        float averageG = Ptx.WarpSum(sumG) / width, averageGn = Ptx.WarpSum(sumGn) / width;
        for (int column = lane * Vec8.Size; column < width; column += 32 * Vec8.Size)
        {
            int count = width - column;
            Vec8 g = Vec8.Multiply(Vec8.Load(dy, first + column, count, vectorized), Vec8.Load(gamma, column, count,
                vectorized));
            Vec8 n = Normalized(x, first + column, count, vectorized, average, factor);
            Vec8.Write(dx, first + column, Gradient(g, n, averageG, averageGn, factor), count, vectorized, accumulate);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vec8 Normalized<TDtype>(GlobalPtr16<TDtype> x, long at, int count, int vectorized, float average,
        float factor)
        where TDtype : struct, IDtype16 =>
        Vec8.Scale(Vec8.Scale(Vec8.Load(x, at, count, vectorized), 1, -average), factor);

    /// <summary>gammaParts[slice] = sum of dy n, betaParts[slice] = sum of dy, over the slice's rows.</summary>
    /// <remarks>
    /// Block (x, y) has 256 columns of slice y: 8 warps, each every eighth row, eight columns a lane. Shared memory: 32
    /// bytes a thread, used twice. The parts are added by another kernel in their order. Any GPU from compute
    /// capability 7.0 on, bf16 from 8.0 on.
    /// </remarks>
    [DeviceCode]
    private static void ParameterGradientKernel<TDtype>(GlobalPtr16<TDtype> x, GlobalPtrFp32 mean, GlobalPtrFp32 rstd,
        GlobalPtr16<TDtype> dy, GlobalPtrFp32 gammaParts, GlobalPtrFp32 betaParts, int rows, int width, int each,
        int vectorized)
        where TDtype : struct, IDtype16
    {
        // (1) Sum this thread's rows of its columns.
        int column = ColumnBlock.Column, count = width - column, end = IntrinsicMath.Min(rows, (Grid.IdxY + 1) * each);
        Vec8 dgamma = default, dbeta = default;
        for (int row = Grid.IdxY * each + ColumnBlock.Row; row < end && count > 0; row += ColumnBlock.Rows)
        {
            long at = (long)row * width + column;
            Vec8 d = Vec8.Load(dy, at, count, vectorized);
            dbeta = Vec8.Add(dbeta, d);
            dgamma = Vec8.Add(dgamma, Vec8.Multiply(d, Normalized(x, at, count, vectorized, mean.Load(row),
                rstd.Load(row))));
        }

        // (2) Sum over the block's warps.
        ColumnBlock.StoreSum(dgamma, gammaParts, width);
        Group.Barrier();
        ColumnBlock.StoreSum(dbeta, betaParts, width);
    }
}
