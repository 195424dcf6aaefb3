using System.Runtime.CompilerServices;
using Cliper.Kernels.Gpu.DeviceCode;
using ILGPU;

namespace Cliper.Kernels.Operations;

public static partial class LayerNorm
{
    // A lane's chunks of a row, in registers; zeros beyond its end.
    private struct LoadStep<TDtype> : IUnrolledBody where TDtype : struct, IDtype16
    {
        public ArrayView<Vec8> Held;
        public GlobalPtr16<TDtype> Row;
        public long First;
        public int Lane, Width;

        public void Run(int index)
        {
            int column = (index * 32 + Lane) * Vec8.Size;
            Vec8 value = default;
            if (column < Width)
                value = Row.Load8(First + column);
            Held[index] = value;
        }
    }

    private struct SumStep : IUnrolledBody
    {
        public ArrayView<Vec8> Held;
        public float Sum;

        public void Run(int index) => Sum += Vec8.Sum(Held[index]);
    }

    // Leaves the distances from the mean.
    private struct SquaresStep : IUnrolledBody
    {
        public ArrayView<Vec8> Held;
        public int Lane, Width;
        public float Average, Sum;

        public void Run(int index)
        {
            Vec8 d = Vec8.Scale(Held[index], 1, -Average);
            Held[index] = d;
            if ((index * 32 + Lane) * Vec8.Size < Width)
                Sum += Vec8.Sum(Vec8.Multiply(d, d));
        }
    }

    private struct NormalizeStep<TDtype> : IUnrolledBody where TDtype : struct, IDtype16
    {
        public ArrayView<Vec8> Held;
        public GlobalPtrFp32 Gamma, Beta;
        public GlobalPtr16<TDtype> Y;
        public long First;
        public int Lane, Width;
        public float Factor;

        public void Run(int index)
        {
            int column = (index * 32 + Lane) * Vec8.Size;
            if (column < Width)
                Y.Store8(First + column,
                    Vec8.Add(Vec8.Multiply(Vec8.Scale(Held[index], Factor), Gamma.Load8(column)), Beta.Load8(column)));
        }
    }

    [DeviceCode]
    private static void ForwardHeldKernel<TDtype>(GlobalPtr16<TDtype> x, GlobalPtrFp32 gamma, GlobalPtrFp32 beta, GlobalPtr16<TDtype> y, GlobalPtrFp32 mean, GlobalPtrFp32 rstd,
        int rows, int width, float epsilon) where TDtype : struct, IDtype16
    {
        int row = Grid.IdxX * WarpsOfBlock + (Group.IdxX >> 5), lane = Group.IdxX & 31;
        if (row >= rows)
            return;
        ArrayView<Vec8> held = LocalMemory.Allocate<Vec8>(HeldChunks);
        LoadStep<TDtype> load;
        (load.Held, load.Row, load.First, load.Lane, load.Width) = (held, x, (long)row * width, lane, width);
        Unroll4.For(ref load);
        SumStep sum;
        (sum.Held, sum.Sum) = (held, 0);
        Unroll4.For(ref sum);
        SquaresStep squares;
        (squares.Held, squares.Lane, squares.Width) = (held, lane, width);
        (squares.Average, squares.Sum) = (Ptx.WarpSum(sum.Sum) / width, 0);
        Unroll4.For(ref squares);
        NormalizeStep<TDtype> normalize;
        (normalize.Held, normalize.Gamma, normalize.Beta, normalize.Y) = (held, gamma, beta, y);
        (normalize.First, normalize.Lane, normalize.Width) = (load.First, lane, width);
        normalize.Factor = Ptx.InverseSqrt(Ptx.WarpSum(squares.Sum) / width + epsilon);
        Unroll4.For(ref normalize);
        if (lane == 0 && !mean.IsNull)
        {
            mean.Store(row, squares.Average);
            rstd.Store(row, normalize.Factor);
        }
    }

    // From x and dy the normalised x and g = gamma dy, and their sums.
    private struct GradientSumStep : IUnrolledBody
    {
        public ArrayView<Vec8> HeldX, HeldDy;
        public GlobalPtrFp32 Gamma;
        public int Lane, Width;
        public float Average, Factor, SumG, SumGn;

