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

    /// <summary>Packs all of B, [K, N], into panels of nr columns.</summary>
    public static PackedMatrix Pack(CpuDevice cpu, Matrix b)
    {
        int panels = (b.Columns + Nr - 1) / Nr, k = b.Rows, n = b.Columns;
        DeviceArray data = cpu.Allocate((long)panels * Nr * k);
        float* source = b.Data.Floats, target = data.Floats;
        nint kStride = (nint)b.RowStride, columnStride = (nint)b.ColumnStride;
        cpu.Pool.Run(panels, (panel, _) => Packing.PackPanel<L>(source + panel * Nr * columnStride, columnStride,
            kStride, Math.Min(Nr, n - panel * Nr), Nr, k, target + (nint)panel * Nr * k));
        return new PackedMatrix(data, b.Rows, b.Columns);
    }

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
        cpu.Pool.Run(count, (index, worker) =>
        {
            CpuGemmProblem problem = at(index);
            TEpilogue epilogue = default;
            long floats = plan.ScratchFloats + plan.PackedAFloats;
            float* scratch = (float*)cpu.Pool.Scratch(worker, floats * sizeof(float));
            float* packedA = plan.PackA ? scratch + plan.ScratchFloats : null;
            for (int firstK = 0; firstK < problem.K || firstK == 0; firstK += plan.Kc)
            {
                int kc = Math.Min(plan.Kc, problem.K - firstK);
                if (plan.PackA)
                    PackA(in problem, plan.PanelsA, 0, plan.PanelsA.Count, firstK, kc, packedA);
                for (int unit = 0; unit < plan.NcBlocks * plan.McBlocks; unit++)
                    RunUnit(in problem, in epilogue, plan, unit, firstK, kc, packedA, scratch);
            }
        });
    }

    private static void PackA(in CpuGemmProblem problem, Partition panels, int first, int end, int firstK, int kc,
        float* packedA) =>
        Packing.PackPanels<L>(problem.A + firstK * problem.KStrideA, problem.RowStrideA, problem.KStrideA, panels,
            first, end, PackedMr, kc, packedA, (nint)PackedMr * kc);

    private static void PackB(in CpuGemmProblem problem, int first, int end, int firstK, int kc, float* packedB)
    {
        for (int panel = first; panel < end; panel++)
            Packing.PackPanel<L>(problem.B + firstK * problem.KStrideB + panel * Nr * problem.ColumnStrideB,
                problem.ColumnStrideB, problem.KStrideB, Math.Min(Nr, problem.N - panel * Nr), Nr, kc,
                packedB + (panel - first) * (nint)kc * Nr);
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
        float* tile = scratch, panelsB = scratch + MicroKernel.MaxMr<L>() * Nr;
        nint panelStride = (nint)kc * Nr;
        bool accumulate = problem.Accumulate || firstK > 0, isLast = firstK + kc == problem.K;
        if (problem.PackedB != null)
        {
            panelStride = (nint)problem.K * Nr;
            panelsB = problem.PackedB + firstPanelB * panelStride + (nint)firstK * Nr;
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
            if (packedA != null)
            {
                a = packedA + (nint)panelA * kc * PackedMr;
                (aRow, aK) = (1, PackedMr);
            }
            for (int panel = firstPanelB; panel < endPanelB; panel++)
            {
                int column = panel * Nr, columns = Math.Min(Nr, problem.N - column);
                float* b = panelsB + (panel - firstPanelB) * panelStride;
                float* c = problem.C + row * problem.RowStrideC + column;
                byte* share = prefetches
                    ? prefetch + (panel - firstPanelB) * panelStride * sizeof(float)
                        + (panelA - firstPanelA) * prefetchStep * kc
                    : null;
                bool appliesEpilogue = isLast && typeof(TEpilogue) != typeof(NoEpilogue);
                if (columns == Nr)
                    Prefetch(c, problem.RowStrideC, mr);
                if (columns == Nr && !appliesEpilogue)
                {
                    RunTile(mr, a, aRow, aK, b, c, problem.RowStrideC, kc, problem.Scale, accumulate, share,
                        prefetchStep);
                    continue;
                }
                // The tile goes to scratch rather than to C and back, which costs more with two threads: the cache
                // lines of C may be another core's.
                RunTile(mr, a, aRow, aK, b, tile, Nr, kc, problem.Scale, false, share, prefetchStep,
                    isNarrow: columns <= L.Count);
                if (appliesEpilogue)
                    ApplyEpilogue(in epilogue, tile, c, problem.RowStrideC, row, mr, column, columns, accumulate);
                else
                    CopyEdge(tile, c, problem.RowStrideC, mr, columns, accumulate);
            }
        }
    }

    // Prefetches the tile of C, which is written, or read and written, when its sums are complete.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Prefetch(float* c, nint cRow, int rows)
    {
        if (!Sse.IsSupported)
            return;
        for (int row = 0; row < rows; row++, c += cRow)
            for (int column = 0; column < Nr; column += CacheLineFloats)
                Sse.Prefetch0(c + column);
    }

    private static void CopyEdge(float* tile, float* c, nint cRow, int rows, int columns, bool accumulate)
    {
        for (int row = 0; row < rows; row++, tile += Nr, c += cRow)
            for (int column = 0; column < columns; column++)
                c[column] = accumulate ? c[column] + tile[column] : tile[column];
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

    // A narrow tile computes the first SIMD register of columns alone: a panel that holds no more has half the work.
    private static void RunTile(int mr, float* a, nint aRow, nint aK, float* b, float* c, nint cRow, int kc,
        float scale, bool accumulate, byte* prefetch, nint prefetchStep, bool isNarrow = false)
    {
        if (kc == 0)
        {
            for (int row = 0; row < mr && !accumulate; row++)
                new Span<float>(c + row * cRow, Nr).Clear();
            return;
        }
        if (isNarrow)
            MicroKernel.Run<L, N1>(mr, kc, a, aRow, aK, b, Nr, c, cRow, scale, accumulate, prefetch, prefetchStep);
        else
            MicroKernel.Run<L, N2>(mr, kc, a, aRow, aK, b, Nr, c, cRow, scale, accumulate, prefetch, prefetchStep);
    }
}
