using System.Runtime.CompilerServices;
using Cliper.Kernels.Devices;
using Cliper.Kernels.Ptx;
using ILGPU;

namespace Cliper.Kernels.Operations;

public static partial class LayerNorm
{
    // A warp has a row. Up to so many columns stay in registers: all loads are under way at once, and memory is read once. Longer rows and
    // those without 16-byte accesses are looked at again, in the first-level cache.
    private const int GpuThreads = 128, WarpsOfBlock = GpuThreads / 32, HeldChunks = 4, HeldWidth = HeldChunks * 32 * Chunk.Size;

    private static readonly KernelFamily
        HeldForwardKernels = new(typeof(LayerNorm), nameof(NormalizeHeldRow), "LayerNorm forward", GpuThreads, 1, 72),
        HeldBackwardKernels = new(typeof(LayerNorm), nameof(GradientHeldRow), "LayerNorm backward", GpuThreads, 1, 128),
        ForwardKernels = new(typeof(LayerNorm), nameof(NormalizeRow), "LayerNorm forward, any row", GpuThreads, 1, 72),
        BackwardKernels = new(typeof(LayerNorm), nameof(GradientRow), "LayerNorm backward, any row", GpuThreads, 1, 96),
        ParameterKernels = new(typeof(LayerNorm), nameof(SumColumns), "LayerNorm parameters", ColumnBlock.Threads, 1, 96);

    internal static IEnumerable<GpuKernel> GpuKernels => [.. HeldForwardKernels.OfFormats, .. HeldBackwardKernels.OfFormats,
        .. ParameterKernels.OfFormats, .. ForwardKernels.OfFormats, .. BackwardKernels.OfFormats];

    private static void ForwardGpu(GpuDevice gpu, DeviceArray x, DeviceArray gamma, DeviceArray beta, DeviceArray y, DeviceArray mean,
        DeviceArray rstd, int rows, int width, float epsilon)
    {
        var blocks = new Blocks(Blocks.Cover(rows, WarpsOfBlock));
        bool wide = Chunk.IsWide(width, width, x, gamma, beta, y);
        if (wide && width <= HeldWidth)
            gpu.Run(HeldForwardKernels[x.Type.Format()], blocks, x, gamma, beta, y, mean, rstd, rows, width, epsilon);
        else
            gpu.Run(ForwardKernels[x.Type.Format()], blocks, x, gamma, beta, y, mean, rstd, rows, width, epsilon, wide);
    }

    private static void BackwardGpu(GpuDevice gpu, DeviceArray x, DeviceArray gamma, DeviceArray mean, DeviceArray rstd, DeviceArray dy,
        DeviceArray dx, bool accumulateDx, DeviceArray dgamma, bool accumulateDgamma, DeviceArray dbeta, bool accumulateDbeta, int rows,
        int width)
    {
        if (!dgamma.IsNull || !dbeta.IsNull)
        {
            int slices = ColumnSum.Slices(rows);
            DeviceArray gammaParts = gpu.Allocate((long)slices * width), betaParts = gpu.Allocate((long)slices * width);
            gpu.Run(ParameterKernels[x.Type.Format()], new Blocks(Blocks.Cover(width, ColumnBlock.Columns), slices), x, mean, rstd, dy,
                gammaParts, betaParts, rows, width, Blocks.Cover(rows, slices), Chunk.IsWide(width, width, x, dy));
            if (!dgamma.IsNull)
                SliceSum.Run(gpu, gammaParts, dgamma, slices, width, accumulateDgamma);
            if (!dbeta.IsNull)
                SliceSum.Run(gpu, betaParts, dbeta, slices, width, accumulateDbeta);
            gpu.Free(gammaParts);
            gpu.Free(betaParts);
        }
        if (dx.IsNull)
            return;
        // Last: dx may be dy.
        var blocks = new Blocks(Blocks.Cover(rows, WarpsOfBlock));
        bool wide = Chunk.IsWide(width, width, x, gamma, dy, dx);
        if (wide && width <= HeldWidth)
            gpu.Run(HeldBackwardKernels[x.Type.Format()], blocks, x, gamma, mean, rstd, dy, dx, rows, width, accumulateDx);
        else
            gpu.Run(BackwardKernels[x.Type.Format()], blocks, x, gamma, mean, rstd, dy, dx, rows, width, accumulateDx, wide);
    }

