using System.Runtime.CompilerServices;
using Cliper.Kernels.Devices;
using Cliper.Kernels.Simd;

namespace Cliper.Kernels.Operations;

public static unsafe partial class MatMul
{
    private static void RunHost<TEpilogue>(HostDevice host, Matrix a, Matrix b, PackedMatrix? packed, Matrix c,
        TEpilogue epilogue, bool accumulate, float scale) where TEpilogue : struct, IEpilogue
    {
        if (c.Rows == 0 || c.Columns == 0)
            return;
        var product = new HostProduct
        {
            Rows = c.Rows,
            Columns = c.Columns,
            Depth = a.Columns,
            A = a.Data.Floats,
            ARow = (nint)a.RowStride,
            ADepth = (nint)a.ColumnStride,
            B = b.Data.Floats,
            BDepth = (nint)b.RowStride,
            BColumn = (nint)b.ColumnStride,
            PackedB = packed is null ? null : packed.Data.Floats,
            C = c.Data.Floats,
            CRow = (nint)c.RowStride,
            Accumulate = accumulate,
            Scale = scale,
        };
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

    private static void BatchedHost(HostDevice host, Matrix a, long strideA, Matrix b, long strideB, Matrix c, long strideC,
        int count, bool accumulate, float scale)
    {
        for (int i = 0; i < count; i++)
            RunHost(host, At(a, strideA, i), At(b, strideB, i), null, At(c, strideC, i), default(NoEpilogue), accumulate, scale);
    }

    internal static PackedMatrix PackHost(HostDevice host, Matrix b) => host.Level switch
    {
        SimdLevel.Avx512 => HostProducts<Lanes512, NoEpilogue>.Pack(host, b),
        SimdLevel.Avx2 => HostProducts<Lanes256, NoEpilogue>.Pack(host, b),
        _ => HostProducts<LanesPortable, NoEpilogue>.Pack(host, b),
    };
}

/// <summary>A product as pointers and strides.</summary>
internal unsafe struct HostProduct
{
    public int Rows, Columns, Depth;
    public float* A;
    public nint ARow, ADepth;
    public float* B;
    public nint BDepth, BColumn;
    public float* PackedB;
    public float* C;
    public nint CRow;
    public bool Accumulate;
    public float Scale;
}

/// <summary>
/// The product on the host. C is cut into units of some panels (one tile wide) by some blocks (one tile high), which the
/// workers claim. A unit keeps its panels of B in the second-level cache and passes the rows of A along them; for B that is
/// not packed yet, the unit packs them there. A is read where it lies if its rows are contiguous, else packed first.
/// </summary>
internal static unsafe class HostProducts<L, TEpilogue>
    where L : struct, ILanes<L>
    where TEpilogue : struct, IEpilogue
{
    // Longest part of a sum kept in registers before it goes to C: longer parts write C less often, but two strips of
    // this depth have to fit the first-level cache.
    private const int MaxDepth = 1024;

    // Bytes of B that a unit holds in the second-level cache (1 MB here, 256 KB and more elsewhere).
    private const int GroupBytes = 400 << 10;

    private const int UnitsPerThread = 8;

    private const int RowsWorthPacking = 256;

    private static int TileColumns => 2 * L.Count;

    // Rows of a packed strip of A, of which MaxRows count: whole registers.
    private static int StripRows => (MicroKernel.MaxRows<L>() + L.Count - 1) / L.Count * L.Count;

    public static PackedMatrix Pack(HostDevice host, Matrix b)
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

    public static void Run(HostDevice host, HostProduct product, TEpilogue epilogue)
    {
        var blocks = new Partition(product.Rows, MicroKernel.MaxRows<L>());
        int panels = (product.Columns + TileColumns - 1) / TileColumns, depth = product.Depth;
        int depthParts = Math.Max(1, (depth + MaxDepth - 1) / MaxDepth);
        int depthStep = Math.Max(1, ((depth + depthParts - 1) / depthParts + 15) / 16 * 16);

        int units = host.Threads == 1 ? 1 : UnitsPerThread * host.Threads;
        int groupPanels = Math.Clamp(GroupBytes / (TileColumns * depthStep * sizeof(float)), 1, panels);
        int groups = (panels + groupPanels - 1) / groupPanels;
        int mostChunks = product.PackedB != null ? blocks.Count / 4 : product.Rows / RowsWorthPacking;
        int chunks = Math.Clamp((units + groups - 1) / groups, 1, Math.Max(1, mostChunks));
        if (groups * chunks < units)
        {
            groupPanels = Math.Max(1, panels * chunks / units);
            groups = (panels + groupPanels - 1) / groupPanels;
        }

        bool packA = product.ADepth != 1 || SharesCacheSets(product.ARow, blocks);
        DeviceArray strips = packA ? host.Allocate(blocks.Count * (long)StripRows * depthStep) : default;
        float* packedA = strips.Floats;
        long scratch = (long)MicroKernel.MaxRows<L>() * TileColumns
            + (product.PackedB == null ? (long)groupPanels * TileColumns * depthStep : 0);
        for (int part = 0; part < depth || part == 0; part += depthStep)
        {
            int start = part, length = Math.Min(depthStep, depth - part);
            if (packA)
                PackA(host, product, blocks, start, length, packedA);
            host.Pool.Run(groups * chunks, (unit, worker) =>
            {
                int group = unit / chunks, chunk = unit % chunks;
                Unit(in product, in epilogue, blocks, packedA, (float*)host.Pool.Scratch(worker, scratch * sizeof(float)),
                    start, length, (int)((long)blocks.Count * chunk / chunks), (int)((long)blocks.Count * (chunk + 1) / chunks),
                    group * groupPanels, Math.Min(panels, (group + 1) * groupPanels));
            });
        }
        host.Free(strips);
    }

    // Rows a multiple of 4 KiB apart fall into the same sets of the first-level cache and throw each other out.
    private static bool SharesCacheSets(nint rowStride, Partition blocks) =>
        rowStride % 1024 == 0 && blocks.Size(blocks.Count - 1) > 8;

    private static void PackA(HostDevice host, HostProduct product, Partition blocks, int start, int depth, float* strips)
    {
        const int BlocksPerUnit = 8;
        host.Pool.Run((blocks.Count + BlocksPerUnit - 1) / BlocksPerUnit, (unit, _) =>
            Packing.Strips<L>(product.A + start * product.ADepth, product.ARow, product.ADepth, blocks, unit * BlocksPerUnit,
                Math.Min(blocks.Count, (unit + 1) * BlocksPerUnit), StripRows, depth, strips, (nint)StripRows * depth));
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Unit(in HostProduct product, in TEpilogue epilogue, Partition blocks, float* packedA, float* scratch,
        int start, int depth, int firstBlock, int endBlock, int firstPanel, int endPanel)
    {
        float* edge = scratch, panels = scratch + MicroKernel.MaxRows<L>() * TileColumns;
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
                if (columns == TileColumns)
                {
                    Tile(rows, a, aRow, aDepth, b, c, product.CRow, depth, product.Scale, accumulate);
                }
                else
                {
                    Tile(rows, a, aRow, aDepth, b, edge, TileColumns, depth, product.Scale, false);
                    CopyEdge(edge, c, product.CRow, rows, columns, accumulate);
                }
                if (last && typeof(TEpilogue) != typeof(NoEpilogue))
                    Finish(in epilogue, c, product.CRow, row, rows, column, columns);
            }
        }
    }

