using System.Runtime.CompilerServices;
using Cliper.Kernels.Gpu.Compiler;
using Cliper.Kernels.Gpu.DeviceCode;
using Cliper.Kernels.Gpu.Runtime;
using Cliper.Kernels.Memory;
using ILGPU;

namespace Cliper.Kernels.Operations;

/// <summary>
/// Attention on tensor cores in the form of FlashAttention-2 (Dao 2023, arXiv 2307.08691): heads of up to 64, 16-bit operands, the
/// softmax in fp32 and never in memory. A warp keeps 16 rows of one side in registers, a block has 64 or 128, and goes through the other
/// side in tiles of 64 rows, the next on its way meanwhile. Within a tile it takes groups of 16 rows, as far as there are any: padding and
/// what a causal mask hides cost nothing, and only groups at those edges are masked. The backward has a kernel for dk and dv and one for
/// dq, each of which owns what it writes: two products more than with atomic additions, and the same bits every time.
/// </summary>
internal static class MmaSyncAttention
{
    /// <summary>Largest head; a smaller one is filled with zeros.</summary>
    public const int MaxHeadSize = 64;

    // A row of a tile, a group of 16 rows, which is what an mma takes, and a tile.
    private const int TileRows = 64, GroupRows = 16, RowBytes = 2 * MaxHeadSize, GroupBytes = GroupRows * RowBytes,
        TileBytes = TileRows * RowBytes;

    // A query's log-sum-exp and delta.
    private const int StatisticBytes = 8, StatisticTileBytes = TileRows * StatisticBytes;

    private const float Log2OfE = 1.44269504f, LogOf2 = 0.69314718f;

    // mma and ldmatrix: 8 and 4 for each product of 16 rows with a group of 16, and 4 ldmatrix for each operand of the own rows. The
    // loop without a mask stands in the text beside the one with it; forward, the former takes two groups at a time. cp.async: 4 for own
    // rows, 4 or, with 128 rows, 2 for a tile, each before and in the loop, 2 for statistics.
    private static readonly KernelFamily
        ForwardKernels = Make<Rows64>(nameof(ForwardBlock), "Attention forward", 4, 128, 4, (48, 28, 20)),
        LongForwardKernels = Make<Rows128>(nameof(ForwardBlock), "Attention forward", 2, 128, 4, (48, 28, 12)),
        StatisticKernels = new(typeof(MmaSyncAttention), nameof(RowStatistics), "Attention statistics", StatisticThreads, 1, 48),
        KeyKernels = Make<Rows64>(nameof(BackwardKeys), "Attention backward keys", 3, 168, 4, (64, 40, 26), 2 * StatisticTileBytes),
        QueryKernels = Make<Rows64>(nameof(BackwardQueries), "Attention backward queries", 4, 128, 4, (48, 32, 24)),
        LongQueryKernels = Make<Rows128>(nameof(BackwardQueries), "Attention backward queries", 2, 128, 6, (48, 32, 16));

    public static IEnumerable<GpuKernel> Kernels => Dtypes.All16.Select(type => type.Dtype()).SelectMany(format => new[]
    {
        ForwardKernels[format, typeof(Rows64)], LongForwardKernels[format, typeof(Rows128)], StatisticKernels[format],
        KeyKernels[format, typeof(Rows64)], QueryKernels[format, typeof(Rows64)], LongQueryKernels[format, typeof(Rows128)],
    });

    // Tiles begin at the first multiple of a row's bytes in shared memory.
    private static KernelFamily Make<TBlock>(string method, string name, int blocks, int registers, int tiles, (int, int, int) instructions,
        int moreShared = 0) where TBlock : struct, IBlock =>
        new(typeof(MmaSyncAttention), method, name, TBlock.Warps * 32, blocks, registers,
            tiles * TileBytes + moreShared + RowBytes - 16, GpuTarget.MmaSync)
        { Instructions = instructions };

    public static void Forward(GpuDevice gpu, in Attention.Sizes sizes, in Attention.Operand q, in Attention.Operand k,
        in Attention.Operand v, DeviceArray keyLengths, in Attention.Operand output, DeviceArray logSumExp)
    {
        GpuKernel kernel = OfQueries(ForwardKernels, LongForwardKernels, sizes, q.Array.Type);
        gpu.Run(kernel, Grid(sizes, sizes.Queries, kernel), q.FromFirst, k.FromFirst, v.FromFirst, output.FromFirst, logSumExp, keyLengths,
            sizes.Queries, sizes.Keys, sizes.HeadSize, sizes.Causal, q.Stride, k.Stride, v.Stride, output.Stride,
            Log2OfE / MathF.Sqrt(sizes.HeadSize));
    }

    /// <summary>As <see cref="Attention.Backward"/>, given what <see cref="Statistics"/> computes.</summary>
    public static void Backward(GpuDevice gpu, in Attention.Sizes sizes, in Attention.Operand q, in Attention.Operand k,
        in Attention.Operand v, DeviceArray keyLengths, DeviceArray statistics, in Attention.Operand doutput,
        in Attention.Operand dq, bool accumulateQ, in Attention.Operand dk, in Attention.Operand dv, bool accumulateKv)
    {
        float scale = Log2OfE / MathF.Sqrt(sizes.HeadSize);
        if (!dk.IsNull)
        {
            GpuKernel kernel = KeyKernels[q.Array.Type.Dtype(), typeof(Rows64)];
            gpu.Run(kernel, Grid(sizes, sizes.Keys, kernel), q.FromFirst, k.FromFirst, v.FromFirst, doutput.FromFirst, statistics,
                keyLengths, dk.FromFirst, dv.FromFirst, sizes.Queries, sizes.Keys, sizes.HeadSize, sizes.Causal, q.Stride, k.Stride,
                v.Stride, doutput.Stride, dk.Stride, dv.Stride, scale, accumulateKv);
        }
        if (!dq.IsNull)
        {
            GpuKernel kernel = OfQueries(QueryKernels, LongQueryKernels, sizes, q.Array.Type);
            gpu.Run(kernel, Grid(sizes, sizes.Queries, kernel), q.FromFirst, k.FromFirst, v.FromFirst, doutput.FromFirst, statistics,
                keyLengths, dq.FromFirst, sizes.Queries, sizes.Keys, sizes.HeadSize, sizes.Causal, q.Stride, k.Stride, v.Stride,
                doutput.Stride, dq.Stride, scale, accumulateQ);
        }
    }