    // A lane's chunks of a row, in registers; zeros beyond its end.
    private struct LoadStep<TFormat> : IStep where TFormat : struct, IFormat
    {
        public ArrayView<F8> Held;
        public Halves<TFormat> Row;
        public long First;
        public int Lane, Width;

        public void Step(int index)
        {
            int column = (index * 32 + Lane) * Chunk.Size;
            F8 value = default;
            if (column < Width)
                value = Row.Load8(First + column);
            Held[index] = value;
        }
    }

    private struct SumStep : IStep
    {
        public ArrayView<F8> Held;
        public float Sum;

        public void Step(int index) => Sum += Chunk.Sum(Held[index]);
    }

    // Leaves the distances from the mean.
    private struct SquaresStep : IStep
    {
        public ArrayView<F8> Held;
        public int Lane, Width;
        public float Average, Sum;

        public void Step(int index)
        {
            F8 d = Chunk.Scale(Held[index], 1, -Average);
            Held[index] = d;
            if ((index * 32 + Lane) * Chunk.Size < Width)
                Sum += Chunk.Sum(Chunk.Multiply(d, d));
        }
    }

    private struct NormalizeStep<TFormat> : IStep where TFormat : struct, IFormat
    {
        public ArrayView<F8> Held;
        public Floats Gamma, Beta;
        public Halves<TFormat> Y;
        public long First;
        public int Lane, Width;
        public float Factor;

        public void Step(int index)
        {
            int column = (index * 32 + Lane) * Chunk.Size;
            if (column < Width)
                Y.Store8(First + column,
                    Chunk.Add(Chunk.Multiply(Chunk.Scale(Held[index], Factor), Gamma.Load8(column)), Beta.Load8(column)));
        }
    }

    private static void NormalizeHeldRow<TFormat>(Halves<TFormat> x, Floats gamma, Floats beta, Halves<TFormat> y, Floats mean, Floats rstd,
        int rows, int width, float epsilon) where TFormat : struct, IFormat
    {
        int row = Grid.IdxX * WarpsOfBlock + (Group.IdxX >> 5), lane = Group.IdxX & 31;
        if (row >= rows)
            return;
        ArrayView<F8> held = LocalMemory.Allocate<F8>(HeldChunks);
        LoadStep<TFormat> load;
        (load.Held, load.Row, load.First, load.Lane, load.Width) = (held, x, (long)row * width, lane, width);
        Twice<Twice<N1>>.For(ref load);
        SumStep sum;
        (sum.Held, sum.Sum) = (held, 0);
        Twice<Twice<N1>>.For(ref sum);
        SquaresStep squares;
        (squares.Held, squares.Lane, squares.Width) = (held, lane, width);
        (squares.Average, squares.Sum) = (Gpu.WarpSum(sum.Sum) / width, 0);
        Twice<Twice<N1>>.For(ref squares);
        NormalizeStep<TFormat> normalize;
        (normalize.Held, normalize.Gamma, normalize.Beta, normalize.Y) = (held, gamma, beta, y);
        (normalize.First, normalize.Lane, normalize.Width) = (load.First, lane, width);
        normalize.Factor = Gpu.InverseSqrt(Gpu.WarpSum(squares.Sum) / width + epsilon);
        Twice<Twice<N1>>.For(ref normalize);
        if (lane == 0 && !mean.IsNull)
        {
            mean.Store(row, squares.Average);
            rstd.Store(row, normalize.Factor);
        }
    }

    // From x and dy the normalised x and g = gamma dy, and their sums.
    private struct GradientSumStep : IStep
    {
        public ArrayView<F8> HeldX, HeldDy;
        public Floats Gamma;
        public int Lane, Width;
        public float Average, Factor, SumG, SumGn;