    private static void CopyEdge(float* tile, float* c, nint cRow, int rows, int columns, bool accumulate)
    {
        for (int row = 0; row < rows; row++, tile += TileColumns, c += cRow)
            for (int column = 0; column < columns; column++)
                c[column] = accumulate ? c[column] + tile[column] : tile[column];
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Finish(in TEpilogue epilogue, float* c, nint cRow, int firstRow, int rows, int firstColumn, int columns)
    {
        for (int row = 0; row < rows; row++, c += cRow)
        {
            int column = 0;
            for (; column + L.Count <= columns; column += L.Count)
                epilogue.Apply(L.Load(c + column), firstRow + row, firstColumn + column, L.Count).Store(c + column);
            int rest = columns - column;
            if (rest > 0)
                epilogue.Apply(L.LoadPartial(c + column, rest), firstRow + row, firstColumn + column, rest)
                    .StorePartial(c + column, rest);
        }
    }

    private static void Tile(int rows, float* a, nint aRow, nint aDepth, float* b, float* c, nint cRow, int depth, float scale,
        bool accumulate)
    {
        if (depth == 0)
        {
            for (int row = 0; row < rows && !accumulate; row++)
                new Span<float>(c + row * cRow, TileColumns).Clear();
            return;
        }
        MicroKernel.Run<L, MicroKernel.N2>(rows, depth, a, aRow, aDepth, b, TileColumns, c, cRow, scale, accumulate);
    }
}