        public void Run(int index)
        {
            int column = (index * 32 + Lane) * Vec8.Size;
            if (column >= Width)
                return;
            Vec8 g = Vec8.Multiply(HeldDy[index], Gamma.Load8(column));
            Vec8 n = Vec8.Scale(Vec8.Scale(HeldX[index], 1, -Average), Factor);
            SumG += Vec8.Sum(g);
            SumGn += Vec8.Sum(Vec8.Multiply(g, n));
            (HeldDy[index], HeldX[index]) = (g, n);
        }
    }

    private struct GradientStep<TDtype> : IUnrolledBody where TDtype : struct, IDtype16
    {
        public ArrayView<Vec8> HeldX, HeldDy;
        public GlobalPtr16<TDtype> Dx;
        public long First;
        public int Lane, Width, Accumulate;
        public float AverageG, AverageGn, Factor;

        public void Run(int index)
        {
            int column = (index * 32 + Lane) * Vec8.Size;
            if (column < Width)
                Vec8.Write(Dx, First + column, Gradient(HeldDy[index], HeldX[index], AverageG, AverageGn, Factor), Vec8.Size, 1,
                    Accumulate);
        }
    }

    [DeviceCode]
    private static void BackwardHeldKernel<TDtype>(GlobalPtr16<TDtype> x, GlobalPtrFp32 gamma, GlobalPtrFp32 mean, GlobalPtrFp32 rstd, GlobalPtr16<TDtype> dy,
        GlobalPtr16<TDtype> dx, int rows, int width, int accumulate) where TDtype : struct, IDtype16
    {
        int row = Grid.IdxX * WarpsOfBlock + (Group.IdxX >> 5), lane = Group.IdxX & 31;
        if (row >= rows)
            return;
        ArrayView<Vec8> heldX = LocalMemory.Allocate<Vec8>(HeldChunks), heldDy = LocalMemory.Allocate<Vec8>(HeldChunks);
        LoadStep<TDtype> load;
        (load.Held, load.Row, load.First, load.Lane, load.Width) = (heldX, x, (long)row * width, lane, width);
        Unroll4.For(ref load);
        (load.Held, load.Row) = (heldDy, dy);
        Unroll4.For(ref load);
        GradientSumStep sums;
        (sums.HeldX, sums.HeldDy, sums.Gamma, sums.Lane, sums.Width) = (heldX, heldDy, gamma, lane, width);
        (sums.Average, sums.Factor, sums.SumG, sums.SumGn) = (mean.Load(row), rstd.Load(row), 0, 0);
        Unroll4.For(ref sums);
        GradientStep<TDtype> step;
        (step.HeldX, step.HeldDy, step.Dx, step.First) = (heldX, heldDy, dx, load.First);
        (step.Lane, step.Width, step.Accumulate, step.Factor) = (lane, width, accumulate, sums.Factor);
        (step.AverageG, step.AverageGn) = (Ptx.WarpSum(sums.SumG) / width, Ptx.WarpSum(sums.SumGn) / width);
        Unroll4.For(ref step);
    }

    // dx of g = gamma dy and the normalised x.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vec8 Gradient(Vec8 g, Vec8 normalised, float averageG, float averageGn, float factor) =>
        Vec8.Scale(Vec8.Add(Vec8.Scale(g, 1, -averageG), Vec8.Scale(normalised, -averageGn)), factor);

