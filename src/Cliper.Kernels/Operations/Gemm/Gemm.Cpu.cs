using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.X86;
using Cliper.Kernels.Cpu;
using Cliper.Kernels.Memory;

namespace Cliper.Kernels.Operations;

public static unsafe partial class Gemm
{
    private static void RunHost<TEpilogue>(CpuDevice host, Matrix a, Matrix b, PackedMatrix? packed, Matrix c,
        TEpilogue epilogue, bool accumulate, float scale) where TEpilogue : struct, ICpuEpilogue
    {
        if (c.Rows == 0 || c.Columns == 0)
            return;
        var product = new HostProduct(a, b, packed, c, accumulate, scale);
        switch (host.Level)
        {
            case SimdLevel.Avx512:
                HostProducts<Lanes512, TEpilogue>.Run(host, product, epilogue);
                break;
            case SimdLevel.Avx2:
                HostProducts<Lanes256, TEpilogue>.Run(host, product, epilogue);
                break;
            default:
                HostProducts<LanesPortable, TEpilogue>.Run(host, product, epilogue);
                break;
        }
    }

    private static void BatchedHost(CpuDevice host, Matrix a, long strideA, Matrix b, long strideB, Matrix c, long strideC,
        int count, bool accumulate, float scale)
    {
        if (c.Rows == 0 || c.Columns == 0)
            return;
        var first = new HostProduct(a, b, null, c, accumulate, scale);
        HostProduct At(int index) => first.Moved((nint)strideA * index, (nint)strideB * index, (nint)strideC * index);
        switch (host.Level)
        {
            case SimdLevel.Avx512:
                HostProducts<Lanes512, NoEpilogue>.RunMany(host, At, count);
                break;
            case SimdLevel.Avx2:
                HostProducts<Lanes256, NoEpilogue>.RunMany(host, At, count);
                break;
            default:
                HostProducts<LanesPortable, NoEpilogue>.RunMany(host, At, count);
                break;
        }
    }

    internal static PackedMatrix PackHost(CpuDevice host, Matrix b) => host.Level switch
    {
        SimdLevel.Avx512 => HostProducts<Lanes512, NoEpilogue>.Pack(host, b),
        SimdLevel.Avx2 => HostProducts<Lanes256, NoEpilogue>.Pack(host, b),
        _ => HostProducts<LanesPortable, NoEpilogue>.Pack(host, b),
    };
}

/// <summary>A product as pointers and strides.</summary>
internal readonly unsafe struct HostProduct(Matrix a, Matrix b, PackedMatrix? packed, Matrix c, bool accumulate, float scale)
{
    public readonly int Rows = c.Rows, Columns = c.Columns, Depth = a.Columns;
    public readonly nint ARow = (nint)a.RowStride, ADepth = (nint)a.ColumnStride;
    public readonly nint BDepth = (nint)b.RowStride, BColumn = (nint)b.ColumnStride, CRow = (nint)c.RowStride;
    public readonly float* PackedB = packed is null ? null : packed.Data.Floats;
    public readonly bool Accumulate = accumulate;
    public readonly float Scale = scale;

    public float* A { get; private init; } = a.Data.Floats;

    public float* B { get; private init; } = b.Data.Floats;

    public float* C { get; private init; } = c.Data.Floats;

    /// <summary>The same product of operands that lie this much further.</summary>
    public HostProduct Moved(nint a, nint b, nint c) => this with { A = A + a, B = B + b, C = C + c };
}

