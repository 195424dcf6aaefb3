using Cliper.Kernels.Cpu;
using Cliper.Kernels.Cpu.MachineCode;

namespace Cliper.Kernels.Operations;

/// <content>The blocking of a GEMM for the caches.</content>
internal static unsafe partial class CpuGemm<L, TEpilogue>
{
    // Largest kc, the length of the sums that stay in registers before they go to C. A larger kc writes C less often;
    // beyond this one the [M, kc] part of A leaves the L3 cache. It never depends on M: a row's bits are the same in
    // any batch.
    private const int MaxKc = 1536;

    // Largest kc when A is packed: beyond it panels of A and B no longer share the L1 and L2 caches.
    private const int MaxKcOfPackedA = 768;

    // Ways of the L1 cache (8 to 12): so many rows of A or C that fall into the same sets do not evict each other.
    private const int L1Ways = 8;

    // Bytes of the [kc, nc] block of B that a unit keeps in the L2 cache (1 MB on Zen, 256 KB and more elsewhere).
    // Next to a block of a packed B, the block that follows is prefetched.
    private const int BlockBytesB = 400 << 10, BlockBytesPackedB = BlockBytesB / 2;

    // Bytes of an A so small that it stays in the L2 cache while one panel of a packed B after the other goes by. A B
    // of one block stays there itself, and C is written row by row.
    private const int SmallABytes = 1 << 20;

    // Units per thread, enough to balance the workers even when another program takes some of their time.
    private const int UnitsPerThread = 8;

    // Smallest mc when B is not packed yet: packing a panel of B is then 2 % of the work, so that several units may
    // repeat it.
    private const int MinMc = 256;

    // Largest kc of bf16 operands: a longer one gains nothing, a shorter one up to 3 % less.
    private const int MaxKcOfBf16 = 1536;

    internal static int Nr => 2 * L.Count;

    // Width of a packed panel of A: MaxMr rounded up to whole SIMD registers.
    internal static int PackedMr => (MicroKernel.MaxMr<L>() + L.Count - 1) / L.Count * L.Count;

    // Memory of the tile that a worker computes.
    private static int TileFloats => Math.Max(MicroKernel.MaxMr<L>() * Nr, Bf16Kernels.TileFloats);

    /// <summary>How a GEMM is blocked; no blocking changes the order of a sum.</summary>
    internal readonly struct Plan
    {
        // C is split into McBlocks by NcBlocks units; NcPanels panels of nr columns are the nc of a unit.
        public readonly Partition PanelsA;
        public readonly int Threads, PanelsB, Kc, NcPanels, NcBlocks, McBlocks;
        public readonly bool PackA;
        public readonly long PackedAFloats, ScratchFloats;

        /// <param name="problem">The GEMM.</param>
        /// <param name="threads">Workers that share it.</param>
        public Plan(in CpuGemmProblem problem, int threads)
        {
            Threads = threads;
            int units = threads == 1 ? 1 : UnitsPerThread * threads;
            bool isBf16 = problem.Bf16 is not null;
            PackA = isBf16 || problem.KStrideA != 1;
            int mr = MicroKernel.MaxMr<L>();
            if (!isBf16 && ((!PackA && SharesCacheSets(problem.RowStrideA)) || SharesCacheSets(problem.RowStrideC)))
                mr = Math.Min(mr, L1Ways);
            PanelsA = new Partition(problem.M, mr);
            PanelsB = (problem.N + Nr - 1) / Nr;
            int maxKc = isBf16 ? MaxKcOfBf16 : PackA ? MaxKcOfPackedA : MaxKc;
            int parts = Math.Max(1, (problem.K + maxKc - 1) / maxKc);
            Kc = Math.Max(1, ((problem.K + parts - 1) / parts + 15) / 16 * 16);
            int words = problem.Words(Kc);
            bool isPackedB = problem.PackedB != null;
            int blockBytes = isPackedB ? BlockBytesPackedB : BlockBytesB;
            NcPanels = Math.Clamp(blockBytes / (Nr * words * sizeof(float)), 1, PanelsB);
            int mostMcBlocks = isPackedB ? PanelsA.Count / 4 : problem.M / MinMc;
            if (NcPanels < PanelsB && isPackedB && (long)problem.M * words * sizeof(float) <= SmallABytes)
                (NcPanels, mostMcBlocks) = (1, 1);
            NcBlocks = (PanelsB + NcPanels - 1) / NcPanels;
            McBlocks = Math.Clamp((units + NcBlocks - 1) / NcBlocks, 1, Math.Max(1, mostMcBlocks));
            if (NcBlocks * McBlocks < units)
            {
                NcPanels = Math.Max(1, PanelsB * McBlocks / units);
                NcBlocks = (PanelsB + NcPanels - 1) / NcPanels;
            }
            PackedAFloats = PackA ? (long)PanelsA.Count * PackedMr * words : 0;
            ScratchFloats = TileFloats;
            if (!isPackedB)
                ScratchFloats += (long)NcPanels * Nr * words;
        }

        // Rows a multiple of 4 KiB apart fall into the same sets of the L1 cache.
        private static bool SharesCacheSets(nint rowStride) => rowStride % 1024 == 0;
    }
}