    [DeviceCode]
    private static void ForwardKernel<TDtype>(GlobalPtr16<TDtype> x, GlobalPtrFp32 gamma, GlobalPtrFp32 beta, GlobalPtr16<TDtype> y, GlobalPtrFp32 mean, GlobalPtrFp32 rstd,
        int rows, int width, float epsilon, int vectorized) where TDtype : struct, IDtype16
    {
        int row = Grid.IdxX * WarpsOfBlock + (Group.IdxX >> 5), lane = Group.IdxX & 31;
        if (row >= rows)
            return;
        long first = (long)row * width;
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
        float factor = Ptx.InverseSqrt(Ptx.WarpSum(squares) / width + epsilon);
        for (int column = lane * Vec8.Size; column < width; column += 32 * Vec8.Size)
        {
            int count = width - column;
            Vec8 n = Vec8.Scale(Vec8.Scale(Vec8.Load(x, first + column, count, vectorized), 1, -average), factor);
            Vec8.Store(y, first + column,
                Vec8.Add(Vec8.Multiply(n, Vec8.Load(gamma, column, count, vectorized)), Vec8.Load(beta, column, count, vectorized)), count, vectorized);
        }
        if (lane == 0 && !mean.IsNull)
        {
            mean.Store(row, average);
            rstd.Store(row, factor);
        }
    }

    [DeviceCode]
    private static void BackwardKernel<TDtype>(GlobalPtr16<TDtype> x, GlobalPtrFp32 gamma, GlobalPtrFp32 mean, GlobalPtrFp32 rstd, GlobalPtr16<TDtype> dy,
        GlobalPtr16<TDtype> dx, int rows, int width, int accumulate, int vectorized) where TDtype : struct, IDtype16
    {
        int row = Grid.IdxX * WarpsOfBlock + (Group.IdxX >> 5), lane = Group.IdxX & 31;
        if (row >= rows)
            return;
        long first = (long)row * width;
        float average = mean.Load(row), factor = rstd.Load(row), sumG = 0, sumGn = 0;
        for (int column = lane * Vec8.Size; column < width; column += 32 * Vec8.Size)
        {
            int count = width - column;
            Vec8 g = Vec8.Multiply(Vec8.Load(dy, first + column, count, vectorized), Vec8.Load(gamma, column, count, vectorized));
            sumG += Vec8.Sum(g);
            sumGn += Vec8.Sum(Vec8.Multiply(g, Normalised(x, first + column, count, vectorized, average, factor)));
        }
        float averageG = Ptx.WarpSum(sumG) / width, averageGn = Ptx.WarpSum(sumGn) / width;
        for (int column = lane * Vec8.Size; column < width; column += 32 * Vec8.Size)
        {
            int count = width - column;
            Vec8 g = Vec8.Multiply(Vec8.Load(dy, first + column, count, vectorized), Vec8.Load(gamma, column, count, vectorized));
            Vec8 n = Normalised(x, first + column, count, vectorized, average, factor);
            Vec8.Write(dx, first + column, Gradient(g, n, averageG, averageGn, factor), count, vectorized, accumulate);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vec8 Normalised<TDtype>(GlobalPtr16<TDtype> x, long at, int count, int vectorized, float average, float factor)
        where TDtype : struct, IDtype16 =>
        Vec8.Scale(Vec8.Scale(Vec8.Load(x, at, count, vectorized), 1, -average), factor);

    [DeviceCode]
    private static void ParameterGradientKernel<TDtype>(GlobalPtr16<TDtype> x, GlobalPtrFp32 mean, GlobalPtrFp32 rstd, GlobalPtr16<TDtype> dy, GlobalPtrFp32 gammaParts,
        GlobalPtrFp32 betaParts, int rows, int width, int each, int vectorized) where TDtype : struct, IDtype16
    {
        int column = ColumnBlock.Column, count = width - column, end = IntrinsicMath.Min(rows, (Grid.IdxY + 1) * each);
        Vec8 dgamma = default, dbeta = default;
        for (int row = Grid.IdxY * each + ColumnBlock.Row; row < end && count > 0; row += ColumnBlock.Rows)
        {
            long at = (long)row * width + column;
            Vec8 d = Vec8.Load(dy, at, count, vectorized);
            dbeta = Vec8.Add(dbeta, d);
            dgamma = Vec8.Add(dgamma, Vec8.Multiply(d, Normalised(x, at, count, vectorized, mean.Load(row), rstd.Load(row))));
        }
        ColumnBlock.StoreSum(dgamma, gammaParts, width);
        Group.Barrier();
        ColumnBlock.StoreSum(dbeta, betaParts, width);
    }
}