/// <summary>
/// The product on the host. C is cut into units of some panels (one tile wide) by some blocks (one tile high), which
/// the workers claim. A unit keeps its panels of B in the second-level cache and passes the rows of A along them; for
/// B that is not packed yet, the unit packs them there. A is read where it lies if its rows are contiguous, else
/// packed first. Of a great depth one part is done for all units before the next, so that the part of A stays in the
/// third-level cache.
/// </summary>
internal static unsafe class HostProducts<L, TEpilogue>
    where L : struct, ILanes<L>
    where TEpilogue : struct, ICpuEpilogue
{
    // Longest part of a sum kept in registers before it goes to C. Longer parts write C less often; beyond this the
    // part of A leaves the third-level cache. Never chosen by the number of rows: a row's bits are the same in any
    // batch.
    private const int MaxDepth = 1536;

    // The same where A is packed part by part: beyond this the strips of A and B no longer share the first two caches.
    private const int MaxPackedDepth = 768;

    // Ways of the first-level cache (8 to 12): so many rows of A or C that fall into the same sets do not throw each
    // other out.
    private const int Ways = 8;

    // Bytes of B that a unit holds in the second-level cache (1 MB on Zen, 256 KB and more elsewhere). Of a packed B
    // the panels that come next are fetched beside it.
    private const int GroupBytes = 400 << 10, PackedGroupBytes = GroupBytes / 2;

    // Bytes of A that stay in the second-level cache while one panel of a packed B after the other goes by.
    private const int FewRowsBytes = 1 << 20;

    // Enough units to balance the workers, though another program takes some of their time.
    private const int UnitsPerThread = 8;

    // Rows of C for which packing a panel of B is a small part of the work (2 %), so that several units may repeat it.
    private const int RowsWorthPacking = 256;

    private const int BlocksPerPacking = 8;

    // Floats up to which one worker does a product by itself.
    private const int LargestAlone = 1 << 20;

    private const int CacheLineFloats = 16;

    private static int TileColumns => 2 * L.Count;

    // Rows of a packed strip of A, of which MaxRows count: whole registers.
    private static int StripRows => (MicroKernel.MaxMr<L>() + L.Count - 1) / L.Count * L.Count;

    public static PackedMatrix Pack(CpuDevice host, Matrix b)
    {
        int panels = (b.Columns + TileColumns - 1) / TileColumns, depth = b.Rows, columns = b.Columns;
        DeviceArray data = host.Allocate((long)panels * TileColumns * depth);
        float* source = b.Data.Floats, target = data.Floats;
        nint depthStride = (nint)b.RowStride, columnStride = (nint)b.ColumnStride;
        host.Pool.Run(panels, (panel, _) => Packing.Strip<L>(source + panel * TileColumns * columnStride, columnStride,
            depthStride, Math.Min(TileColumns, columns - panel * TileColumns), TileColumns, depth,
            target + (nint)panel * TileColumns * depth));
        return new PackedMatrix(data, b.Rows, b.Columns);
    }

    public static void Run(CpuDevice host, HostProduct product, TEpilogue epilogue)
    {
        var plan = new Plan(product, host.Threads);
        DeviceArray strips = plan.PackA ? host.Allocate(plan.StripFloats) : default;
        float* packedA = strips.Floats;
        for (int part = 0; part < product.Depth || part == 0; part += plan.DepthStep)
        {
            int start = part, depth = Math.Min(plan.DepthStep, product.Depth - part);
            if (plan.PackA)
                host.Pool.Run((plan.Blocks.Count + BlocksPerPacking - 1) / BlocksPerPacking, (unit, _) =>
                    PackA(in product, plan.Blocks, unit * BlocksPerPacking,
                        Math.Min(plan.Blocks.Count, (unit + 1) * BlocksPerPacking), start, depth, packedA));
            host.Pool.Run(plan.Groups * plan.Chunks, (unit, worker) =>
            {
                float* scratch = (float*)host.Pool.Scratch(worker, plan.ScratchFloats * sizeof(float));
                Unit(in product, in epilogue, plan, unit, start, depth, packedA, scratch);
            });
        }
        host.Free(strips);
    }

    /// <summary>Many products of one size: a worker each where they are small, else one after another.</summary>
    public static void RunMany(CpuDevice host, Func<int, HostProduct> at, int count)
    {
        var plan = new Plan(at(0), 1);
        if (count < host.Threads || plan.StripFloats + plan.ScratchFloats > LargestAlone)
        {
            for (int index = 0; index < count; index++)
                Run(host, at(index), default);
            return;
        }
        host.Pool.Run(count, (index, worker) =>
        {
            HostProduct product = at(index);
            TEpilogue epilogue = default;
            float* scratch = (float*)host.Pool.Scratch(worker, (plan.ScratchFloats + plan.StripFloats) * sizeof(float));
            float* packedA = plan.PackA ? scratch + plan.ScratchFloats : null;
            for (int start = 0; start < product.Depth || start == 0; start += plan.DepthStep)
            {
                int depth = Math.Min(plan.DepthStep, product.Depth - start);
                if (plan.PackA)
                    PackA(in product, plan.Blocks, 0, plan.Blocks.Count, start, depth, packedA);
                for (int unit = 0; unit < plan.Groups * plan.Chunks; unit++)
                    Unit(in product, in epilogue, plan, unit, start, depth, packedA, scratch);
            }
        });
    }

    /// <summary>How a product is cut; no cut changes the order of a sum.</summary>
    private readonly struct Plan
    {
        public readonly Partition Blocks;
        public readonly int Threads, Panels, DepthStep, GroupPanels, Groups, Chunks;
        public readonly bool PackA;
        public readonly long StripFloats, ScratchFloats;

        /// <param name="product">The product.</param>
        /// <param name="threads">Workers that share it.</param>
        public Plan(in HostProduct product, int threads)
        {
            Threads = threads;
            int units = threads == 1 ? 1 : UnitsPerThread * threads;
            PackA = product.ADepth != 1;
            int rows = MicroKernel.MaxMr<L>();
            if ((!PackA && SharesCacheSets(product.ARow)) || SharesCacheSets(product.CRow))
                rows = Math.Min(rows, Ways);
            Blocks = new Partition(product.Rows, rows);
            Panels = (product.Columns + TileColumns - 1) / TileColumns;
            int maxDepth = PackA ? MaxPackedDepth : MaxDepth, parts = Math.Max(1, (product.Depth + maxDepth - 1) / maxDepth);
            DepthStep = Math.Max(1, ((product.Depth + parts - 1) / parts + 15) / 16 * 16);
            bool packedB = product.PackedB != null;
            int groupBytes = packedB ? PackedGroupBytes : GroupBytes;
            GroupPanels = Math.Clamp(groupBytes / (TileColumns * DepthStep * sizeof(float)), 1, Panels);
            int mostChunks = packedB ? Blocks.Count / 4 : product.Rows / RowsWorthPacking;
            if (packedB && (long)product.Rows * DepthStep * sizeof(float) <= FewRowsBytes)
                (GroupPanels, mostChunks) = (1, 1);
            Groups = (Panels + GroupPanels - 1) / GroupPanels;
            Chunks = Math.Clamp((units + Groups - 1) / Groups, 1, Math.Max(1, mostChunks));
            if (Groups * Chunks < units)
            {
                GroupPanels = Math.Max(1, Panels * Chunks / units);
                Groups = (Panels + GroupPanels - 1) / GroupPanels;
            }
            StripFloats = PackA ? (long)Blocks.Count * StripRows * DepthStep : 0;
            ScratchFloats = (long)MicroKernel.MaxMr<L>() * TileColumns;
            if (!packedB)
                ScratchFloats += (long)GroupPanels * TileColumns * DepthStep;
        }

        // Rows a multiple of 4 KiB apart fall into the same sets of the first-level cache.
        private static bool SharesCacheSets(nint rowStride) => rowStride % 1024 == 0;
    }

    private static void PackA(in HostProduct product, Partition blocks, int firstBlock, int endBlock, int start, int depth,
        float* strips) =>
        Packing.Strips<L>(product.A + start * product.ADepth, product.ARow, product.ADepth, blocks, firstBlock, endBlock,
            StripRows, depth, strips, (nint)StripRows * depth);

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Unit(in HostProduct product, in TEpilogue epilogue, Plan plan, int unit, int start, int depth,
        float* packedA, float* scratch)
    {
        int group = unit / plan.Chunks, chunk = unit % plan.Chunks;
        int firstPanel = group * plan.GroupPanels, endPanel = Math.Min(plan.Panels, firstPanel + plan.GroupPanels);
        Partition blocks = plan.Blocks;
        int firstBlock = (int)((long)blocks.Count * chunk / plan.Chunks);
        int endBlock = (int)((long)blocks.Count * (chunk + 1) / plan.Chunks);
        float* tile = scratch, panels = scratch + MicroKernel.MaxMr<L>() * TileColumns;
        nint panelStride = (nint)depth * TileColumns;
        bool accumulate = product.Accumulate || start > 0, last = start + depth == product.Depth;
        if (product.PackedB != null)
        {
            panelStride = (nint)product.Depth * TileColumns;
            panels = product.PackedB + firstPanel * panelStride + (nint)start * TileColumns;
        }
        else
        {
            for (int panel = firstPanel; panel < endPanel; panel++)
                Packing.Strip<L>(product.B + start * product.BDepth + panel * TileColumns * product.BColumn, product.BColumn,
                    product.BDepth, Math.Min(TileColumns, product.Columns - panel * TileColumns), TileColumns, depth,
                    panels + (panel - firstPanel) * panelStride);
        }
        // The unit after the ones that are claimed now is likely to be this worker's: each of this unit's tiles
        // fetches a share of its panels.
        int nextGroup = (unit + plan.Threads) / plan.Chunks, fetchers = endBlock - firstBlock;
        bool fetches = product.PackedB != null && nextGroup > group && nextGroup < plan.Groups;
        nint aheadStep = fetches ? (TileColumns * sizeof(float) + fetchers - 1) / fetchers : 0;
        byte* ahead = fetches ? (byte*)(panels + (nextGroup - group) * plan.GroupPanels * panelStride) : null;
        for (int block = firstBlock; block < endBlock; block++)
        {
            int row = blocks.Start(block), rows = blocks.Size(block);
            float* a = product.A + row * product.ARow + start;
            nint aRow = product.ARow, aDepth = 1;
            if (packedA != null)
            {
                a = packedA + (nint)block * depth * StripRows;
                (aRow, aDepth) = (1, StripRows);
            }
            for (int panel = firstPanel; panel < endPanel; panel++)
            {
                int column = panel * TileColumns, columns = Math.Min(TileColumns, product.Columns - column);
                float* b = panels + (panel - firstPanel) * panelStride;
                float* c = product.C + row * product.CRow + column;
                byte* share = fetches
                    ? ahead + (panel - firstPanel) * panelStride * sizeof(float) + (block - firstBlock) * aheadStep * depth
                    : null;
                bool finishes = last && typeof(TEpilogue) != typeof(NoEpilogue);
                if (columns == TileColumns)
                    Prefetch(c, product.CRow, rows);
                if (columns == TileColumns && !finishes)
                {
                    Tile(rows, a, aRow, aDepth, b, c, product.CRow, depth, product.Scale, accumulate, share, aheadStep);
                    continue;
                }
                // Not to C and back, which costs more with two threads: the lines of C may be another core's.
                Tile(rows, a, aRow, aDepth, b, tile, TileColumns, depth, product.Scale, false, share, aheadStep);
                if (finishes)
                    Finish(in epilogue, tile, c, product.CRow, row, rows, column, columns, accumulate);
                else
                    CopyEdge(tile, c, product.CRow, rows, columns, accumulate);
            }
        }
    }

    // The tile is written, or read and written, when its sums are done: by then it should have come.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Prefetch(float* c, nint cRow, int rows)
    {
        if (!Sse.IsSupported)
            return;
        for (int row = 0; row < rows; row++, c += cRow)
            for (int column = 0; column < TileColumns; column += CacheLineFloats)
                Sse.Prefetch0(c + column);
    }

    private static void CopyEdge(float* tile, float* c, nint cRow, int rows, int columns, bool accumulate)
    {
        for (int row = 0; row < rows; row++, tile += TileColumns, c += cRow)
            for (int column = 0; column < columns; column++)
                c[column] = accumulate ? c[column] + tile[column] : tile[column];
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Finish(in TEpilogue epilogue, float* tile, float* c, nint cRow, int firstRow, int rows, int firstColumn,
        int columns, bool accumulate)
    {
        for (int row = 0; row < rows; row++, tile += TileColumns, c += cRow)
        {
            int column = 0;
            for (; column + L.Count <= columns; column += L.Count)
            {
                L product = L.Load(tile + column);
                if (accumulate)
                    product += L.Load(c + column);
                epilogue.Apply(product, firstRow + row, firstColumn + column, L.Count).Store(c + column);
            }
            int rest = columns - column;
            if (rest > 0)
            {
                L product = L.LoadPartial(tile + column, rest);
                if (accumulate)
                    product += L.LoadPartial(c + column, rest);
                epilogue.Apply(product, firstRow + row, firstColumn + column, rest).StorePartial(c + column, rest);
            }
        }
    }

    private static void Tile(int rows, float* a, nint aRow, nint aDepth, float* b, float* c, nint cRow, int depth, float scale,
        bool accumulate, byte* ahead, nint aheadStep)
    {
        if (depth == 0)
        {
            for (int row = 0; row < rows && !accumulate; row++)
                new Span<float>(c + row * cRow, TileColumns).Clear();
            return;
        }
        MicroKernel.Run<L, N2>(rows, depth, a, aRow, aDepth, b, TileColumns, c, cRow, scale, accumulate, ahead,
            aheadStep);
    }
}