    // The more rows a block has, the fewer times keys and values are read; of a single tile's, half of the larger block would be idle.
    private static GpuKernel OfQueries(KernelFamily few, KernelFamily many, in Attention.Sizes sizes, ElementType type) =>
        sizes.Queries > TileRows ? many[type.Dtype(), typeof(Rows128)] : few[type.Dtype(), typeof(Rows64)];

    // A warp of a block has 16 rows.
    private static Blocks Grid(in Attention.Sizes sizes, int rows, GpuKernel kernel) =>
        new(Blocks.Cover(rows, kernel.Threads / 32 * GroupRows), sizes.Heads, sizes.Samples);

    /// <summary>How many rows a block has of the side that it keeps, 16 a warp.</summary>
    private interface IBlock
    {
        static abstract int Warps { get; }

        /// <summary>The copies that a thread makes of a tile.</summary>
        static abstract void ForCopies<TBody>(ref TBody step) where TBody : struct, IUnrolledBody;
    }

    private readonly struct Rows64 : IBlock
    {
        public static int Warps => 4;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static void ForCopies<TBody>(ref TBody step) where TBody : struct, IUnrolledBody => Unroll4.For(ref step);
    }

    private readonly struct Rows128 : IBlock
    {
        public static int Warps => 8;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static void ForCopies<TBody>(ref TBody step) where TBody : struct, IUnrolledBody => Unroll2.For(ref step);
    }

    // A multiple of a row's bytes, so that what the swizzle does to a chunk's number can be done to its address.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static int SharedTiles() => Ptx.SharedAddress(ref SharedMemory.GetDynamic<U4>()[0]) + RowBytes - 1 & -RowBytes;

    // Byte offset of a 16-byte chunk of a tile's row; swizzled so that ldmatrix reads eight rows from different banks.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static int Swizzled(int row, int chunk) => row * RowBytes + ((chunk ^ (row & 7)) << 4);

    // A lane's address for ldmatrix is that of the tile, plus this for the first 16 columns of the first 16 rows. The next 16 rows are
    // GroupBytes further; the next 16 columns two chunks, which is an exclusive or in spite of the swizzle. Of a left operand, or one whose
    // rows are summed over:
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static int Straight(int lane) => Swizzled(lane & 15, lane >> 4);

    // Of a right operand whose columns are summed over:
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static int Crossed(int lane) => Swizzled((lane & 7) + (lane >> 4 << 3), lane >> 3 & 1);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static int ColumnsFurther(int address, int sixteens) => address ^ sixteens << 5;

    /// <summary>How a thread copies tiles of an operand: 16 bytes of a row and of every some rows further.</summary>
    private struct TileCopy : IUnrolledBody
    {
        // From: the chunk's address in the head's row 0. To: that in the tile's row Row, the thread's first, which is beyond all rows where
        // the chunk is not in the head.
        public long From;
        public int To, Row, RowsAtOnce, StrideBytes, First, End;

        public void Run(int index)
        {
            int row = First + Row + index * RowsAtOnce;
            Ptx.CopyAsync(To + index * RowsAtOnce * RowBytes, Ptx.Offset(From, row, StrideBytes), row < End ? 16 : 0);
        }
    }

    // The block's head of an operand with this many rows a sample.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static GlobalPtr16<TDtype> OfHead<TDtype>(GlobalPtr16<TDtype> x, int rows, int stride, int headSize) where TDtype : struct, IDtype16 =>
        new(Ptx.Offset(x.At(ILGPU.Grid.IdxY * headSize), ILGPU.Grid.IdxZ * rows, stride * 2));

    // Of statistics with this many numbers a head.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static GlobalPtrFp32 OfHead(GlobalPtrFp32 x, int count) =>
        new(Ptx.Offset(x.At(0), ILGPU.Grid.IdxZ * ILGPU.Grid.DimY + ILGPU.Grid.IdxY, count * 4));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static TileCopy CopyOf<TDtype>(GlobalPtr16<TDtype> source, int rows, int stride, int headSize, int warps)
        where TDtype : struct, IDtype16
    {
        int chunk = Group.IdxX & 7;
        TileCopy copy;
        copy.From = OfHead(source, rows, stride, headSize).At(chunk * 8);
        (copy.RowsAtOnce, copy.StrideBytes) = (warps * 4, stride * 2);
        copy.Row = chunk * 8 < headSize ? Group.IdxX >> 3 : int.MaxValue / 2;
        (copy.To, copy.First, copy.End) = (Swizzled(Group.IdxX >> 3, chunk), 0, 0);
        return copy;
    }

    // Starts the copy of rows [first, first + 64); those from end on, and columns beyond the head, become zero.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void CopyTile<TBlock>(TileCopy copy, int tile, int first, int end) where TBlock : struct, IBlock
    {
        copy.To += tile;
        (copy.First, copy.End) = (first, end);
        TBlock.ForCopies(ref copy);
    }

    // As above, of the block's own rows, 16 a warp.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void CopyOwn(TileCopy copy, int tile, int first, int end)
    {
        copy.To += tile;
        (copy.First, copy.End) = (first, end);
        Unroll4.For(ref copy);
    }