        public void Step(int index)
        {
            int column = (index * 32 + Lane) * Chunk.Size;
            if (column >= Width)
                return;
            F8 g = Chunk.Multiply(HeldDy[index], Gamma.Load8(column));
            F8 n = Chunk.Scale(Chunk.Scale(HeldX[index], 1, -Average), Factor);
            SumG += Chunk.Sum(g);
            SumGn += Chunk.Sum(Chunk.Multiply(g, n));
            (HeldDy[index], HeldX[index]) = (g, n);
        }
    }

    private struct GradientStep<TFormat> : IStep where TFormat : struct, IFormat
    {
        public ArrayView<F8> HeldX, HeldDy;
        public Halves<TFormat> Dx;
        public long First;
        public int Lane, Width, Accumulate;
        public float AverageG, AverageGn, Factor;

        public void Step(int index)
        {
            int column = (index * 32 + Lane) * Chunk.Size;
            if (column < Width)
                Chunk.Write(Dx, First + column, Gradient(HeldDy[index], HeldX[index], AverageG, AverageGn, Factor), Chunk.Size, 1,
                    Accumulate);
        }
    }

    private static void GradientHeldRow<TFormat>(Halves<TFormat> x, Floats gamma, Floats mean, Floats rstd, Halves<TFormat> dy,
        Halves<TFormat> dx, int rows, int width, int accumulate) where TFormat : struct, IFormat
    {
        int row = Grid.IdxX * WarpsOfBlock + (Group.IdxX >> 5), lane = Group.IdxX & 31;
        if (row >= rows)
            return;
        ArrayView<F8> heldX = LocalMemory.Allocate<F8>(HeldChunks), heldDy = LocalMemory.Allocate<F8>(HeldChunks);
        LoadStep<TFormat> load;
        (load.Held, load.Row, load.First, load.Lane, load.Width) = (heldX, x, (long)row * width, lane, width);
        Twice<Twice<N1>>.For(ref load);
        (load.Held, load.Row) = (heldDy, dy);
        Twice<Twice<N1>>.For(ref load);
        GradientSumStep sums;
        (sums.HeldX, sums.HeldDy, sums.Gamma, sums.Lane, sums.Width) = (heldX, heldDy, gamma, lane, width);
        (sums.Average, sums.Factor, sums.SumG, sums.SumGn) = (mean.Load(row), rstd.Load(row), 0, 0);
        Twice<Twice<N1>>.For(ref sums);
        GradientStep<TFormat> step;
        (step.HeldX, step.HeldDy, step.Dx, step.First) = (heldX, heldDy, dx, load.First);
        (step.Lane, step.Width, step.Accumulate, step.Factor) = (lane, width, accumulate, sums.Factor);
        (step.AverageG, step.AverageGn) = (Gpu.WarpSum(sums.SumG) / width, Gpu.WarpSum(sums.SumGn) / width);
        Twice<Twice<N1>>.For(ref step);
    }

    // dx of g = gamma dy and the normalised x.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static F8 Gradient(F8 g, F8 normalised, float averageG, float averageGn, float factor) =>
        Chunk.Scale(Chunk.Add(Chunk.Scale(g, 1, -averageG), Chunk.Scale(normalised, -averageGn)), factor);

