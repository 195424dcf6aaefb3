using Cliper.Kernels.Gpu.DeviceCode;
using ILGPU;

namespace Cliper.Kernels.Operations;

public static partial class LayerNorm
{
    // Loads a lane's chunks of a row into registers; zeros beyond its end.
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

    // Sums the squares of the distances from the mean, which it leaves in place of the values.
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

    /// <summary>y = (x - mean) rstd gamma + beta, rows held in registers.</summary>
    /// <remarks>
    /// A warp has one row of up to 1024 columns, a block 4 warps; no shared memory. Up to four times eight columns a
    /// lane stay in registers: all loads are under way at once, and memory is read once. Any GPU from compute
    /// capability 7.0 on, bf16 from 8.0 on.
    /// </remarks>
    [DeviceCode]
    private static void ForwardHeldKernel<TDtype>(GlobalPtr16<TDtype> x, GlobalPtrFp32 gamma, GlobalPtrFp32 beta,
        GlobalPtr16<TDtype> y, GlobalPtrFp32 mean, GlobalPtrFp32 rstd, int rows, int width, float epsilon)
        where TDtype : struct, IDtype16
    {
        int row = Grid.IdxX * WarpsOfBlock + (Group.IdxX >> 5), lane = Group.IdxX & 31;
        if (row >= rows)
            return;

        // (1) Load the row.
        ArrayView<Vec8> held = LocalMemory.Allocate<Vec8>(HeldChunks);
        var load = new LoadStep<TDtype> { Held = held, Row = x, First = (long)row * width, Lane = lane, Width = width };
        Unroll4.For(ref load);

        // (2) Compute the mean, and then the variance about it.
        var sum = new SumStep { Held = held };
        Unroll4.For(ref sum);
        var squares = new SquaresStep
        {
            Held = held,
            Lane = lane,
            Width = width,
            Average = Ptx.WarpSum(sum.Sum) / width
        };
        Unroll4.For(ref squares);

        // (3) Normalize and store the row.
        var normalize = new NormalizeStep<TDtype>
        {
            Held = held,
            Gamma = gamma,
            Beta = beta,
            Y = y,
            First = load.First,
            Lane = lane,
            Width = width,
            Factor = Ptx.InverseSqrt(Ptx.WarpSum(squares.Sum) / width + epsilon),
        };
        Unroll4.For(ref normalize);

        // (4) Keep the statistics for the backward pass.
        if (lane == 0 && !mean.IsNull)
        {
            mean.Store(row, squares.Average);
            rstd.Store(row, normalize.Factor);
        }
    }

    // Makes the normalized x and g = gamma dy of x and dy, in their place, and the sums that the gradient needs.
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
                Vec8.Write(Dx, First + column, Gradient(HeldDy[index], HeldX[index], AverageG, AverageGn, Factor),
                    Vec8.Size, 1, Accumulate);
        }
    }

    /// <summary>
    /// dx (+)= (g - mean g - n mean(g n)) rstd with g = gamma dy and the normalized n, rows held in registers.
    /// </summary>
    /// <remarks>
    /// A warp has one row of up to 1024 columns, a block 4 warps; no shared memory. Up to four times eight columns a
    /// lane stay in registers: all loads are under way at once, and memory is read once. Any GPU from compute
    /// capability 7.0 on, bf16 from 8.0 on.
    /// </remarks>
    [DeviceCode]
    private static void BackwardHeldKernel<TDtype>(GlobalPtr16<TDtype> x, GlobalPtrFp32 gamma, GlobalPtrFp32 mean,
        GlobalPtrFp32 rstd, GlobalPtr16<TDtype> dy, GlobalPtr16<TDtype> dx, int rows, int width, int accumulate)
        where TDtype : struct, IDtype16
    {
        int row = Grid.IdxX * WarpsOfBlock + (Group.IdxX >> 5), lane = Group.IdxX & 31;
        if (row >= rows)
            return;

        // (1) Load the rows of x and dy.
        ArrayView<Vec8> heldX = LocalMemory.Allocate<Vec8>(HeldChunks), heldDy = LocalMemory.Allocate<Vec8>(HeldChunks);
        var load = new LoadStep<TDtype>
        {
            Held = heldX,
            Row = x,
            First = (long)row * width,
            Lane = lane,
            Width = width
        };
        Unroll4.For(ref load);
        load.Held = heldDy;
        load.Row = dy;
        Unroll4.For(ref load);

        // (2) Sum g and g n.
        var sums = new GradientSumStep
        {
            HeldX = heldX,
            HeldDy = heldDy,
            Gamma = gamma,
            Lane = lane,
            Width = width,
            Average = mean.Load(row),
            Factor = rstd.Load(row),
        };
        Unroll4.For(ref sums);

        // (3) Store the gradient, or add to it.
        var step = new GradientStep<TDtype>
        {
            HeldX = heldX,
            HeldDy = heldDy,
            Dx = dx,
            First = load.First,
            Lane = lane,
            Width = width,
            Accumulate = accumulate,
            Factor = sums.Factor,
            AverageG = Ptx.WarpSum(sums.SumG) / width,
            AverageGn = Ptx.WarpSum(sums.SumGn) / width,
        };
        Unroll4.For(ref step);
    }
}
