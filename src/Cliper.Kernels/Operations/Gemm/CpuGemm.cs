using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.X86;
using Cliper.Kernels.Cpu;
using Cliper.Kernels.Memory;

namespace Cliper.Kernels.Operations;

/// <summary>
/// GEMM on the CPU, blocked for the caches as in GotoBLAS (Goto and van de Geijn 2008): the range of k is processed
/// kc at a time, so that the [M, kc] part of A stays in the L3 cache. C is split into units of mc rows by nc columns,
/// which the workers claim. A unit keeps its [kc, nc] block of B in the L2 cache, as panels of nr columns, and passes
/// panels of mr rows of A along them; <see cref="MicroKernel"/> computes one mr x nr tile of C. B that is not packed
/// yet is packed by the unit. A is read where it lies when k is contiguous there, else packed first.
/// </summary>
internal static unsafe partial class CpuGemm<L, TEpilogue>
    where L : struct, ILanes<L>
    where TEpilogue : struct, ICpuEpilogue
{
    // Panels of A that a worker packs at a time.
    private const int PanelsPerPacking = 8;

    // Floats of packed A and scratch up to which one worker computes a whole GEMM of a batch by itself.
    private const int MaxFloatsOfOneWorker = 1 << 20;

    private const int CacheLineFloats = 16;

    /// <summary>Computes one GEMM with all workers.</summary>
    public static void Run(CpuDevice cpu, CpuGemmProblem problem, TEpilogue epilogue)
    {
        var plan = new Plan(problem, cpu.Threads);
        DeviceArray panelsA = plan.PackA ? cpu.Allocate(plan.PackedAFloats) : default;
        float* packedA = panelsA.Floats;
        for (int part = 0; part < problem.K || part == 0; part += plan.Kc)
        {
            int firstK = part, kc = Math.Min(plan.Kc, problem.K - part);
            if (plan.PackA)
                cpu.Pool.Run((plan.PanelsA.Count + PanelsPerPacking - 1) / PanelsPerPacking, (unit, _) =>
                    PackA(in problem, plan.PanelsA, unit * PanelsPerPacking,
                        Math.Min(plan.PanelsA.Count, (unit + 1) * PanelsPerPacking), firstK, kc, packedA));
            cpu.Pool.Run(plan.NcBlocks * plan.McBlocks, (unit, worker) =>
            {
                float* scratch = (float*)cpu.Pool.Scratch(worker, plan.ScratchFloats * sizeof(float));
                RunUnit(in problem, in epilogue, plan, unit, firstK, kc, packedA, scratch);
            });
        }
        cpu.Free(panelsA);
    }

    /// <summary>Computes many GEMMs of one size: one worker each when they are small, else one after another.</summary>
    public static void RunBatch(CpuDevice cpu, Func<int, CpuGemmProblem> at, int count)
    {
        var plan = new Plan(at(0), 1);
        if (count < cpu.Threads || plan.PackedAFloats + plan.ScratchFloats > MaxFloatsOfOneWorker)
        {
            for (int index = 0; index < count; index++)
                Run(cpu, at(index), default);
            return;
        }
        cpu.Pool.Run(count, (index, worker) => RunOnWorker(at(index), default,
            (float*)cpu.Pool.Scratch(worker, FloatsOfOneWorker(at(index)) * sizeof(float))));
    }

    /// <summary>Scratch that <see cref="RunOnWorker"/> needs for a GEMM of this size.</summary>
    public static long FloatsOfOneWorker(in CpuGemmProblem problem)
    {
        var plan = new Plan(problem, 1);
        return plan.ScratchFloats + plan.PackedAFloats;
    }

    /// <summary>Computes one GEMM on the calling thread.</summary>
    /// <param name="problem">The GEMM.</param>
    /// <param name="epilogue">Applied to each element.</param>
    /// <param name="scratch">Memory of <see cref="FloatsOfOneWorker"/> floats.</param>
    public static void RunOnWorker(in CpuGemmProblem problem, in TEpilogue epilogue, float* scratch)
    {
        var plan = new Plan(problem, 1);
        float* packedA = plan.PackA ? scratch + plan.ScratchFloats : null;
        for (int firstK = 0; firstK < problem.K || firstK == 0; firstK += plan.Kc)
        {
            int kc = Math.Min(plan.Kc, problem.K - firstK);
            if (plan.PackA)
                PackA(in problem, plan.PanelsA, 0, plan.PanelsA.Count, firstK, kc, packedA);
            for (int unit = 0; unit < plan.NcBlocks * plan.McBlocks; unit++)
                RunUnit(in problem, in epilogue, plan, unit, firstK, kc, packedA, scratch);
        }
    }

    /// <summary>
    /// Computes on the calling thread a GEMM whose A lies in ranges of k of equal length, each
    /// <paramref name="stride"/> elements after the one before it.
    /// </summary>
    /// <param name="problem">The GEMM, of a packed B; its A is the first range, k contiguous.</param>
    /// <param name="plan">Its blocking for one worker.</param>
    /// <param name="epilogue">Applied to each element.</param>
    /// <param name="ranges">Number of ranges.</param>
    /// <param name="stride">Elements from one range of A to the next.</param>
    /// <param name="scratch">Memory of <see cref="FloatsOfOneWorker"/> floats.</param>
    public static void RunRanges(in CpuGemmProblem problem, Plan plan, in TEpilogue epilogue, int ranges, nint stride,
        float* scratch)
    {
        int kc = problem.K / ranges;
        CpuGemmProblem parted = problem with { Parts = new RangesOfK(ranges - 1, stride - kc, 0) };
        for (int unit = 0; unit < plan.NcBlocks * plan.McBlocks; unit++)
            RunUnit(in parted, in epilogue, plan, unit, 0, problem.K, null, scratch);
    }

    // Computes the kc terms from firstK on of one unit of C: mc x nc elements.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void RunUnit(in CpuGemmProblem problem, in TEpilogue epilogue, Plan plan, int unit, int firstK,
        int kc, float* packedA, float* scratch)
    {
        int ncBlock = unit / plan.McBlocks, mcBlock = unit % plan.McBlocks;
        int firstPanelB = ncBlock * plan.NcPanels, endPanelB = Math.Min(plan.PanelsB, firstPanelB + plan.NcPanels);
        Partition panelsA = plan.PanelsA;
        int firstPanelA = (int)((long)panelsA.Count * mcBlock / plan.McBlocks);
        int endPanelA = (int)((long)panelsA.Count * (mcBlock + 1) / plan.McBlocks);
        float* tile = scratch, panelsB = scratch + TileFloats;
        int words = problem.Words(kc);
        nint panelStride = (nint)words * Nr;
        bool accumulate = problem.Accumulate || firstK > 0, isLast = firstK + kc == problem.K;
        if (problem.PackedB != null)
        {
            panelStride = (nint)problem.Words(problem.K) * Nr;
            panelsB = problem.PackedB + firstPanelB * panelStride + (nint)problem.Words(firstK) * Nr;
        }
        else
        {
            PackB(in problem, firstPanelB, endPanelB, firstK, kc, panelsB);
        }
        // The unit after those that are claimed now is likely to be this worker's: each tile of this unit prefetches
        // a share of its block of B.
        int nextNcBlock = (unit + plan.Threads) / plan.McBlocks, sharers = endPanelA - firstPanelA;
        bool prefetches = problem.PackedB != null && nextNcBlock > ncBlock && nextNcBlock < plan.NcBlocks;
        nint prefetchStep = prefetches ? (Nr * sizeof(float) + sharers - 1) / sharers : 0;
        byte* prefetch = prefetches ? (byte*)(panelsB + (nextNcBlock - ncBlock) * plan.NcPanels * panelStride) : null;
        for (int panelA = firstPanelA; panelA < endPanelA; panelA++)
        {
            int row = panelsA.Start(panelA), mr = panelsA.Size(panelA);
            float* a = problem.A + row * problem.RowStrideA + firstK;
            nint aRow = problem.RowStrideA, aK = 1;
            // Where nothing of B is prefetched, the first tile of this panel of A prefetches the panel after it.
            byte* nextA = !prefetches && packedA == null && aRow == kc && panelA + 1 < endPanelA
                ? (byte*)(a + mr * aRow) : null;
            if (packedA != null)
            {
                a = packedA + (nint)panelA * words * PackedMr;
                (aRow, aK) = (1, PackedMr);
            }
            for (int panel = firstPanelB; panel < endPanelB; panel++)
            {
                int column = panel * Nr, columns = Math.Min(Nr, problem.N - column);
                float* b = panelsB + (panel - firstPanelB) * panelStride;
                float* c = problem.C + row * problem.RowStrideC + column;
                byte* share = prefetches
                    ? prefetch + (panel - firstPanelB) * panelStride * sizeof(float)
                        + (panelA - firstPanelA) * prefetchStep * words
                    : panel == firstPanelB ? nextA : null;
                nint shareStep = prefetches ? prefetchStep : share != null ? mr * sizeof(float) : 0;
                bool appliesEpilogue = isLast && typeof(TEpilogue) != typeof(NoEpilogue);
                // A panel of one register's columns or fewer has half the work.
                bool isNarrow = columns <= L.Count, isWhole = columns == Nr || columns == L.Count;
                if (isWhole)
                    Prefetch(c, problem.RowStrideC, mr, columns);
                if (isWhole && !appliesEpilogue && problem.Bf16 is null)
                {
                    RunTile(mr, a, aRow, aK, b, c, problem.RowStrideC, kc, problem.Scale, accumulate, share,
                        shareStep, isNarrow, problem.Parts);
                    continue;
                }
                // The tile goes to scratch rather than to C and back, which costs more with two threads: the cache
                // lines of C may be another core's.
                if (problem.Bf16 is null)
                    RunTile(mr, a, aRow, aK, b, tile, Nr, kc, problem.Scale, false, share, shareStep, isNarrow,
                        problem.Parts);
                else
                    RunBf16Tile(problem.Bf16, mr, new((nint)a, (nint)b, (nint)tile, words,
                        (nint)(share == null ? (byte*)b : share), shareStep), problem.Scale);
                if (appliesEpilogue)
                    ApplyEpilogue(in epilogue, tile, c, problem.RowStrideC, row, mr, column, columns, accumulate);
                else
                    CopyEdge(tile, c, problem.RowStrideC, mr, columns, accumulate);
            }
        }
    }

    // Prefetches the tile of C, which is written, or read and written, when its sums are complete.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Prefetch(float* c, nint cRow, int rows, int columns)
    {
        if (!Sse.IsSupported)
            return;
        for (int row = 0; row < rows; row++, c += cRow)
            for (int column = 0; column < columns; column += CacheLineFloats)
                Sse.Prefetch0(c + column);
    }

    /// <summary>Copies the part of a tile that lies inside C, or adds it.</summary>
    internal static void CopyEdge(float* tile, float* c, nint cRow, int rows, int columns, bool accumulate)
    {
        for (int row = 0; row < rows; row++, tile += Nr, c += cRow)
            for (int column = 0; column < columns; column += L.Count)
            {
                int lanes = Math.Min(L.Count, columns - column);
                L sum = L.LoadPartial(tile + column, lanes);
                if (accumulate)
                    sum += L.LoadPartial(c + column, lanes);
                sum.StorePartial(c + column, lanes);
            }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void ApplyEpilogue(in TEpilogue epilogue, float* tile, float* c, nint cRow, int firstRow, int rows,
        int firstColumn, int columns, bool accumulate)
    {
        for (int row = 0; row < rows; row++, tile += Nr, c += cRow)
        {
            int column = 0;
            for (; column + L.Count <= columns; column += L.Count)
            {
                L sum = L.Load(tile + column);
                if (accumulate)
                    sum += L.Load(c + column);
                epilogue.Apply(sum, firstRow + row, firstColumn + column, L.Count).Store(c + column);
            }
            int rest = columns - column;
            if (rest > 0)
            {
                L sum = L.LoadPartial(tile + column, rest);
                if (accumulate)
                    sum += L.LoadPartial(c + column, rest);
                epilogue.Apply(sum, firstRow + row, firstColumn + column, rest).StorePartial(c + column, rest);
            }
        }
    }

    // A narrow tile computes and stores the first SIMD register of columns alone.
    private static void RunTile(int mr, float* a, nint aRow, nint aK, float* b, float* c, nint cRow, int kc,
        float scale, bool accumulate, byte* prefetch, nint prefetchStep, bool isNarrow, RangesOfK parts)
    {
        if (kc == 0)
        {
            for (int row = 0; row < mr && !accumulate; row++)
                new Span<float>(c + row * cRow, isNarrow ? L.Count : Nr).Clear();
            return;
        }
        int each = kc / (parts.More + 1);
        if (isNarrow)
            MicroKernel.Run<L, N1>(mr, each, a, aRow, aK, b, Nr, c, cRow, scale, accumulate, prefetch, prefetchStep,
                parts);
        else
            MicroKernel.Run<L, N2>(mr, each, a, aRow, aK, b, Nr, c, cRow, scale, accumulate, prefetch, prefetchStep,
                parts);
    }
}