    private static void NormalizeRow<TFormat>(Halves<TFormat> x, Floats gamma, Floats beta, Halves<TFormat> y, Floats mean, Floats rstd,
        int rows, int width, float epsilon, int wide) where TFormat : struct, IFormat
    {
        int row = Grid.IdxX * WarpsOfBlock + (Group.IdxX >> 5), lane = Group.IdxX & 31;
        if (row >= rows)
            return;
        long first = (long)row * width;
        float sum = 0;
        for (int column = lane * Chunk.Size; column < width; column += 32 * Chunk.Size)
            sum += Chunk.Sum(Chunk.Load(x, first + column, width - column, wide));
        float average = Gpu.WarpSum(sum) / width, squares = 0;
        for (int column = lane * Chunk.Size; column < width; column += 32 * Chunk.Size)
        {
            F8 d = Chunk.Scale(Chunk.Load(x, first + column, width - column, wide), 1, -average);
            d = Chunk.Cut(d, width - column);
            squares += Chunk.Sum(Chunk.Multiply(d, d));
        }
        float factor = Gpu.InverseSqrt(Gpu.WarpSum(squares) / width + epsilon);
        for (int column = lane * Chunk.Size; column < width; column += 32 * Chunk.Size)
        {
            int count = width - column;
            F8 n = Chunk.Scale(Chunk.Scale(Chunk.Load(x, first + column, count, wide), 1, -average), factor);
            Chunk.Store(y, first + column,
                Chunk.Add(Chunk.Multiply(n, Chunk.Load(gamma, column, count, wide)), Chunk.Load(beta, column, count, wide)), count, wide);
        }
        if (lane == 0 && !mean.IsNull)
        {
            mean.Store(row, average);
            rstd.Store(row, factor);
        }
    }

    private static void GradientRow<TFormat>(Halves<TFormat> x, Floats gamma, Floats mean, Floats rstd, Halves<TFormat> dy,
        Halves<TFormat> dx, int rows, int width, int accumulate, int wide) where TFormat : struct, IFormat
    {
        int row = Grid.IdxX * WarpsOfBlock + (Group.IdxX >> 5), lane = Group.IdxX & 31;
        if (row >= rows)
            return;
        long first = (long)row * width;
        float average = mean.Load(row), factor = rstd.Load(row), sumG = 0, sumGn = 0;
        for (int column = lane * Chunk.Size; column < width; column += 32 * Chunk.Size)
        {
            int count = width - column;
            F8 g = Chunk.Multiply(Chunk.Load(dy, first + column, count, wide), Chunk.Load(gamma, column, count, wide));
            sumG += Chunk.Sum(g);
            sumGn += Chunk.Sum(Chunk.Multiply(g, Normalised(x, first + column, count, wide, average, factor)));
        }
        float averageG = Gpu.WarpSum(sumG) / width, averageGn = Gpu.WarpSum(sumGn) / width;
        for (int column = lane * Chunk.Size; column < width; column += 32 * Chunk.Size)
        {
            int count = width - column;
            F8 g = Chunk.Multiply(Chunk.Load(dy, first + column, count, wide), Chunk.Load(gamma, column, count, wide));
            F8 n = Normalised(x, first + column, count, wide, average, factor);
            Chunk.Write(dx, first + column, Gradient(g, n, averageG, averageGn, factor), count, wide, accumulate);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static F8 Normalised<TFormat>(Halves<TFormat> x, long at, int count, int wide, float average, float factor)
        where TFormat : struct, IFormat =>
        Chunk.Scale(Chunk.Scale(Chunk.Load(x, at, count, wide), 1, -average), factor);

    private static void SumColumns<TFormat>(Halves<TFormat> x, Floats mean, Floats rstd, Halves<TFormat> dy, Floats gammaParts,
        Floats betaParts, int rows, int width, int each, int wide) where TFormat : struct, IFormat
    {
        int column = ColumnBlock.Column, count = width - column, end = IntrinsicMath.Min(rows, (Grid.IdxY + 1) * each);
        F8 dgamma = default, dbeta = default;
        for (int row = Grid.IdxY * each + ColumnBlock.Row; row < end && count > 0; row += ColumnBlock.Rows)
        {
            long at = (long)row * width + column;
            F8 d = Chunk.Load(dy, at, count, wide);
            dbeta = Chunk.Add(dbeta, d);
            dgamma = Chunk.Add(dgamma, Chunk.Multiply(d, Normalised(x, at, count, wide, mean.Load(row), rstd.Load(row))));
        }
        ColumnBlock.StoreSum(dgamma, gammaParts, width);
        Group.Barrier();
        ColumnBlock.StoreSum(dbeta, betaParts, width);
    }
}
