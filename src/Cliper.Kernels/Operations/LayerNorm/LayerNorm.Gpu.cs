using System.Runtime.CompilerServices;
using Cliper.Kernels.Devices;
using Cliper.Kernels.Ptx;
using ILGPU;

namespace Cliper.Kernels.Operations;

public static partial class LayerNorm
{
    // A warp has a row; the second and third look at it come from the first-level cache.
    private const int GpuThreads = 128, WarpsOfBlock = GpuThreads / 32, ColumnThreads = 64;

    private static readonly KernelFamily
        ForwardKernels = new(typeof(LayerNorm), nameof(NormalizeRow), "LayerNorm forward", GpuThreads, 1, 72),
        BackwardKernels = new(typeof(LayerNorm), nameof(GradientRow), "LayerNorm backward", GpuThreads, 1, 96),
        ParameterKernels = new(typeof(LayerNorm), nameof(SumColumns), "LayerNorm parameters", ColumnThreads, 1, 96);

    internal static IEnumerable<GpuKernel> GpuKernels => [.. ForwardKernels.OfFormats, .. BackwardKernels.OfFormats,
        .. ParameterKernels.OfFormats];

    private static void ForwardGpu(GpuDevice gpu, DeviceArray x, DeviceArray gamma, DeviceArray beta, DeviceArray y, DeviceArray mean,
        DeviceArray rstd, int rows, int width, float epsilon) =>
        gpu.Run(ForwardKernels[x.Type.Format()], new Blocks(Blocks.Cover(rows, WarpsOfBlock)), x, gamma, beta, y, mean, rstd, rows, width,
            epsilon, Chunk.IsWide(width, width, x, gamma, beta, y));

    private static void BackwardGpu(GpuDevice gpu, DeviceArray x, DeviceArray gamma, DeviceArray mean, DeviceArray rstd, DeviceArray dy,
        DeviceArray dx, bool accumulateDx, DeviceArray dgamma, bool accumulateDgamma, DeviceArray dbeta, bool accumulateDbeta, int rows,
        int width)
    {
        if (!dgamma.IsNull || !dbeta.IsNull)
        {
            int slices = ColumnSum.Slices(rows);
            DeviceArray gammaParts = gpu.Allocate((long)slices * width), betaParts = gpu.Allocate((long)slices * width);
            gpu.Run(ParameterKernels[x.Type.Format()], new Blocks(Blocks.Cover(width, ColumnThreads * Chunk.Size), slices), x, mean, rstd,
                dy, gammaParts, betaParts, rows, width, Blocks.Cover(rows, slices), Chunk.IsWide(width, width, x, dy));
            if (!dgamma.IsNull)
                SliceSum.Run(gpu, gammaParts, dgamma, slices, width, accumulateDgamma);
            if (!dbeta.IsNull)
                SliceSum.Run(gpu, betaParts, dbeta, slices, width, accumulateDbeta);
            gpu.Free(gammaParts);
            gpu.Free(betaParts);
        }
        // Last: dx may be dy.
        if (!dx.IsNull)
            gpu.Run(BackwardKernels[x.Type.Format()], new Blocks(Blocks.Cover(rows, WarpsOfBlock)), x, gamma, mean, rstd, dy, dx, rows,
                width, accumulateDx, Chunk.IsWide(width, width, x, gamma, dy, dx));
    }

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
            F8 d = Chunk.Scale(Chunk.Add(Chunk.Scale(g, 1, -averageG), Chunk.Scale(n, -averageGn)), factor);
            Chunk.Write(dx, first + column, d, count, wide, accumulate);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static F8 Normalised<TFormat>(Halves<TFormat> x, long at, int count, int wide, float average, float factor)
        where TFormat : struct, IFormat =>
        Chunk.Scale(Chunk.Scale(Chunk.Load(x, at, count, wide), 1, -average), factor);

    // As ColumnSum: a thread has eight columns of a slice of rows.
    private static void SumColumns<TFormat>(Halves<TFormat> x, Floats mean, Floats rstd, Halves<TFormat> dy, Floats gammaParts,
        Floats betaParts, int rows, int width, int each, int wide) where TFormat : struct, IFormat
    {
        int column = (Grid.IdxX * ColumnThreads + Group.IdxX) * Chunk.Size, count = width - column;
        if (count <= 0)
            return;
        int end = IntrinsicMath.Min(rows, (Grid.IdxY + 1) * each);
        F8 dgamma = default, dbeta = default;
        for (int row = Grid.IdxY * each; row < end; row++)
        {
            long at = (long)row * width + column;
            F8 d = Chunk.Load(dy, at, count, wide);
            dbeta = Chunk.Add(dbeta, d);
            dgamma = Chunk.Add(dgamma, Chunk.Multiply(d, Normalised(x, at, count, wide, mean.Load(row), rstd.Load(row))));
        }
        Chunk.Store(gammaParts, (long)Grid.IdxY * width + column, dgamma, count, wide);
        Chunk.Store(betaParts, (long)Grid.IdxY * width + column, dbeta, count, wide);
    }
}