    private struct ZeroStep : IUnrolledBody
    {
        public ArrayView<F4> Sums;

        public void Run(int index) => Sums[index] = default;
    }

    private struct LoadStep : IUnrolledBody
    {
        public ArrayView<U4> Rows;
        public int Place;

        public void Run(int index) => Rows[index] = Ptx.LoadMatrices(ColumnsFurther(Place, index));
    }

    /// <summary>The 16 rows at an address as a left operand.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void LoadRows(ArrayView<U4> rows, int address, int lane)
    {
        LoadStep step;
        (step.Rows, step.Place) = (rows, address + Straight(lane));
        Unroll4.For(ref step);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Multiply<TDtype>(ArrayView<F4> sums, int pair, U4 left, U4 right)
        where TDtype : struct, IDtype16
    {
        sums[2 * pair] = TDtype.Mma(sums[2 * pair], left, right.X, right.Y);
        sums[2 * pair + 1] = TDtype.Mma(sums[2 * pair + 1], left, right.Z, right.W);
    }

    private struct RowsGroupStep<TDtype> : IUnrolledBody where TDtype : struct, IDtype16
    {
        public ArrayView<F4> Sums;
        public U4 Left;
        public int Place;

        public void Run(int index) => Multiply<TDtype>(Sums, index, Left, Ptx.LoadMatrices(Place + index * GroupBytes));
    }

    private struct RowsStep<TDtype, TGroups> : IUnrolledBody where TDtype : struct, IDtype16 where TGroups : struct, ICount
    {
        public ArrayView<F4> Sums;
        public ArrayView<U4> Left;
        public int Place, Offset;

        public void Run(int index)
        {
            RowsGroupStep<TDtype> step;
            (step.Sums, step.Left, step.Place) = (Sums, Left[index], ColumnsFurther(Place, index) + Offset);
            TGroups.For(ref step);
        }
    }

    /// <summary>sums = 16 rows times some groups of rows, over the head's columns. The groups lie at place + offset, of which only the
    /// place is a <see cref="Crossed"/> one: the offset, a constant, becomes part of the instruction.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void RowsTimesRows<TDtype, TGroups>(ArrayView<F4> sums, ArrayView<U4> left, int place, int offset)
        where TDtype : struct, IDtype16 where TGroups : struct, ICount
    {
        ZeroStep zero;
        zero.Sums = sums;
        Twice<TGroups>.For(ref zero);
        RowsStep<TDtype, TGroups> step;
        (step.Sums, step.Left, step.Place, step.Offset) = (sums, left, place, offset);
        Unroll4.For(ref step);
    }

    private struct ColumnsPairStep<TDtype> : IUnrolledBody where TDtype : struct, IDtype16
    {
        public ArrayView<F4> Sums;
        public U4 Left;
        public int Place, Offset;

        public void Run(int index) =>
            Multiply<TDtype>(Sums, index, Left, Ptx.LoadMatricesTransposed(ColumnsFurther(Place, index) + Offset));
    }

    private struct ColumnsStep<TDtype> : IUnrolledBody where TDtype : struct, IDtype16
    {
        public ArrayView<F4> Left, Sums;
        public int Place, Offset;

        public void Run(int index)
        {
            F4 low = Left[2 * index], high = Left[2 * index + 1];
            ColumnsPairStep<TDtype> step;
            step.Left.X = TDtype.PackX2(low.X, low.Y);
            step.Left.Y = TDtype.PackX2(low.Z, low.W);
            step.Left.Z = TDtype.PackX2(high.X, high.Y);
            step.Left.W = TDtype.PackX2(high.Z, high.W);
            (step.Sums, step.Place, step.Offset) = (Sums, Place, Offset + index * GroupBytes);
            Unroll4.For(ref step);
        }
    }

    /// <summary>sums += left, 16 rows of as many columns as there are rows in the groups, in registers and rounded, times those rows;
    /// they lie at a <see cref="Straight"/> place and a constant offset.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void AddTimesRows<TDtype, TGroups>(ArrayView<F4> sums, ArrayView<F4> left, int place, int offset)
        where TDtype : struct, IDtype16 where TGroups : struct, ICount
    {
        ColumnsStep<TDtype> step;
        (step.Left, step.Sums, step.Place, step.Offset) = (left, sums, place, offset);
        TGroups.For(ref step);
    }

    // Half of a lane's two rows.
    private struct StoreStep<TDtype> : IUnrolledBody where TDtype : struct, IDtype16
    {
        public ArrayView<F4> Sums;
        public GlobalPtr16<TDtype> Row0, Row1;
        public int Columns0, Columns1, Accumulate;
        public float Scale0, Scale1;

        public void Run(int index)
        {
            F4 s = Sums[index * 4], t = Sums[index * 4 + 1], u = Sums[index * 4 + 2], v = Sums[index * 4 + 3];
            Vec8 first, second;
            (first.A, first.B, first.C, first.D, first.E, first.F, first.G, first.H) = (s.X, s.Y, t.X, t.Y, u.X, u.Y, v.X, v.Y);
            (second.A, second.B, second.C, second.D, second.E, second.F, second.G, second.H) = (s.Z, s.W, t.Z, t.W, u.Z, u.W, v.Z, v.W);
            Store(Row0, index * 32, Vec8.Scale(first, Scale0), Columns0 - index * 32);
            Store(Row1, index * 32, Vec8.Scale(second, Scale1), Columns1 - index * 32);
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        private void Store(GlobalPtr16<TDtype> row, int column, Vec8 value, int count)
        {
            if (Accumulate != 0)
                value = Vec8.Add(value, row.LoadPairs(column, count, 1));
            row.StorePairs(column, value, count, 1);
        }
    }

    /// <summary>Writes a warp's sums, or adds them, to its rows of the head, as far as they are there.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Store<TDtype>(ArrayView<F4> sums, GlobalPtr16<TDtype> target, int row, int rows, int stride, int headSize,
        int accumulate, float scale0, float scale1) where TDtype : struct, IDtype16
    {
        StoreStep<TDtype> store;
        (store.Sums, store.Accumulate, store.Scale0, store.Scale1) = (sums, accumulate, scale0, scale1);
        store.Row0 = new GlobalPtr16<TDtype>(Ptx.Offset(OfHead(target, rows, stride, headSize).At(0), row, stride * 2));
        store.Row1 = new GlobalPtr16<TDtype>(store.Row0.At(8L * stride));
        store.Columns0 = row < rows ? headSize : 0;
        store.Columns1 = row + 8 < rows ? headSize : 0;
        Unroll2.For(ref store);
    }

    /// <summary>Which keys are seen by a block's queries.</summary>
    private struct Seen
    {
        // Keys before Limit are there; any of the block's queries see those before End, any of the warp's those before Some, and all of the
        // warp's those before All.
        public int Limit, End, Some, All;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static int FirstOfWarp<TBlock>() where TBlock : struct, IBlock =>
        (ILGPU.Grid.IdxX * TBlock.Warps + (Group.IdxX >> 5)) * GroupRows;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Seen SeenBy<TBlock>(int queries, int keys, GlobalPtrInt32 keyLengths, int causal) where TBlock : struct, IBlock
    {
        int first = FirstOfWarp<TBlock>();
        Seen seen;
        seen.Limit = keyLengths.IsNull ? keys : keyLengths.Load(ILGPU.Grid.IdxZ);
        (seen.End, seen.Some, seen.All) = (seen.Limit, seen.Limit, seen.Limit);
        if (causal != 0)
        {
            seen.End = IntrinsicMath.Min(seen.Limit, (ILGPU.Grid.IdxX + 1) * TBlock.Warps * GroupRows);
            seen.Some = IntrinsicMath.Min(seen.Limit, first + GroupRows);
            seen.All = IntrinsicMath.Min(seen.Limit, first + 1);
        }
        if (first >= queries)
            (seen.Some, seen.All) = (0, 0);
        return seen;
    }

    private struct MaskStep : IUnrolledBody
    {
        public ArrayView<F4> Scores;
        public int Column, Limit0, Limit1;

        public void Run(int index)
        {
            F4 s = Scores[index];
            int column = Column + index * 8;
            s.X = column < Limit0 ? s.X : float.NegativeInfinity;
            s.Y = column + 1 < Limit0 ? s.Y : float.NegativeInfinity;
            s.Z = column < Limit1 ? s.Z : float.NegativeInfinity;
            s.W = column + 1 < Limit1 ? s.W : float.NegativeInfinity;
            Scores[index] = s;
        }
    }

    private struct MaxStep : IUnrolledBody
    {
        public ArrayView<F4> Scores;
        public float Max0, Max1;

        public void Run(int index)
        {
            F4 s = Scores[index];
            Max0 = Ptx.MaxNaN(Max0, Ptx.MaxNaN(s.X, s.Y));
            Max1 = Ptx.MaxNaN(Max1, Ptx.MaxNaN(s.Z, s.W));
        }
    }

    private struct ExponentStep : IUnrolledBody
    {
        public ArrayView<F4> Scores;
        public float Scale, Base0, Base1, Sum0, Sum1;

        public void Run(int index)
        {
            F4 s = Scores[index];
            s.X = Ptx.Exp2(Ptx.Fma(s.X, Scale, -Base0));
            s.Y = Ptx.Exp2(Ptx.Fma(s.Y, Scale, -Base0));
            s.Z = Ptx.Exp2(Ptx.Fma(s.Z, Scale, -Base1));
            s.W = Ptx.Exp2(Ptx.Fma(s.W, Scale, -Base1));
            Sum0 += s.X + s.Y;
            Sum1 += s.Z + s.W;
            Scores[index] = s;
        }
    }

    private struct ScaleStep : IUnrolledBody
    {
        public ArrayView<F4> Sums;
        public float Scale0, Scale1;

        public void Run(int index)
        {
            F4 s = Sums[index];
            (s.X, s.Y, s.Z, s.W) = (s.X * Scale0, s.Y * Scale0, s.Z * Scale1, s.W * Scale1);
            Sums[index] = s;
        }
    }

    /// <summary>The softmax of a lane's two rows so far: the sums of 2^(scale score - base).</summary>
    private struct Softmax
    {
        // By so much, in powers of two, a score may exceed the base before it is raised. Any base gives the same quotients; this keeps
        // the largest probability between 1 and 256, far within fp16, and spares multiplying all sums whenever a maximum grows.
        private const float Slack = 8;

        public float Scale, Base0, Base1, Sum0, Sum1;

        /// <summary>Makes probabilities of some groups' scores, and scales the sums that were weighted so where the base changes.</summary>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public void Apply<TGroups>(ArrayView<F4> scores, ArrayView<F4> sums) where TGroups : struct, ICount
        {
            MaxStep max;
            (max.Scores, max.Max0, max.Max1) = (scores, float.NegativeInfinity, float.NegativeInfinity);
            Twice<TGroups>.For(ref max);
            float max0 = Ptx.QuadMax(max.Max0) * Scale, max1 = Ptx.QuadMax(max.Max1) * Scale;
            // False with NaN, which then is the base.
            bool within = max0 <= Base0 + Slack & max1 <= Base1 + Slack;
            if (!within)
            {
                max0 = Ptx.MaxNaN(Base0, max0);
                max1 = Ptx.MaxNaN(Base1, max1);
                ScaleStep rescale;
                (rescale.Sums, rescale.Scale0, rescale.Scale1) = (sums, Ptx.Exp2(Base0 - max0), Ptx.Exp2(Base1 - max1));
                Unroll8.For(ref rescale);
                (Base0, Base1, Sum0, Sum1) = (max0, max1, Sum0 * rescale.Scale0, Sum1 * rescale.Scale1);
            }
            ExponentStep exponent;
            (exponent.Scores, exponent.Scale, exponent.Base0, exponent.Base1) = (scores, Scale, Base0, Base1);
            (exponent.Sum0, exponent.Sum1) = (Sum0, Sum1);
            Twice<TGroups>.For(ref exponent);
            (Sum0, Sum1) = (exponent.Sum0, exponent.Sum1);
        }
    }

    private static void ForwardBlock<TDtype, TBlock>(GlobalPtr16<TDtype> q, GlobalPtr16<TDtype> k, GlobalPtr16<TDtype> v, GlobalPtr16<TDtype> output,
        GlobalPtrFp32 logSumExp, GlobalPtrInt32 keyLengths, int queries, int keys, int headSize, int causal, int strideQ, int strideK, int strideV,
        int strideOut, float scale) where TDtype : struct, IDtype16 where TBlock : struct, IBlock
    {
        ArrayView<F4> scores = LocalMemory.Allocate<F4>(4), sums = LocalMemory.Allocate<F4>(8);
        ArrayView<U4> own = LocalMemory.Allocate<U4>(4);
        int lane = Group.IdxX & 31, warp = Group.IdxX >> 5;
        int first = ILGPU.Grid.IdxX * TBlock.Warps * GroupRows, row = FirstOfWarp<TBlock>() + (lane >> 2);
        Seen seen = SeenBy<TBlock>(queries, keys, keyLengths, causal);
        int now = SharedTiles(), next = now + 2 * TileBytes;
        TileCopy copyK = CopyOf(k, keys, strideK, headSize, TBlock.Warps),
            copyV = CopyOf(v, keys, strideV, headSize, TBlock.Warps);
        // The queries lie where the second tiles of keys and values come when everybody has taken theirs.
        CopyOwn(CopyOf(q, queries, strideQ, headSize, TBlock.Warps), next, first, queries);
        Ptx.CommitCopies();
        CopyTile<TBlock>(copyK, now, 0, seen.Limit);
        CopyTile<TBlock>(copyV, now + TileBytes, 0, seen.Limit);
        Ptx.CommitCopies();
        Ptx.WaitForAllCopiesButOne();
        Group.Barrier();
        LoadRows(own, next + warp * GroupBytes, lane);
        ZeroStep zero;
        zero.Sums = sums;
        Unroll8.For(ref zero);
        Softmax softmax;
        (softmax.Scale, softmax.Base0, softmax.Base1) = (scale, float.NegativeInfinity, float.NegativeInfinity);
        (softmax.Sum0, softmax.Sum1) = (0, 0);
        for (int at = 0; at < seen.End; at += TileRows)
        {
            Ptx.WaitForAllCopies();
            // The tiles are complete, and nobody still reads those that are filled next.
            Group.Barrier();
            if (at + TileRows < seen.End)
            {
                CopyTile<TBlock>(copyK, next, at + TileRows, seen.Limit);
                CopyTile<TBlock>(copyV, next + TileBytes, at + TileRows, seen.Limit);
                Ptx.CommitCopies();
            }
            int crossed = now + Crossed(lane), straight = now + Straight(lane), key = at, stop = at + TileRows;
            for (; key + 2 * GroupRows <= IntrinsicMath.Min(seen.All, stop); key += 2 * GroupRows)
            {
                RowsTimesRows<TDtype, Twice<N1>>(scores, own, crossed, 0);
                softmax.Apply<Twice<N1>>(scores, sums);
                AddTimesRows<TDtype, Twice<N1>>(sums, scores, straight, TileBytes);
                crossed += 2 * GroupBytes;
                straight += 2 * GroupBytes;
            }
            for (; key < IntrinsicMath.Min(seen.Some, stop); key += GroupRows)
            {
                RowsTimesRows<TDtype, N1>(scores, own, crossed, 0);
                MaskStep mask;
                (mask.Scores, mask.Column, mask.Limit0, mask.Limit1) = (scores, key + (lane & 3) * 2, seen.Limit, seen.Limit);
                if (causal != 0)
                    (mask.Limit0, mask.Limit1) = (row + 1, row + 9);
                Unroll2.For(ref mask);
                softmax.Apply<N1>(scores, sums);
                AddTimesRows<TDtype, N1>(sums, scores, straight, TileBytes);
                crossed += GroupBytes;
                straight += GroupBytes;
            }
            (now, next) = (next, now);
        }
        float total0 = Ptx.QuadSum(softmax.Sum0), total1 = Ptx.QuadSum(softmax.Sum1);
        Store(sums, output, row, queries, strideOut, headSize, 0, 1 / total0, 1 / total1);
        if ((lane & 3) != 0 || logSumExp.IsNull)
            return;
        GlobalPtrFp32 ofHead = OfHead(logSumExp, queries);
        if (row < queries)
            ofHead.Store(row, (softmax.Base0 + Ptx.Log2(total0)) * LogOf2);
        if (row + 8 < queries)
            ofHead.Store(row + 8, (softmax.Base1 + Ptx.Log2(total1)) * LogOf2);
    }

    private const int StatisticThreads = 128, StatisticLanes = MaxHeadSize / Vec8.Size;

    /// <summary>Rows of a head in what <see cref="Statistics"/> leaves: whole tiles.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int StatisticRows(int queries) => queries + TileRows - 1 & -TileRows;

    /// <summary>
    /// What backward kernels need of a query: the log-sum-exp, in powers of two, and the sum of output * doutput, which is that of
    /// probabilities * their gradients; [samples, heads, <see cref="StatisticRows"/>, 2]. Of any card.
    /// </summary>
    public static void Statistics(GpuDevice gpu, in Attention.Sizes sizes, in Attention.Operand output, in Attention.Operand doutput,
        DeviceArray logSumExp, DeviceArray statistics) =>
        gpu.Run(StatisticKernels[output.Array.Type.Dtype()],
            new Blocks(Blocks.Cover(StatisticRows(sizes.Queries), StatisticThreads / StatisticLanes), sizes.Heads, sizes.Samples),
            output.FromFirst, doutput.FromFirst, logSumExp, statistics, sizes.Queries, StatisticRows(sizes.Queries), sizes.HeadSize,
            output.Stride, doutput.Stride, Vec8.IsVectorizable(sizes.HeadSize, output.Stride, output.FromFirst)
                && Vec8.IsVectorizable(sizes.HeadSize, doutput.Stride, doutput.FromFirst));

    // Eight lanes have a row. One that is not there gets zeros: with zeros for its query and output gradient, nothing comes of it.
    private static void RowStatistics<TDtype>(GlobalPtr16<TDtype> output, GlobalPtr16<TDtype> doutput, GlobalPtrFp32 logSumExp, GlobalPtrFp32 statistics,
        int queries, int rows, int headSize, int strideOut, int strideD, int vectorized) where TDtype : struct, IDtype16
    {
        int row = ILGPU.Grid.IdxX * (StatisticThreads / StatisticLanes) + Group.IdxX / StatisticLanes;
        int column = Group.IdxX % StatisticLanes * Vec8.Size, left = headSize - column;
        long inSample = (long)ILGPU.Grid.IdxZ * queries + row, head = (long)ILGPU.Grid.IdxZ * ILGPU.Grid.DimY + ILGPU.Grid.IdxY;
        long at = ILGPU.Grid.IdxY * headSize + column;
        F2 value = default;
        if (row < queries && left > 0)
        {
            value.X = logSumExp.Load(head * queries + row) * Log2OfE;
            value.Y = Vec8.Sum(Vec8.Multiply(Vec8.Load(output, inSample * strideOut + at, left, vectorized),
                Vec8.Load(doutput, inSample * strideD + at, left, vectorized)));
        }
        value.Y += ILGPU.Warp.ShuffleXor(value.Y, 4);
        value.Y += ILGPU.Warp.ShuffleXor(value.Y, 2);
        value.Y += ILGPU.Warp.ShuffleXor(value.Y, 1);
        if (column == 0)
            statistics.Store2((head * rows + row) * 2, value);
    }

    // Probabilities of 16 keys and 8 queries from transposed scores, and the scores' gradients from the probabilities'.
    private struct KeyGradientStep : IUnrolledBody
    {
        public ArrayView<F4> Scores, Gradients;
        public int Statistics, Query, Key, Masked;
        public float Scale;

        public void Run(int index)
        {
            // Of a lane's two queries.
            F4 s = Scores[index], g = Gradients[index], of = Ptx.LoadShared(Statistics + index * 8 * StatisticBytes);
            int query = Query + index * 8;
            s.X = Probability(s.X, of.X, Key <= query);
            s.Y = Probability(s.Y, of.Z, Key <= query + 1);
            s.Z = Probability(s.Z, of.X, Key + 8 <= query);
            s.W = Probability(s.W, of.Z, Key + 8 <= query + 1);
            (g.X, g.Y, g.Z, g.W) = (s.X * (g.X - of.Y), s.Y * (g.Y - of.W), s.Z * (g.Z - of.Y), s.W * (g.W - of.W));
            Scores[index] = s;
            Gradients[index] = g;
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        private float Probability(float score, float log, bool seen)
        {
            float p = Ptx.Exp2(Ptx.Fma(score, Scale, -log));
            return Masked == 0 || seen ? p : 0f;
        }
    }

    // Nobody sees the keys of some rows, whose probabilities are any numbers.
    private struct HideStep : IUnrolledBody
    {
        public ArrayView<F4> Sums;
        public int Seen0, Seen1;

        public void Run(int index)
        {
            F4 s = Sums[index];
            s.X = Seen0 != 0 ? s.X : 0f;
            s.Y = Seen0 != 0 ? s.Y : 0f;
            s.Z = Seen1 != 0 ? s.Z : 0f;
            s.W = Seen1 != 0 ? s.W : 0f;
            Sums[index] = s;
        }
    }

    // What 16 queries after another give to the gradients by a warp's 16 keys and values.
    private struct KeyGroupStep<TDtype> where TDtype : struct, IDtype16
    {
        public ArrayView<U4> Keys, Values;
        public ArrayView<F4> SumsK, SumsV;
        public int Crossed, Straight;
        public KeyGradientStep Gradient;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public void Add()
        {
            RowsTimesRows<TDtype, N1>(Gradient.Scores, Keys, Crossed, 0);
            RowsTimesRows<TDtype, N1>(Gradient.Gradients, Values, Crossed, TileBytes);
            Unroll2.For(ref Gradient);
            AddTimesRows<TDtype, N1>(SumsV, Gradient.Scores, Straight, TileBytes);
            AddTimesRows<TDtype, N1>(SumsK, Gradient.Gradients, Straight, 0);
            Crossed += GroupBytes;
            Straight += GroupBytes;
            Gradient.Query += GroupRows;
            Gradient.Statistics += GroupRows * StatisticBytes;
        }
    }

    // Gradients by a block's keys and values.
    private static void BackwardKeys<TDtype, TBlock>(GlobalPtr16<TDtype> q, GlobalPtr16<TDtype> k, GlobalPtr16<TDtype> v, GlobalPtr16<TDtype> d,
        GlobalPtrFp32 statistics, GlobalPtrInt32 keyLengths, GlobalPtr16<TDtype> dk, GlobalPtr16<TDtype> dv, int queries, int keys, int headSize,
        int causal, int strideQ, int strideK, int strideV, int strideD, int strideDk, int strideDv, float scale, int accumulate)
        where TDtype : struct, IDtype16 where TBlock : struct, IBlock
    {
        ArrayView<F4> scores = LocalMemory.Allocate<F4>(2), gradients = LocalMemory.Allocate<F4>(2),
            sumsK = LocalMemory.Allocate<F4>(8), sumsV = LocalMemory.Allocate<F4>(8);
        ArrayView<U4> ownKeys = LocalMemory.Allocate<U4>(4), ownValues = LocalMemory.Allocate<U4>(4);
        int lane = Group.IdxX & 31, warp = Group.IdxX >> 5;
        int first = ILGPU.Grid.IdxX * TBlock.Warps * GroupRows, firstOfWarp = FirstOfWarp<TBlock>();
        int limit = keyLengths.IsNull ? keys : keyLengths.Load(ILGPU.Grid.IdxZ);
        // Queries from all on see all keys of the warp, those from some on see some. Nobody sees keys from the limit on.
        int begin = 0, all = 0, some = 0;
        if (causal != 0)
            (begin, all, some) = (first, firstOfWarp + GroupRows, firstOfWarp);
        if (firstOfWarp >= limit)
            (all, some) = (queries, queries);
        int now = SharedTiles(), next = now + 2 * TileBytes;
        int nowStatistics = now + 4 * TileBytes, nextStatistics = nowStatistics + StatisticTileBytes;
        TileCopy copyQ = CopyOf(q, queries, strideQ, headSize, TBlock.Warps),
            copyD = CopyOf(d, queries, strideD, headSize, TBlock.Warps);
        // Keys and values lie where the second tiles of queries and output gradients come when everybody has taken theirs.
        CopyOwn(CopyOf(k, keys, strideK, headSize, TBlock.Warps), next, first, limit);
        CopyOwn(CopyOf(v, keys, strideV, headSize, TBlock.Warps), next + TileBytes, first, limit);
        Ptx.CommitCopies();
        CopyTile<TBlock>(copyQ, now, begin, queries);
        CopyTile<TBlock>(copyD, now + TileBytes, begin, queries);
        long statisticsFrom = OfHead(statistics, StatisticRows(queries) * 2).At(begin * 2 + Group.IdxX * 4);
        CopyStatistics(nowStatistics, statisticsFrom);
        Ptx.CommitCopies();
        Ptx.WaitForAllCopiesButOne();
        Group.Barrier();
        LoadRows(ownKeys, next + warp * GroupBytes, lane);
        LoadRows(ownValues, next + TileBytes + warp * GroupBytes, lane);
        ZeroStep zero;
        zero.Sums = sumsK;
        Unroll8.For(ref zero);
        zero.Sums = sumsV;
        Unroll8.For(ref zero);
        int row = firstOfWarp + (lane >> 2);
        for (int at = begin; at < queries; at += TileRows)
        {
            Ptx.WaitForAllCopies();
            Group.Barrier();
            if (at + TileRows < queries)
            {
                CopyTile<TBlock>(copyQ, next, at + TileRows, queries);
                CopyTile<TBlock>(copyD, next + TileBytes, at + TileRows, queries);
                statisticsFrom += StatisticTileBytes;
                CopyStatistics(nextStatistics, statisticsFrom);
                Ptx.CommitCopies();
            }
            int query = IntrinsicMath.Max(at, some), stop = IntrinsicMath.Min(queries, at + TileRows), skipped = query - at;
            KeyGroupStep<TDtype> step;
            (step.Keys, step.Values, step.SumsK, step.SumsV) = (ownKeys, ownValues, sumsK, sumsV);
            step.Crossed = now + skipped * RowBytes + Crossed(lane);
            step.Straight = now + skipped * RowBytes + Straight(lane);
            (step.Gradient.Scores, step.Gradient.Gradients) = (scores, gradients);
            (step.Gradient.Key, step.Gradient.Query, step.Gradient.Scale) = (row, query + (lane & 3) * 2, scale);
            step.Gradient.Statistics = nowStatistics + (skipped + (lane & 3) * 2) * StatisticBytes;
            for (; query < IntrinsicMath.Min(all, stop); query += GroupRows)
            {
                step.Gradient.Masked = 1;
                step.Add();
            }
            for (; query < stop; query += GroupRows)
            {
                step.Gradient.Masked = 0;
                step.Add();
            }
            (now, next) = (next, now);
            (nowStatistics, nextStatistics) = (nextStatistics, nowStatistics);
        }
        HideStep hide;
        (hide.Sums, hide.Seen0, hide.Seen1) = (sumsK, row < limit ? 1 : 0, row + 8 < limit ? 1 : 0);
        Unroll8.For(ref hide);
        hide.Sums = sumsV;
        Unroll8.For(ref hide);
        Store(sumsK, dk, row, keys, strideDk, headSize, accumulate, scale * LogOf2, scale * LogOf2);
        Store(sumsV, dv, row, keys, strideDv, headSize, accumulate, 1, 1);
    }

    // A tile's statistics, 16 bytes a thread; they are there for all rows of it.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void CopyStatistics(int tile, long from)
    {
        if (Group.IdxX < StatisticTileBytes / 16)
            Ptx.CopyAsync(tile + Group.IdxX * 16, from, 16);
    }

    private struct QueryGradientStep : IUnrolledBody
    {
        public ArrayView<F4> Scores, Gradients;
        public int Column, Limit0, Limit1, Masked;
        public float Scale;
        public F2 Of0, Of1;

        public void Run(int index)
        {
            F4 s = Scores[index], g = Gradients[index];
            int column = Column + index * 8;
            g.X = Gradient(s.X, g.X, Of0, column < Limit0);
            g.Y = Gradient(s.Y, g.Y, Of0, column + 1 < Limit0);
            g.Z = Gradient(s.Z, g.Z, Of1, column < Limit1);
            g.W = Gradient(s.W, g.W, Of1, column + 1 < Limit1);
            Gradients[index] = g;
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        private float Gradient(float score, float gradient, F2 of, bool seen)
        {
            float value = Ptx.Exp2(Ptx.Fma(score, Scale, -of.X)) * (gradient - of.Y);
            return Masked == 0 || seen ? value : 0f;
        }
    }

    // What 16 keys after another give to the gradients by a warp's 16 queries.
    private struct QueryGroupStep<TDtype> where TDtype : struct, IDtype16
    {
        public ArrayView<U4> Queries, Doutput;
        public ArrayView<F4> Sums;
        public int Crossed, Straight;
        public QueryGradientStep Gradient;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public void Add()
        {
            RowsTimesRows<TDtype, N1>(Gradient.Scores, Queries, Crossed, 0);
            RowsTimesRows<TDtype, N1>(Gradient.Gradients, Doutput, Crossed, TileBytes);
            Unroll2.For(ref Gradient);
            AddTimesRows<TDtype, N1>(Sums, Gradient.Gradients, Straight, 0);
            Crossed += GroupBytes;
            Straight += GroupBytes;
            Gradient.Column += GroupRows;
        }
    }

    // Gradients by a block's queries.
    private static void BackwardQueries<TDtype, TBlock>(GlobalPtr16<TDtype> q, GlobalPtr16<TDtype> k, GlobalPtr16<TDtype> v, GlobalPtr16<TDtype> d,
        GlobalPtrFp32 statistics, GlobalPtrInt32 keyLengths, GlobalPtr16<TDtype> dq, int queries, int keys, int headSize, int causal,
        int strideQ, int strideK, int strideV, int strideD, int strideDq, float scale, int accumulate)
        where TDtype : struct, IDtype16 where TBlock : struct, IBlock
    {
        ArrayView<F4> scores = LocalMemory.Allocate<F4>(2), gradients = LocalMemory.Allocate<F4>(2), sums = LocalMemory.Allocate<F4>(8);
        ArrayView<U4> ownQueries = LocalMemory.Allocate<U4>(4), ownD = LocalMemory.Allocate<U4>(4);
        int ownBytes = TBlock.Warps * GroupBytes, lane = Group.IdxX & 31, warp = Group.IdxX >> 5;
        int first = ILGPU.Grid.IdxX * TBlock.Warps * GroupRows, row = FirstOfWarp<TBlock>() + (lane >> 2);
        Seen seen = SeenBy<TBlock>(queries, keys, keyLengths, causal);
        int now = SharedTiles(), next = now + 2 * TileBytes;
        TileCopy copyK = CopyOf(k, keys, strideK, headSize, TBlock.Warps),
            copyV = CopyOf(v, keys, strideV, headSize, TBlock.Warps);
        CopyOwn(CopyOf(q, queries, strideQ, headSize, TBlock.Warps), next, first, queries);
        CopyOwn(CopyOf(d, queries, strideD, headSize, TBlock.Warps), next + ownBytes, first, queries);
        Ptx.CommitCopies();
        CopyTile<TBlock>(copyK, now, 0, seen.Limit);
        CopyTile<TBlock>(copyV, now + TileBytes, 0, seen.Limit);
        Ptx.CommitCopies();
        Ptx.WaitForAllCopiesButOne();
        Group.Barrier();
        LoadRows(ownQueries, next + warp * GroupBytes, lane);
        LoadRows(ownD, next + ownBytes + warp * GroupBytes, lane);
        ZeroStep zero;
        zero.Sums = sums;
        Unroll8.For(ref zero);
        GlobalPtrFp32 ofHead = OfHead(statistics, StatisticRows(queries) * 2);
        F2 of0 = default, of1 = default;
        if (row < queries)
            of0 = ofHead.Load2(row * 2);
        if (row + 8 < queries)
            of1 = ofHead.Load2(row * 2 + 16);
        for (int at = 0; at < seen.End; at += TileRows)
        {
            Ptx.WaitForAllCopies();
            Group.Barrier();
            if (at + TileRows < seen.End)
            {
                CopyTile<TBlock>(copyK, next, at + TileRows, seen.Limit);
                CopyTile<TBlock>(copyV, next + TileBytes, at + TileRows, seen.Limit);
                Ptx.CommitCopies();
            }
            QueryGroupStep<TDtype> step;
            (step.Queries, step.Doutput, step.Sums) = (ownQueries, ownD, sums);
            (step.Crossed, step.Straight) = (now + Crossed(lane), now + Straight(lane));
            (step.Gradient.Scores, step.Gradient.Gradients) = (scores, gradients);
            (step.Gradient.Of0, step.Gradient.Of1, step.Gradient.Scale) = (of0, of1, scale);
            (step.Gradient.Limit0, step.Gradient.Limit1) = (seen.Limit, seen.Limit);
            if (causal != 0)
                (step.Gradient.Limit0, step.Gradient.Limit1) = (row + 1, row + 9);
            step.Gradient.Column = at + (lane & 3) * 2;
            int key = at, stop = at + TileRows;
            for (; key + GroupRows <= IntrinsicMath.Min(seen.All, stop); key += GroupRows)
            {
                step.Gradient.Masked = 0;
                step.Add();
            }
            for (; key < IntrinsicMath.Min(seen.Some, stop); key += GroupRows)
            {
                step.Gradient.Masked = 1;
                step.Add();
            }
            (now, next) = (next, now);
        }
        Store(sums, dq, row, queries, strideDq, headSize, accumulate, scale * LogOf2, scale * LogOf2);
    }
}
