using Cliper.Kernels.Gpu.Compiler;
using Cliper.Kernels.Gpu.DeviceCode;
using Cliper.Kernels.Gpu.Runtime;
using Cliper.Kernels.Memory;

namespace Cliper.Kernels.Operations;

public static partial class Gemm
{
    // Below this depth a slice's start and end would cost more than the slices gain.
    private const int MinSplitK = 256;

    /// <summary>The kernels that a model of usual sizes uses; others differ in the same type parameters.</summary>
    internal static IEnumerable<GpuKernel> GpuKernels
    {
        get
        {
            Type inner = typeof(MmaSyncGemm.KMajor), outer = typeof(MmaSyncGemm.MnMajor);
            Type[] forward = [typeof(GpuEpilogue.Plain), typeof(GpuEpilogue.Biased), typeof(GpuEpilogue.Activated<QuickGelu>),
                typeof(GpuEpilogue.Activated<Gelu>), typeof(GpuEpilogue.Activated<Relu>), typeof(GpuEpilogue.WithResidual)];
            Type[] backward = [typeof(GpuEpilogue.Plain), typeof(GpuEpilogue.TimesDerivative<QuickGelu>),
                typeof(GpuEpilogue.TimesDerivative<Gelu>)];
            const ElementType Float = ElementType.Float32;
            foreach (ElementType stored in Dtypes.All16)
            {
                foreach (Type tile in new[] { typeof(MmaSyncGemm.Tile128x128), typeof(MmaSyncGemm.Tile64x64) })
                {
                    foreach (Type epilogue in forward)
                        yield return MmaSyncGemm.Find(tile, inner, inner, epilogue, stored, stored);
                    foreach (Type epilogue in backward)
                        yield return MmaSyncGemm.Find(tile, inner, outer, epilogue, stored, stored);
                    foreach (Type right in new[] { inner, outer })
                        yield return MmaSyncGemm.Find(tile, outer, right, typeof(GpuEpilogue.Plain), stored, stored);
                    // Weight gradients, and any product whose depth is cut into slices.
                    foreach (Type left in new[] { inner, outer })
                        foreach (Type right in new[] { inner, outer })
                            yield return MmaSyncGemm.Find(tile, left, right, typeof(GpuEpilogue.Plain), stored, Float);
                }
                foreach (Type epilogue in forward)
                    yield return WgmmaGemm.Find(inner, inner, epilogue, stored, stored);
                foreach (Type epilogue in backward)
                    yield return WgmmaGemm.Find(inner, outer, epilogue, stored, stored);
                foreach (Type right in new[] { inner, outer })
                    yield return WgmmaGemm.Find(outer, right, typeof(GpuEpilogue.Plain), stored, stored);
                foreach (Type left in new[] { inner, outer })
                    foreach (Type right in new[] { inner, outer })
                        yield return WgmmaGemm.Find(left, right, typeof(GpuEpilogue.Plain), stored, Float);
                foreach (Type epilogue in forward.Union(backward))
                    yield return SimtGemm.Find(stored, stored, epilogue, stored);
                yield return SimtGemm.Find(stored, stored, typeof(GpuEpilogue.Plain), Float);
                yield return SimtGemm.Find(stored, Float, typeof(GpuEpilogue.Plain), Float);
                yield return SimtGemm.Find(Float, Float, typeof(GpuEpilogue.Plain), stored);
            }
            yield return SimtGemm.Find(Float, Float, typeof(GpuEpilogue.Plain), Float);
            foreach (GpuKernel kernel in SplitKReduction.Kernels)
                yield return kernel;
        }
    }

    /// <summary>Rows from which on a product of so many columns takes the kernel with wgmma; 0 on a device without it.</summary>
    public static int RowsForWgmma(Device device, int columns) => device is GpuDevice { HasWgmma: true } gpu
        ? WgmmaGemm.TileM * Blocks.Cover(Blocks.Cover(gpu.Multiprocessors, 2), Blocks.Cover(columns, WgmmaGemm.TileN))
        : 0;

    private static void RunGpu(GpuDevice gpu, Matrix a, long strideA, Matrix b, long strideB, Matrix c, long strideC, int count,
        GpuEpilogue epilogue, bool accumulate, float scale)
    {
        if (c.Rows == 0 || c.Columns == 0)
            return;
        if (gpu.HasTensorCores && Suits(gpu, a, strideA) && Suits(gpu, b, strideB) && c.RowStride <= int.MaxValue && a.Columns > 0)
            RunTensorCores(gpu, a, strideA, b, strideB, c, strideC, count, epilogue, accumulate, scale);
        else
            SimtGemm.Run(gpu, a, strideA, b, strideB, c, strideC, count, epilogue, accumulate, scale);
    }

    // Copies of 16 bytes need every row, and every matrix of a batch, to begin at a multiple of 16.
    private static bool Suits(GpuDevice gpu, Matrix matrix, long stride) => matrix.Data.Type == gpu.Activations
        && (matrix.RowStride == 1 || matrix.ColumnStride == 1) && Leading(matrix) % 8 == 0 && Leading(matrix) < 1 << 22
        && stride % 8 == 0 && matrix.Data.Address % 16 == 0;

