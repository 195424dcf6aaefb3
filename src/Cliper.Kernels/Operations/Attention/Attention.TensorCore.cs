using System.Runtime.CompilerServices;
using Cliper.Kernels.Devices;
using Cliper.Kernels.Ptx;
using ILGPU;

namespace Cliper.Kernels.Operations;

/// <summary>
/// Attention on tensor cores in the form of FlashAttention-2 (Dao 2023, arXiv 2307.08691): heads of up to 64, 16-bit operands, the
/// softmax in fp32 and never in memory. A warp keeps 16 rows of one side in registers, a block has 64 or 128, and goes through the other
/// side in tiles of 64 rows, the next on its way meanwhile. Within a tile it takes groups of 16 rows, as far as there are any: padding and
/// what a causal mask hides cost nothing, and only groups at those edges are masked. The backward has a kernel for dk and dv and one for
/// dq, each of which owns what it writes: two products more than with atomic additions, and the same bits every time.
/// </summary>
internal static class TensorCoreAttention
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
        StatisticKernels = new(typeof(TensorCoreAttention), nameof(RowStatistics), "Attention statistics", StatisticThreads, 1, 48),
        KeyKernels = Make<Rows64>(nameof(BackwardKeys), "Attention backward keys", 3, 168, 4, (64, 40, 26), 2 * StatisticTileBytes),
        QueryKernels = Make<Rows64>(nameof(BackwardQueries), "Attention backward queries", 4, 128, 4, (48, 32, 24)),
        LongQueryKernels = Make<Rows128>(nameof(BackwardQueries), "Attention backward queries", 2, 128, 6, (48, 32, 16));

    public static IEnumerable<GpuKernel> Kernels => Formats.All.Select(type => type.Format()).SelectMany(format => new[]
    {
        ForwardKernels[format, typeof(Rows64)], LongForwardKernels[format, typeof(Rows128)], StatisticKernels[format],
        KeyKernels[format, typeof(Rows64)], QueryKernels[format, typeof(Rows64)], LongQueryKernels[format, typeof(Rows128)],
    });

    // Tiles begin at the first multiple of a row's bytes in shared memory.
    private static KernelFamily Make<TBlock>(string method, string name, int blocks, int registers, int tiles, (int, int, int) instructions,
        int moreShared = 0) where TBlock : struct, IBlock =>
        new(typeof(TensorCoreAttention), method, name, TBlock.Warps * 32, blocks, registers,
            tiles * TileBytes + moreShared + RowBytes - 16, GpuTarget.TensorCores)
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
            GpuKernel kernel = KeyKernels[q.Array.Type.Format(), typeof(Rows64)];
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
        sizes.Queries > TileRows ? many[type.Format(), typeof(Rows128)] : few[type.Format(), typeof(Rows64)];

    // A warp of a block has 16 rows.
    private static Blocks Grid(in Attention.Sizes sizes, int rows, GpuKernel kernel) =>
        new(Blocks.Cover(rows, kernel.Threads / 32 * GroupRows), sizes.Heads, sizes.Samples);

    /// <summary>How many rows a block has of the side that it keeps, 16 a warp.</summary>
    private interface IBlock
    {
        static abstract int Warps { get; }

        /// <summary>The copies that a thread makes of a tile.</summary>
        static abstract void ForCopies<TStep>(ref TStep step) where TStep : struct, IStep;
    }

    private readonly struct Rows64 : IBlock
    {
        public static int Warps => 4;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static void ForCopies<TStep>(ref TStep step) where TStep : struct, IStep => Twice<Twice<N1>>.For(ref step);
    }

    private readonly struct Rows128 : IBlock
    {
        public static int Warps => 8;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static void ForCopies<TStep>(ref TStep step) where TStep : struct, IStep => Twice<N1>.For(ref step);
    }

    // A multiple of a row's bytes, so that what the swizzle does to a chunk's number can be done to its address.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static int SharedTiles() => Gpu.SharedAddress(ref SharedMemory.GetDynamic<U4>()[0]) + RowBytes - 1 & -RowBytes;

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
    private struct TileCopy : IStep
    {
        // From: the chunk's address in the head's row 0. To: that in the tile's row Row, the thread's first, which is beyond all rows where
        // the chunk is not in the head.
        public long From;
        public int To, Row, RowsAtOnce, StrideBytes, First, End;

        public void Step(int index)
        {
            int row = First + Row + index * RowsAtOnce;
            Gpu.CopyAsync(To + index * RowsAtOnce * RowBytes, Gpu.Further(From, row, StrideBytes), row < End ? 16 : 0);
        }
    }

    // The block's head of an operand with this many rows a sample.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Halves<TFormat> OfHead<TFormat>(Halves<TFormat> x, int rows, int stride, int headSize) where TFormat : struct, IFormat =>
        new(Gpu.Further(x.At(ILGPU.Grid.IdxY * headSize), ILGPU.Grid.IdxZ * rows, stride * 2));

    // Of statistics with this many numbers a head.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Floats OfHead(Floats x, int count) =>
        new(Gpu.Further(x.At(0), ILGPU.Grid.IdxZ * ILGPU.Grid.DimY + ILGPU.Grid.IdxY, count * 4));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static TileCopy CopyOf<TFormat>(Halves<TFormat> source, int rows, int stride, int headSize, int warps)
        where TFormat : struct, IFormat
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
        Twice<Twice<N1>>.For(ref copy);
    }

    private struct ZeroStep : IStep
    {
        public ArrayView<F4> Sums;

        public void Step(int index) => Sums[index] = default;
    }

    private struct LoadStep : IStep
    {
        public ArrayView<U4> Rows;
        public int Place;

        public void Step(int index) => Rows[index] = Gpu.LoadMatrices(ColumnsFurther(Place, index));
    }

    /// <summary>The 16 rows at an address as a left operand.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void LoadRows(ArrayView<U4> rows, int address, int lane)
    {
        LoadStep step;
        (step.Rows, step.Place) = (rows, address + Straight(lane));
        Twice<Twice<N1>>.For(ref step);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Multiply<TFormat>(ArrayView<F4> sums, int pair, U4 left, U4 right)
        where TFormat : struct, IFormat
    {
        sums[2 * pair] = TFormat.Mma(sums[2 * pair], left, right.X, right.Y);
        sums[2 * pair + 1] = TFormat.Mma(sums[2 * pair + 1], left, right.Z, right.W);
    }

    private struct RowsGroupStep<TFormat> : IStep where TFormat : struct, IFormat
    {
        public ArrayView<F4> Sums;
        public U4 Left;
        public int Place;

        public void Step(int index) => Multiply<TFormat>(Sums, index, Left, Gpu.LoadMatrices(Place + index * GroupBytes));
    }

    private struct RowsStep<TFormat, TGroups> : IStep where TFormat : struct, IFormat where TGroups : struct, ICount
    {
        public ArrayView<F4> Sums;
        public ArrayView<U4> Left;
        public int Place, Offset;

        public void Step(int index)
        {
            RowsGroupStep<TFormat> step;
            (step.Sums, step.Left, step.Place) = (Sums, Left[index], ColumnsFurther(Place, index) + Offset);
            TGroups.For(ref step);
        }
    }

    /// <summary>sums = 16 rows times some groups of rows, over the head's columns. The groups lie at place + offset, of which only the
    /// place is a <see cref="Crossed"/> one: the offset, a constant, becomes part of the instruction.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void RowsTimesRows<TFormat, TGroups>(ArrayView<F4> sums, ArrayView<U4> left, int place, int offset)
        where TFormat : struct, IFormat where TGroups : struct, ICount
    {
        ZeroStep zero;
        zero.Sums = sums;
        Twice<TGroups>.For(ref zero);
        RowsStep<TFormat, TGroups> step;
        (step.Sums, step.Left, step.Place, step.Offset) = (sums, left, place, offset);
        Twice<Twice<N1>>.For(ref step);
    }

    private struct ColumnsPairStep<TFormat> : IStep where TFormat : struct, IFormat
    {
        public ArrayView<F4> Sums;
        public U4 Left;
        public int Place, Offset;

        public void Step(int index) =>
            Multiply<TFormat>(Sums, index, Left, Gpu.LoadMatricesTransposed(ColumnsFurther(Place, index) + Offset));
    }

    private struct ColumnsStep<TFormat> : IStep where TFormat : struct, IFormat
    {
        public ArrayView<F4> Left, Sums;
        public int Place, Offset;

        public void Step(int index)
        {
            F4 low = Left[2 * index], high = Left[2 * index + 1];
            ColumnsPairStep<TFormat> step;
            step.Left.X = TFormat.PackAtOnce(low.X, low.Y);
            step.Left.Y = TFormat.PackAtOnce(low.Z, low.W);
            step.Left.Z = TFormat.PackAtOnce(high.X, high.Y);
            step.Left.W = TFormat.PackAtOnce(high.Z, high.W);
            (step.Sums, step.Place, step.Offset) = (Sums, Place, Offset + index * GroupBytes);
            Twice<Twice<N1>>.For(ref step);
        }
    }

    /// <summary>sums += left, 16 rows of as many columns as there are rows in the groups, in registers and rounded, times those rows;
    /// they lie at a <see cref="Straight"/> place and a constant offset.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void AddTimesRows<TFormat, TGroups>(ArrayView<F4> sums, ArrayView<F4> left, int place, int offset)
        where TFormat : struct, IFormat where TGroups : struct, ICount
    {
        ColumnsStep<TFormat> step;
        (step.Left, step.Sums, step.Place, step.Offset) = (left, sums, place, offset);
        TGroups.For(ref step);
    }

    // Half of a lane's two rows.
    private struct StoreStep<TFormat> : IStep where TFormat : struct, IFormat
    {
        public ArrayView<F4> Sums;
        public Halves<TFormat> Row0, Row1;
        public int Columns0, Columns1, Accumulate;
        public float Scale0, Scale1;

        public void Step(int index)
        {
            F4 s = Sums[index * 4], t = Sums[index * 4 + 1], u = Sums[index * 4 + 2], v = Sums[index * 4 + 3];
            F8 first, second;
            (first.A, first.B, first.C, first.D, first.E, first.F, first.G, first.H) = (s.X, s.Y, t.X, t.Y, u.X, u.Y, v.X, v.Y);
            (second.A, second.B, second.C, second.D, second.E, second.F, second.G, second.H) = (s.Z, s.W, t.Z, t.W, u.Z, u.W, v.Z, v.W);
            Store(Row0, index * 32, Chunk.Scale(first, Scale0), Columns0 - index * 32);
            Store(Row1, index * 32, Chunk.Scale(second, Scale1), Columns1 - index * 32);
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        private void Store(Halves<TFormat> row, int column, F8 value, int count)
        {
            if (Accumulate != 0)
                value = Chunk.Add(value, row.LoadPairs(column, count, 1));
            row.StorePairs(column, value, count, 1);
        }
    }

    /// <summary>Writes a warp's sums, or adds them, to its rows of the head, as far as they are there.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Store<TFormat>(ArrayView<F4> sums, Halves<TFormat> target, int row, int rows, int stride, int headSize,
        int accumulate, float scale0, float scale1) where TFormat : struct, IFormat
    {
        StoreStep<TFormat> store;
        (store.Sums, store.Accumulate, store.Scale0, store.Scale1) = (sums, accumulate, scale0, scale1);
        store.Row0 = new Halves<TFormat>(Gpu.Further(OfHead(target, rows, stride, headSize).At(0), row, stride * 2));
        store.Row1 = new Halves<TFormat>(store.Row0.At(8L * stride));
        store.Columns0 = row < rows ? headSize : 0;
        store.Columns1 = row + 8 < rows ? headSize : 0;
        Twice<N1>.For(ref store);
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
    private static Seen SeenBy<TBlock>(int queries, int keys, Integers keyLengths, int causal) where TBlock : struct, IBlock
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

    private struct MaskStep : IStep
    {
        public ArrayView<F4> Scores;
        public int Column, Limit0, Limit1;

        public void Step(int index)
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

    private struct MaxStep : IStep
    {
        public ArrayView<F4> Scores;
        public float Max0, Max1;

        public void Step(int index)
        {
            F4 s = Scores[index];
            Max0 = Gpu.MaxAtOnce(Max0, Gpu.MaxAtOnce(s.X, s.Y));
            Max1 = Gpu.MaxAtOnce(Max1, Gpu.MaxAtOnce(s.Z, s.W));
        }
    }

    private struct ExponentStep : IStep
    {
        public ArrayView<F4> Scores;
        public float Scale, Base0, Base1, Sum0, Sum1;

        public void Step(int index)
        {
            F4 s = Scores[index];
            s.X = Gpu.Exp2(Gpu.Fma(s.X, Scale, -Base0));
            s.Y = Gpu.Exp2(Gpu.Fma(s.Y, Scale, -Base0));
            s.Z = Gpu.Exp2(Gpu.Fma(s.Z, Scale, -Base1));
            s.W = Gpu.Exp2(Gpu.Fma(s.W, Scale, -Base1));
            Sum0 += s.X + s.Y;
            Sum1 += s.Z + s.W;
            Scores[index] = s;
        }
    }

    private struct ScaleStep : IStep
    {
        public ArrayView<F4> Sums;
        public float Scale0, Scale1;

        public void Step(int index)
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
            float max0 = Gpu.QuadMax(max.Max0) * Scale, max1 = Gpu.QuadMax(max.Max1) * Scale;
            // False with NaN, which then is the base.
            bool within = max0 <= Base0 + Slack & max1 <= Base1 + Slack;
            if (!within)
            {
                max0 = Gpu.MaxAtOnce(Base0, max0);
                max1 = Gpu.MaxAtOnce(Base1, max1);
                ScaleStep rescale;
                (rescale.Sums, rescale.Scale0, rescale.Scale1) = (sums, Gpu.Exp2(Base0 - max0), Gpu.Exp2(Base1 - max1));
                Twice<Twice<Twice<N1>>>.For(ref rescale);
                (Base0, Base1, Sum0, Sum1) = (max0, max1, Sum0 * rescale.Scale0, Sum1 * rescale.Scale1);
            }
            ExponentStep exponent;
            (exponent.Scores, exponent.Scale, exponent.Base0, exponent.Base1) = (scores, Scale, Base0, Base1);
            (exponent.Sum0, exponent.Sum1) = (Sum0, Sum1);
            Twice<TGroups>.For(ref exponent);
            (Sum0, Sum1) = (exponent.Sum0, exponent.Sum1);
        }
    }

    private static void ForwardBlock<TFormat, TBlock>(Halves<TFormat> q, Halves<TFormat> k, Halves<TFormat> v, Halves<TFormat> output,
        Floats logSumExp, Integers keyLengths, int queries, int keys, int headSize, int causal, int strideQ, int strideK, int strideV,
        int strideOut, float scale) where TFormat : struct, IFormat where TBlock : struct, IBlock
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
        Gpu.CommitCopies();
        CopyTile<TBlock>(copyK, now, 0, seen.Limit);
        CopyTile<TBlock>(copyV, now + TileBytes, 0, seen.Limit);
        Gpu.CommitCopies();
        Gpu.AwaitAllCopiesButOne();
        Group.Barrier();
        LoadRows(own, next + warp * GroupBytes, lane);
        ZeroStep zero;
        zero.Sums = sums;
        Twice<Twice<Twice<N1>>>.For(ref zero);
        Softmax softmax;
        (softmax.Scale, softmax.Base0, softmax.Base1) = (scale, float.NegativeInfinity, float.NegativeInfinity);
        (softmax.Sum0, softmax.Sum1) = (0, 0);
        for (int at = 0; at < seen.End; at += TileRows)
        {
            Gpu.AwaitAllCopies();
            // The tiles are complete, and nobody still reads those that are filled next.
            Group.Barrier();
            if (at + TileRows < seen.End)
            {
                CopyTile<TBlock>(copyK, next, at + TileRows, seen.Limit);
                CopyTile<TBlock>(copyV, next + TileBytes, at + TileRows, seen.Limit);
                Gpu.CommitCopies();
            }
            int crossed = now + Crossed(lane), straight = now + Straight(lane), key = at, stop = at + TileRows;
            for (; key + 2 * GroupRows <= IntrinsicMath.Min(seen.All, stop); key += 2 * GroupRows)
            {
                RowsTimesRows<TFormat, Twice<N1>>(scores, own, crossed, 0);
                softmax.Apply<Twice<N1>>(scores, sums);
                AddTimesRows<TFormat, Twice<N1>>(sums, scores, straight, TileBytes);
                crossed += 2 * GroupBytes;
                straight += 2 * GroupBytes;
            }
            for (; key < IntrinsicMath.Min(seen.Some, stop); key += GroupRows)
            {
                RowsTimesRows<TFormat, N1>(scores, own, crossed, 0);
                MaskStep mask;
                (mask.Scores, mask.Column, mask.Limit0, mask.Limit1) = (scores, key + (lane & 3) * 2, seen.Limit, seen.Limit);
                if (causal != 0)
                    (mask.Limit0, mask.Limit1) = (row + 1, row + 9);
                Twice<N1>.For(ref mask);
                softmax.Apply<N1>(scores, sums);
                AddTimesRows<TFormat, N1>(sums, scores, straight, TileBytes);
                crossed += GroupBytes;
                straight += GroupBytes;
            }
            (now, next) = (next, now);
        }
        float total0 = Gpu.QuadSum(softmax.Sum0), total1 = Gpu.QuadSum(softmax.Sum1);
        Store(sums, output, row, queries, strideOut, headSize, 0, 1 / total0, 1 / total1);
        if ((lane & 3) != 0 || logSumExp.IsNull)
            return;
        Floats ofHead = OfHead(logSumExp, queries);
        if (row < queries)
            ofHead.Store(row, (softmax.Base0 + Gpu.Log2(total0)) * LogOf2);
        if (row + 8 < queries)
            ofHead.Store(row + 8, (softmax.Base1 + Gpu.Log2(total1)) * LogOf2);
    }

    private const int StatisticThreads = 128, StatisticLanes = MaxHeadSize / Chunk.Size;

    /// <summary>Rows of a head in what <see cref="Statistics"/> leaves: whole tiles.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int StatisticRows(int queries) => queries + TileRows - 1 & -TileRows;

    /// <summary>
    /// What backward kernels need of a query: the log-sum-exp, in powers of two, and the sum of output * doutput, which is that of
    /// probabilities * their gradients; [samples, heads, <see cref="StatisticRows"/>, 2]. Of any card.
    /// </summary>
    public static void Statistics(GpuDevice gpu, in Attention.Sizes sizes, in Attention.Operand output, in Attention.Operand doutput,
        DeviceArray logSumExp, DeviceArray statistics) =>
        gpu.Run(StatisticKernels[output.Array.Type.Format()],
            new Blocks(Blocks.Cover(StatisticRows(sizes.Queries), StatisticThreads / StatisticLanes), sizes.Heads, sizes.Samples),
            output.FromFirst, doutput.FromFirst, logSumExp, statistics, sizes.Queries, StatisticRows(sizes.Queries), sizes.HeadSize,
            output.Stride, doutput.Stride, Chunk.IsWide(sizes.HeadSize, output.Stride, output.FromFirst)
                && Chunk.IsWide(sizes.HeadSize, doutput.Stride, doutput.FromFirst));

    // Eight lanes have a row. One that is not there gets zeros: with zeros for its query and output gradient, nothing comes of it.
    private static void RowStatistics<TFormat>(Halves<TFormat> output, Halves<TFormat> doutput, Floats logSumExp, Floats statistics,
        int queries, int rows, int headSize, int strideOut, int strideD, int wide) where TFormat : struct, IFormat
    {
        int row = ILGPU.Grid.IdxX * (StatisticThreads / StatisticLanes) + Group.IdxX / StatisticLanes;
        int column = Group.IdxX % StatisticLanes * Chunk.Size, left = headSize - column;
        long inSample = (long)ILGPU.Grid.IdxZ * queries + row, head = (long)ILGPU.Grid.IdxZ * ILGPU.Grid.DimY + ILGPU.Grid.IdxY;
        long at = ILGPU.Grid.IdxY * headSize + column;
        F2 value = default;
        if (row < queries && left > 0)
        {
            value.X = logSumExp.Load(head * queries + row) * Log2OfE;
            value.Y = Chunk.Sum(Chunk.Multiply(Chunk.Load(output, inSample * strideOut + at, left, wide),
                Chunk.Load(doutput, inSample * strideD + at, left, wide)));
        }
        value.Y += ILGPU.Warp.ShuffleXor(value.Y, 4);
        value.Y += ILGPU.Warp.ShuffleXor(value.Y, 2);
        value.Y += ILGPU.Warp.ShuffleXor(value.Y, 1);
        if (column == 0)
            statistics.Store2((head * rows + row) * 2, value);
    }

    // Probabilities of 16 keys and 8 queries from transposed scores, and the scores' gradients from the probabilities'.
    private struct KeyGradientStep : IStep
    {
        public ArrayView<F4> Scores, Gradients;
        public int Statistics, Query, Key, Masked;
        public float Scale;

        public void Step(int index)
        {
            // Of a lane's two queries.
            F4 s = Scores[index], g = Gradients[index], of = Gpu.LoadShared(Statistics + index * 8 * StatisticBytes);
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
            float p = Gpu.Exp2(Gpu.Fma(score, Scale, -log));
            return Masked == 0 || seen ? p : 0f;
        }
    }

    // Nobody sees the keys of some rows, whose probabilities are any numbers.
    private struct HideStep : IStep
    {
        public ArrayView<F4> Sums;
        public int Seen0, Seen1;

        public void Step(int index)
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
    private struct KeyGroupStep<TFormat> where TFormat : struct, IFormat
    {
        public ArrayView<U4> Keys, Values;
        public ArrayView<F4> SumsK, SumsV;
        public int Crossed, Straight;
        public KeyGradientStep Gradient;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public void Add()
        {
            RowsTimesRows<TFormat, N1>(Gradient.Scores, Keys, Crossed, 0);
            RowsTimesRows<TFormat, N1>(Gradient.Gradients, Values, Crossed, TileBytes);
            Twice<N1>.For(ref Gradient);
            AddTimesRows<TFormat, N1>(SumsV, Gradient.Scores, Straight, TileBytes);
            AddTimesRows<TFormat, N1>(SumsK, Gradient.Gradients, Straight, 0);
            Crossed += GroupBytes;
            Straight += GroupBytes;
            Gradient.Query += GroupRows;
            Gradient.Statistics += GroupRows * StatisticBytes;
        }
    }

    // Gradients by a block's keys and values.
    private static void BackwardKeys<TFormat, TBlock>(Halves<TFormat> q, Halves<TFormat> k, Halves<TFormat> v, Halves<TFormat> d,
        Floats statistics, Integers keyLengths, Halves<TFormat> dk, Halves<TFormat> dv, int queries, int keys, int headSize,
        int causal, int strideQ, int strideK, int strideV, int strideD, int strideDk, int strideDv, float scale, int accumulate)
        where TFormat : struct, IFormat where TBlock : struct, IBlock
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
        Gpu.CommitCopies();
        CopyTile<TBlock>(copyQ, now, begin, queries);
        CopyTile<TBlock>(copyD, now + TileBytes, begin, queries);
        long statisticsFrom = OfHead(statistics, StatisticRows(queries) * 2).At(begin * 2 + Group.IdxX * 4);
        CopyStatistics(nowStatistics, statisticsFrom);
        Gpu.CommitCopies();
        Gpu.AwaitAllCopiesButOne();
        Group.Barrier();
        LoadRows(ownKeys, next + warp * GroupBytes, lane);
        LoadRows(ownValues, next + TileBytes + warp * GroupBytes, lane);
        ZeroStep zero;
        zero.Sums = sumsK;
        Twice<Twice<Twice<N1>>>.For(ref zero);
        zero.Sums = sumsV;
        Twice<Twice<Twice<N1>>>.For(ref zero);
        int row = firstOfWarp + (lane >> 2);
        for (int at = begin; at < queries; at += TileRows)
        {
            Gpu.AwaitAllCopies();
            Group.Barrier();
            if (at + TileRows < queries)
            {
                CopyTile<TBlock>(copyQ, next, at + TileRows, queries);
                CopyTile<TBlock>(copyD, next + TileBytes, at + TileRows, queries);
                statisticsFrom += StatisticTileBytes;
                CopyStatistics(nextStatistics, statisticsFrom);
                Gpu.CommitCopies();
            }
            int query = IntrinsicMath.Max(at, some), stop = IntrinsicMath.Min(queries, at + TileRows), skipped = query - at;
            KeyGroupStep<TFormat> step;
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
        Twice<Twice<Twice<N1>>>.For(ref hide);
        hide.Sums = sumsV;
        Twice<Twice<Twice<N1>>>.For(ref hide);
        Store(sumsK, dk, row, keys, strideDk, headSize, accumulate, scale * LogOf2, scale * LogOf2);
        Store(sumsV, dv, row, keys, strideDv, headSize, accumulate, 1, 1);
    }

    // A tile's statistics, 16 bytes a thread; they are there for all rows of it.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void CopyStatistics(int tile, long from)
    {
        if (Group.IdxX < StatisticTileBytes / 16)
            Gpu.CopyAsync(tile + Group.IdxX * 16, from, 16);
    }

    private struct QueryGradientStep : IStep
    {
        public ArrayView<F4> Scores, Gradients;
        public int Column, Limit0, Limit1, Masked;
        public float Scale;
        public F2 Of0, Of1;

        public void Step(int index)
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
            float value = Gpu.Exp2(Gpu.Fma(score, Scale, -of.X)) * (gradient - of.Y);
            return Masked == 0 || seen ? value : 0f;
        }
    }

    // What 16 keys after another give to the gradients by a warp's 16 queries.
    private struct QueryGroupStep<TFormat> where TFormat : struct, IFormat
    {
        public ArrayView<U4> Queries, Doutput;
        public ArrayView<F4> Sums;
        public int Crossed, Straight;
        public QueryGradientStep Gradient;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public void Add()
        {
            RowsTimesRows<TFormat, N1>(Gradient.Scores, Queries, Crossed, 0);
            RowsTimesRows<TFormat, N1>(Gradient.Gradients, Doutput, Crossed, TileBytes);
            Twice<N1>.For(ref Gradient);
            AddTimesRows<TFormat, N1>(Sums, Gradient.Gradients, Straight, 0);
            Crossed += GroupBytes;
            Straight += GroupBytes;
            Gradient.Column += GroupRows;
        }
    }

    // Gradients by a block's queries.
    private static void BackwardQueries<TFormat, TBlock>(Halves<TFormat> q, Halves<TFormat> k, Halves<TFormat> v, Halves<TFormat> d,
        Floats statistics, Integers keyLengths, Halves<TFormat> dq, int queries, int keys, int headSize, int causal,
        int strideQ, int strideK, int strideV, int strideD, int strideDq, float scale, int accumulate)
        where TFormat : struct, IFormat where TBlock : struct, IBlock
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
        Gpu.CommitCopies();
        CopyTile<TBlock>(copyK, now, 0, seen.Limit);
        CopyTile<TBlock>(copyV, now + TileBytes, 0, seen.Limit);
        Gpu.CommitCopies();
        Gpu.AwaitAllCopiesButOne();
        Group.Barrier();
        LoadRows(ownQueries, next + warp * GroupBytes, lane);
        LoadRows(ownD, next + ownBytes + warp * GroupBytes, lane);
        ZeroStep zero;
        zero.Sums = sums;
        Twice<Twice<Twice<N1>>>.For(ref zero);
        Floats ofHead = OfHead(statistics, StatisticRows(queries) * 2);
        F2 of0 = default, of1 = default;
        if (row < queries)
            of0 = ofHead.Load2(row * 2);
        if (row + 8 < queries)
            of1 = ofHead.Load2(row * 2 + 16);
        for (int at = 0; at < seen.End; at += TileRows)
        {
            Gpu.AwaitAllCopies();
            Group.Barrier();
            if (at + TileRows < seen.End)
            {
                CopyTile<TBlock>(copyK, next, at + TileRows, seen.Limit);
                CopyTile<TBlock>(copyV, next + TileBytes, at + TileRows, seen.Limit);
                Gpu.CommitCopies();
            }
            QueryGroupStep<TFormat> step;
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
