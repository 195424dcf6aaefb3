using Cliper.Kernels.Gpu.Runtime;
using Cliper.Kernels.Memory;

namespace Cliper.Kernels.Operations;

public static partial class Gemm
{
    /// <summary>
    /// Rows from which on a GEMM of so many columns takes the kernel with wgmma; 0 on a device without it.
    /// </summary>
    public static int RowsForWgmma(Device device, int columns) => device is GpuDevice { HasWgmma: true } gpu
        ? WgmmaGemm.TileM * Blocks.Cover(Blocks.Cover(gpu.Multiprocessors, 2), Blocks.Cover(columns, WgmmaGemm.TileN))
        : 0;

    /// <summary>
    /// Number of splits of the range of k with which a wgmma GEMM of so many CTA tiles is fastest. Splits keep more
    /// of the GPU busy, but each leaves a partial result that is written and read again, eight bytes an element.
    /// </summary>
    internal static int WgmmaSplits(long tiles, int multiprocessors, int k)
    {
        // At 3 TB/s the partial result of one split takes as long as this much of k at 700 TFLOP/s.
        const double ReductionK = 1024;
        return Enumerable.Range(1, Math.Clamp(k / MinSplitKLength, 1, 32))
            .MinBy(splits => 1 / Occupancy(tiles * splits, multiprocessors)
                + (splits == 1 ? 0 : splits * ReductionK / k));
    }

    // The share of the multiprocessors that work on average while so many CTAs, one a multiprocessor, run in waves.
    private static double Occupancy(long ctas, int multiprocessors) =>
        (double)ctas / ((ctas + multiprocessors - 1) / multiprocessors * multiprocessors);

    /// <summary>The CTA tile and the number of splits of the range of k that a GEMM on tensor cores takes.</summary>
    /// <param name="MmaSyncTile">Tile of <see cref="MmaSyncGemm"/>; null for <see cref="WgmmaGemm"/>, which has one
    /// tile.</param>
    /// <param name="M">M extent of the CTA tile.</param>
    /// <param name="N">N extent of the CTA tile.</param>
    /// <param name="K">K extent of the CTA tile.</param>
    /// <param name="Splits">Splits of the range of k; 1 without split-K.</param>
    private readonly record struct TilePlan(Type? MmaSyncTile, int M, int N, int K, int Splits)
    {
        public static TilePlan Choose(GpuDevice gpu, int m, int n, int k, int batch, bool mayBeSplit, bool vectorized)
        {
            if (gpu.HasWgmma && vectorized)
            {
                long tiles = Tiles(WgmmaGemm.TileM, WgmmaGemm.TileN);
                int splits = mayBeSplit ? WgmmaSplits(tiles, gpu.Multiprocessors, k) : 1;
                // Half of a Hopper GPU with wgmma is about as fast as all of it with mma.sync.
                if (Occupancy(tiles * splits, gpu.Multiprocessors) >= 0.5)
                    return new TilePlan(null, WgmmaGemm.TileM, WgmmaGemm.TileN, WgmmaGemm.TileK, splits);
            }
            bool large = vectorized && Tiles(128, 128) >= gpu.Multiprocessors;
            int edge = large ? 128 : 64;
            return new TilePlan(large ? typeof(MmaSyncGemm.Tile128x128) : typeof(MmaSyncGemm.Tile64x64), edge, edge,
                MmaSyncGemm.TileK, mayBeSplit
                    ? (int)Math.Clamp(Math.Min(2 * gpu.Multiprocessors / Tiles(edge, edge), k / MinSplitKLength), 1, 32)
                    : 1);

            long Tiles(int tileM, int tileN) => (long)Blocks.Cover(m, tileM) * Blocks.Cover(n, tileN) * batch;
        }
    }
}