    private static long Leading(Matrix matrix) => matrix.ColumnStride == 1 ? matrix.RowStride : matrix.ColumnStride;

    // How a product is cut: into tiles of the result, and along its depth into slices of whole stages. With wgmma there is one tile.
    private readonly record struct TilePlan(Type? Tile, int Rows, int Columns, int Stage, int Slices);

    private static TilePlan Choose(GpuDevice gpu, int rows, int columns, int count, int depth, bool sliced, bool vectorized)
    {
        if (gpu.HasWgmma && vectorized)
        {
            long tiles = Tiles(WgmmaGemm.TileM, WgmmaGemm.TileN);
            int slices = sliced ? WgmmaSplits(tiles, gpu.Multiprocessors, depth) : 1;
            // Half of a Hopper card with wgmma is about as fast as all of it with mma.sync.
            if (Busy(tiles * slices, gpu.Multiprocessors) >= 0.5)
                return new TilePlan(null, WgmmaGemm.TileM, WgmmaGemm.TileN, WgmmaGemm.TileK, slices);
        }
        bool large = vectorized && Tiles(128, 128) >= gpu.Multiprocessors;
        int edge = large ? 128 : 64;
        return new TilePlan(large ? typeof(MmaSyncGemm.Tile128x128) : typeof(MmaSyncGemm.Tile64x64), edge, edge, 32, sliced
            ? (int)Math.Clamp(Math.Min(2 * gpu.Multiprocessors / Tiles(edge, edge), depth / MinSplitK), 1, 32)
            : 1);

        long Tiles(int tileRows, int tileColumns) => (long)Blocks.Cover(rows, tileRows) * Blocks.Cover(columns, tileColumns) * count;
    }

    // The share of the card that works while so many blocks, one a multiprocessor, are done round by round.
    private static double Busy(long blocks, int multiprocessors) =>
        (double)blocks / ((blocks + multiprocessors - 1) / multiprocessors * multiprocessors);

    // Slices keep more of the card busy, but what each leaves is written and read again, eight bytes an element: at 3 TB/s as long
    // as 1024 of depth at 700 TFLOP/s.
    internal static int WgmmaSplits(long tiles, int multiprocessors, int depth)
    {
        const double Adding = 1024;
        return Enumerable.Range(1, Math.Clamp(depth / MinSplitK, 1, 32))
            .MinBy(slices => 1 / Busy(tiles * slices, multiprocessors) + (slices == 1 ? 0 : slices * Adding / depth));
    }

    private static void RunTensorCores(GpuDevice gpu, Matrix a, long strideA, Matrix b, long strideB, Matrix c, long strideC, int count,
        GpuEpilogue epilogue, bool accumulate, float scale)
    {
        int depth = a.Columns;
        bool sliced = epilogue.Kind == typeof(GpuEpilogue.Plain) && c.RowStride == c.Columns && count == 1;
        // Of slices too: each has rows of c's width.
        bool vectorized = Vec8.IsVectorizable(c.Columns, c.RowStride, c.Data, epilogue.Bias, epilogue.Extra) && strideC % Vec8.Size == 0;
        TilePlan cut = Choose(gpu, c.Rows, c.Columns, count, depth, sliced, vectorized);
        // Depth is the columns of a and the rows of b; a matrix with one row or column counts as either.
        Type left = a.ColumnStride == 1 ? typeof(MmaSyncGemm.KMajor) : typeof(MmaSyncGemm.MnMajor);
        Type right = b.RowStride == 1 && b.ColumnStride != 1 ? typeof(MmaSyncGemm.KMajor) : typeof(MmaSyncGemm.MnMajor);
        // With one slice, all of it.
        int splitKLength = cut.Slices == 1 ? depth : Blocks.Cover(depth, cut.Slices * cut.Stage) * cut.Stage;
        int slices = Blocks.Cover(depth, splitKLength);
        DeviceArray target = c.Data;
        long sliceStride = 0;
        if (slices > 1)
        {
            sliceStride = (long)c.Rows * c.Columns;
            target = gpu.Allocate(sliceStride * slices);
        }
        int leading = slices > 1 ? c.Columns : (int)c.RowStride;
        ReadOnlySpan<KernelArgument> arguments = [a.Data, b.Data, target, epilogue.Bias, epilogue.Extra, c.Rows, c.Columns, depth,
            (int)Leading(a), (int)Leading(b), leading, strideA, strideB, strideC, slices, splitKLength, sliceStride, scale,
            accumulate && slices == 1];
        int across = Blocks.Cover(c.Columns, cut.Columns), down = Blocks.Cover(c.Rows, cut.Rows), tiles = across * down * count * slices;
        if (cut.Tile is { } tile)
            gpu.Run(MmaSyncGemm.Find(tile, left, right, epilogue.Kind, a.Data.Type, target.Type),
                new Blocks(across, down, count * slices), [.. arguments, vectorized]);
        else
            gpu.Run(WgmmaGemm.Find(left, right, epilogue.Kind, a.Data.Type, target.Type),
                new Blocks(Math.Min(tiles, gpu.Multiprocessors)), [.. arguments, tiles]);
        if (slices == 1)
            return;
        SplitKReduction.Run(gpu, target, c.Data, slices, sliceStride, accumulate);
        gpu.Free(target);
    }
}
