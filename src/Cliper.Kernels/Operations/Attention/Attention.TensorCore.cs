using System.Runtime.CompilerServices;
using Cliper.Kernels.Devices;
using Cliper.Kernels.Ptx;
using ILGPU;

namespace Cliper.Kernels.Operations;

/// <summary>
/// Attention on tensor cores in the form of FlashAttention-2 (Dao 2023, arXiv 2307.08691): heads of up to 64, 16-bit operands, the
/// softmax in fp32 and never in memory. A block has 64 rows of one side, 16 a warp, and goes through the other side 64 at a time,
/// the next 64 on their way meanwhile. The backward has a kernel for dk and dv and one for dq, each of which owns what it writes:
/// two products more than with atomic additions, and the same bits every time.
/// </summary>
internal static class TensorCoreAttention
{
    /// <summary>Largest head; a smaller one is filled with zeros.</summary>
    public const int MaxHeadSize = 64;

    private const int Threads = 128, Rows = 64, RowBytes = 2 * MaxHeadSize, TileBytes = Rows * RowBytes;
    private const float Log2OfE = 1.44269504f, LogOf2 = 0.69314718f;

    // mma, ldmatrix: 32 and 20 for a product of two tiles' rows, 32 and 16 for one with registers; cp.async: 4 a tile.
    private static readonly KernelFamily ForwardKernels = Make(nameof(ForwardBlock), "Attention forward", 192, 5, (64, 36, 20)),
        DeltaKernels = new(typeof(TensorCoreAttention), nameof(RowProducts), "Attention delta", Threads, 1, 48),
        KeyKernels = Make(nameof(BackwardKeys), "Attention backward keys", 255, 6, (128, 72, 24)),
        QueryKernels = Make(nameof(BackwardQueries), "Attention backward queries", 255, 6, (96, 56, 24));

    public static IEnumerable<GpuKernel> Kernels =>
        [.. ForwardKernels.OfFormats, .. DeltaKernels.OfFormats, .. KeyKernels.OfFormats, .. QueryKernels.OfFormats];

    private static KernelFamily Make(string method, string name, int registers, int tiles, (int, int, int) instructions) =>
        new(typeof(TensorCoreAttention), method, name, Threads, 1, registers, tiles * TileBytes, GpuTarget.TensorCores)
        { Instructions = instructions };

    public static void Forward(GpuDevice gpu, in Attention.Sizes sizes, in Attention.Operand q, in Attention.Operand k,
        in Attention.Operand v, DeviceArray keyLengths, in Attention.Operand output, DeviceArray logSumExp) =>
        gpu.Run(ForwardKernels[q.Array.Type.Format()], Grid(sizes, sizes.Queries), q.FromFirst, k.FromFirst, v.FromFirst,
            output.FromFirst, logSumExp, keyLengths, sizes.Queries, sizes.Keys, sizes.HeadSize, sizes.Causal, q.Stride, k.Stride,
            v.Stride, output.Stride, Log2OfE / MathF.Sqrt(sizes.HeadSize));

    /// <summary>As <see cref="Attention.Backward"/>, given what <see cref="Delta"/> computes.</summary>
    public static void Backward(GpuDevice gpu, in Attention.Sizes sizes, in Attention.Operand q, in Attention.Operand k,
        in Attention.Operand v, DeviceArray keyLengths, DeviceArray logSumExp, DeviceArray delta, in Attention.Operand doutput,
        in Attention.Operand dq, bool accumulateQ, in Attention.Operand dk, in Attention.Operand dv, bool accumulateKv)
    {
        float scale = 1 / MathF.Sqrt(sizes.HeadSize);
        if (!dk.IsNull)
            gpu.Run(KeyKernels[q.Array.Type.Format()], Grid(sizes, sizes.Keys), q.FromFirst, k.FromFirst, v.FromFirst, doutput.FromFirst,
                logSumExp, delta, keyLengths, dk.FromFirst, dv.FromFirst, sizes.Queries, sizes.Keys, sizes.HeadSize, sizes.Causal,
                q.Stride, k.Stride, v.Stride, doutput.Stride, dk.Stride, dv.Stride, scale, accumulateKv);
        if (!dq.IsNull)
            gpu.Run(QueryKernels[q.Array.Type.Format()], Grid(sizes, sizes.Queries), q.FromFirst, k.FromFirst, v.FromFirst,
                doutput.FromFirst, logSumExp, delta, keyLengths, dq.FromFirst, sizes.Queries, sizes.Keys, sizes.HeadSize, sizes.Causal,
                q.Stride, k.Stride, v.Stride, doutput.Stride, dq.Stride, scale, accumulateQ);
    }

    /// <summary>The row sums of output * doutput, [samples, heads, queries]; of any card.</summary>
    public static void Delta(GpuDevice gpu, in Attention.Sizes sizes, in Attention.Operand output, in Attention.Operand doutput,
        DeviceArray delta) =>
        gpu.Run(DeltaKernels[output.Array.Type.Format()], new Blocks(Blocks.Cover(sizes.Statistics, Threads / 32)), output.FromFirst,
            doutput.FromFirst, delta, sizes.Statistics, sizes.Queries, sizes.Heads, sizes.HeadSize, output.Stride, doutput.Stride);

    private static Blocks Grid(in Attention.Sizes sizes, int rows) => new(Blocks.Cover(rows, Rows), sizes.Heads, sizes.Samples);

    // Byte offset of a 16-byte chunk of a tile's row; swizzled so that ldmatrix reads eight rows from different banks.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static int Swizzled(int row, int chunk) => row * RowBytes + ((chunk ^ (row & 7)) << 4);

    private struct CopyStep<TFormat> : IStep where TFormat : struct, IFormat
    {
        public Halves<TFormat> Source;
        public int Tile, First, End, Stride, HeadSize, Thread;

        public void Step(int index)
        {
            int at = Thread + index * Threads, row = at >> 3, chunk = at & 7;
            bool inside = First + row < End && chunk * 8 < HeadSize;
            Gpu.CopyAsync(Tile + Swizzled(row, chunk), Source.At(inside ? (long)(First + row) * Stride + chunk * 8 : 0), inside ? 16 : 0);
        }
    }

    // Starts the copy of rows [first, first + 64) of a head; rows from end on and columns beyond the head become zero.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Copy<TFormat>(Halves<TFormat> source, int tile, int first, int end, int stride, int headSize, int thread)
        where TFormat : struct, IFormat
    {
        CopyStep<TFormat> step;
        (step.Source, step.Tile, step.First, step.End) = (source, tile, first, end);
        (step.Stride, step.HeadSize, step.Thread) = (stride, headSize, thread);
        Twice<Twice<N1>>.For(ref step);
    }

    private struct ZeroStep : IStep
    {
        public ArrayView<F4> Sums;

        public void Step(int index) => Sums[index] = default;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Zero(ArrayView<F4> sums)
    {
        ZeroStep step;
        step.Sums = sums;
        Twice<Twice<Twice<N1>>>.For(ref step);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Multiply<TFormat>(ArrayView<F4> sums, int pair, U4 left, U4 right)
        where TFormat : struct, IFormat
    {
        sums[2 * pair] = TFormat.Mma(sums[2 * pair], left, right.X, right.Y);
        sums[2 * pair + 1] = TFormat.Mma(sums[2 * pair + 1], left, right.Z, right.W);
    }

    private struct RowsPairStep<TFormat> : IStep where TFormat : struct, IFormat
    {
        public ArrayView<F4> Sums;
        public U4 Left;
        public int Tile, Lane, Depth;

        public void Step(int index) => Multiply<TFormat>(Sums, index, Left,
            Gpu.LoadMatrices(Tile + Swizzled(index * 16 + (Lane & 7) + (Lane >> 4 << 3), Depth * 2 + (Lane >> 3 & 1))));
    }

    private struct RowsStep<TFormat> : IStep where TFormat : struct, IFormat
    {
        public ArrayView<F4> Sums;
        public int LeftTile, RightTile, Lane, Warp;

        public void Step(int index)
        {
            RowsPairStep<TFormat> step;
            step.Left = Gpu.LoadMatrices(LeftTile + Swizzled(Warp * 16 + (Lane & 15), index * 2 + (Lane >> 4)));
            (step.Sums, step.Tile, step.Lane, step.Depth) = (Sums, RightTile, Lane, index);
            Twice<Twice<N1>>.For(ref step);
        }
    }

    /// <summary>sums = the warp's 16 rows of the left tile times all 64 rows of the right one, over the head's columns.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void RowsTimesRows<TFormat>(ArrayView<F4> sums, int leftTile, int rightTile, int lane, int warp)
        where TFormat : struct, IFormat
    {
        Zero(sums);
        RowsStep<TFormat> step;
        (step.Sums, step.LeftTile, step.RightTile, step.Lane, step.Warp) = (sums, leftTile, rightTile, lane, warp);
        Twice<Twice<N1>>.For(ref step);
    }

    private struct ColumnsPairStep<TFormat> : IStep where TFormat : struct, IFormat
    {
        public ArrayView<F4> Sums;
        public U4 Left;
        public int Tile, Lane, Depth;

        public void Step(int index) => Multiply<TFormat>(Sums, index, Left,
            Gpu.LoadMatricesTransposed(Tile + Swizzled(Depth * 16 + (Lane & 15), index * 2 + (Lane >> 4))));
    }

    private struct ColumnsStep<TFormat> : IStep where TFormat : struct, IFormat
    {
        public ArrayView<F4> Left, Sums;
        public int Tile, Lane;

        public void Step(int index)
        {
            F4 low = Left[2 * index], high = Left[2 * index + 1];
            ColumnsPairStep<TFormat> step;
            step.Left.X = TFormat.PackAtOnce(low.X, low.Y);
            step.Left.Y = TFormat.PackAtOnce(low.Z, low.W);
            step.Left.Z = TFormat.PackAtOnce(high.X, high.Y);
            step.Left.W = TFormat.PackAtOnce(high.Z, high.W);
            (step.Sums, step.Tile, step.Lane, step.Depth) = (Sums, Tile, Lane, index);
            Twice<Twice<N1>>.For(ref step);
        }
    }

    /// <summary>sums += left, 16 x 64 in registers and rounded, times the 64 rows of a tile.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void AddTimesTile<TFormat>(ArrayView<F4> sums, ArrayView<F4> left, int tile, int lane)
        where TFormat : struct, IFormat
    {
        ColumnsStep<TFormat> step;
        (step.Left, step.Sums, step.Tile, step.Lane) = (left, sums, tile, lane);
        Twice<Twice<N1>>.For(ref step);
    }

    private struct StoreStep<TFormat> : IStep where TFormat : struct, IFormat
    {
        public ArrayView<F4> Sums;
        public Halves<TFormat> Target;
        public long First;
        public int Row, End, Stride, HeadSize, Lane, Accumulate;
        public float Scale0, Scale1;

        public void Step(int index)
        {
            int column = index * 8 + (Lane & 3) * 2;
            F4 sum = Sums[index];
            if (column >= HeadSize)
                return;
            if (Row < End)
                Store(First + (long)Row * Stride + column, sum.X * Scale0, sum.Y * Scale0);
            if (Row + 8 < End)
                Store(First + (long)(Row + 8) * Stride + column, sum.Z * Scale1, sum.W * Scale1);
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        private void Store(long at, float first, float second)
        {
            F2 value;
            (value.X, value.Y) = (first, second);
            if (Accumulate != 0)
            {
                F2 before = Target.Load2(at);
                value.X += before.X;
                value.Y += before.Y;
            }
            Target.Store2(at, value);
        }
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
            Max0 = Gpu.Max(Max0, Gpu.Max(s.X, s.Y));
            Max1 = Gpu.Max(Max1, Gpu.Max(s.Z, s.W));
        }
    }

    private struct ExponentStep : IStep
    {
        public ArrayView<F4> Scores;
        public float Scale, Max0, Max1, Sum0, Sum1;

        public void Step(int index)
        {
            F4 s = Scores[index];
            s.X = Gpu.Exp2(Gpu.Fma(s.X, Scale, -Max0));
            s.Y = Gpu.Exp2(Gpu.Fma(s.Y, Scale, -Max0));
            s.Z = Gpu.Exp2(Gpu.Fma(s.Z, Scale, -Max1));
            s.W = Gpu.Exp2(Gpu.Fma(s.W, Scale, -Max1));
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

    private static void ForwardBlock<TFormat>(Halves<TFormat> q, Halves<TFormat> k, Halves<TFormat> v, Halves<TFormat> output,
        Floats logSumExp, Integers keyLengths, int queries, int keys, int headSize, int causal, int strideQ, int strideK, int strideV,
        int strideOut, float scale) where TFormat : struct, IFormat
    {
        ArrayView<F4> scores = LocalMemory.Allocate<F4>(8), sums = LocalMemory.Allocate<F4>(8);
        int shared = Gpu.SharedAddress(ref SharedMemory.GetDynamic<U4>()[0]);
        int thread = Group.IdxX, lane = thread & 31, warp = thread >> 5;
        int first = ILGPU.Grid.IdxX * Rows, head = ILGPU.Grid.IdxY, sample = ILGPU.Grid.IdxZ;
        int limit = keyLengths.IsNull ? keys : keyLengths.Load(sample);
        int end = causal != 0 ? IntrinsicMath.Min(limit, first + Rows) : limit, blocks = (end + Rows - 1) / Rows;
        q = new Halves<TFormat>(q.At((long)sample * queries * strideQ + head * headSize));
        k = new Halves<TFormat>(k.At((long)sample * keys * strideK + head * headSize));
        v = new Halves<TFormat>(v.At((long)sample * keys * strideV + head * headSize));
        // Tiles: queries, keys twice, values twice.
        Copy(q, shared, first, queries, strideQ, headSize, thread);
        Copy(k, shared + TileBytes, 0, limit, strideK, headSize, thread);
        Copy(v, shared + 3 * TileBytes, 0, limit, strideV, headSize, thread);
        Gpu.CommitCopies();
        Zero(sums);
        float max0 = float.NegativeInfinity, max1 = float.NegativeInfinity, total0 = 0, total1 = 0;
        int row = first + warp * 16 + (lane >> 2);
        for (int block = 0; block < blocks; block++)
        {
            int now = (block & 1) * TileBytes, next = TileBytes - now;
            Gpu.AwaitAllCopies();
            // The tiles are complete, and nobody still reads those that are filled next.
            Group.Barrier();
            Copy(k, shared + TileBytes + next, (block + 1) * Rows, limit, strideK, headSize, thread);
            Copy(v, shared + 3 * TileBytes + next, (block + 1) * Rows, limit, strideV, headSize, thread);
            Gpu.CommitCopies();
            RowsTimesRows<TFormat>(scores, shared, shared + TileBytes + now, lane, warp);
            if ((block + 1) * Rows > limit || causal != 0)
            {
                MaskStep mask;
                (mask.Scores, mask.Column, mask.Limit0, mask.Limit1) = (scores, block * Rows + (lane & 3) * 2, limit, limit);
                if (causal != 0)
                {
                    mask.Limit0 = IntrinsicMath.Min(limit, row + 1);
                    mask.Limit1 = IntrinsicMath.Min(limit, row + 9);
                }
                Twice<Twice<Twice<N1>>>.For(ref mask);
            }
            MaxStep max;
            (max.Scores, max.Max0, max.Max1) = (scores, float.NegativeInfinity, float.NegativeInfinity);
            Twice<Twice<Twice<N1>>>.For(ref max);
            float new0 = Gpu.Max(max0, Gpu.QuadMax(max.Max0) * scale), new1 = Gpu.Max(max1, Gpu.QuadMax(max.Max1) * scale);
            ScaleStep rescale;
            (rescale.Sums, rescale.Scale0, rescale.Scale1) = (sums, Gpu.Exp2(max0 - new0), Gpu.Exp2(max1 - new1));
            Twice<Twice<Twice<N1>>>.For(ref rescale);
            (max0, max1) = (new0, new1);
            ExponentStep exponent;
            (exponent.Scores, exponent.Scale, exponent.Max0, exponent.Max1) = (scores, scale, max0, max1);
            (exponent.Sum0, exponent.Sum1) = (total0 * rescale.Scale0, total1 * rescale.Scale1);
            Twice<Twice<Twice<N1>>>.For(ref exponent);
            (total0, total1) = (exponent.Sum0, exponent.Sum1);
            AddTimesTile<TFormat>(sums, scores, shared + 3 * TileBytes + now, lane);
        }
        // The zeros from beyond the last tile: shared memory is not given back while something is on its way there.
        Gpu.AwaitAllCopies();
        total0 = Gpu.QuadSum(total0);
        total1 = Gpu.QuadSum(total1);
        StoreStep<TFormat> store;
        (store.Sums, store.Target, store.Row, store.End, store.Stride) = (sums, output, row, queries, strideOut);
        (store.First, store.HeadSize) = ((long)sample * queries * strideOut + head * headSize, headSize);
        (store.Lane, store.Accumulate, store.Scale0, store.Scale1) = (lane, 0, 1 / total0, 1 / total1);
        Twice<Twice<Twice<N1>>>.For(ref store);
        if ((lane & 3) != 0 || logSumExp.IsNull)
            return;
        long statistics = ((long)sample * ILGPU.Grid.DimY + head) * queries;
        if (row < queries)
            logSumExp.Store(statistics + row, (max0 + Gpu.Log2(total0)) * LogOf2);
        if (row + 8 < queries)
            logSumExp.Store(statistics + row + 8, (max1 + Gpu.Log2(total1)) * LogOf2);
    }

    // delta = the row sums of output * doutput, which are those of probabilities * their gradients. A warp has a row and head.
    private static void RowProducts<TFormat>(Halves<TFormat> output, Halves<TFormat> doutput, Floats delta, long count, int queries,
        int heads, int headSize, int strideOut, int strideD) where TFormat : struct, IFormat
    {
        long at = (long)ILGPU.Grid.IdxX * (Threads / 32) + (Group.IdxX >> 5);
        if (at >= count)
            return;
        int lane = Group.IdxX & 31;
        long sampleHead = at / queries, sample = sampleHead / heads, row = sample * queries + (at - sampleHead * queries);
        long head = (sampleHead - sample * heads) * headSize;
        float sum = 0;
        for (int column = lane; column < headSize; column += 32)
            sum = Gpu.Fma(output.Load(row * strideOut + head + column), doutput.Load(row * strideD + head + column), sum);
        sum = Gpu.WarpSum(sum);
        if (lane == 0)
            delta.Store(at, sum);
    }

    // Probabilities of (key, query) from transposed scores, and the scores' gradients from the probabilities'.
    private struct KeyGradientStep : IStep
    {
        public ArrayView<F4> Scores, Gradients;
        public Floats LogSumExp, Delta;
        public long Statistics;
        public int Query, Queries, Key, Limit, Causal;
        public float Scale;

        public void Step(int index)
        {
            F4 s = Scores[index], g = Gradients[index];
            int query = Query + index * 8;
            float log0 = 0, log1 = 0, delta0 = 0, delta1 = 0;
            if (query < Queries)
            {
                log0 = LogSumExp.Load(Statistics + query) * Log2OfE;
                delta0 = Delta.Load(Statistics + query);
            }
            if (query + 1 < Queries)
            {
                log1 = LogSumExp.Load(Statistics + query + 1) * Log2OfE;
                delta1 = Delta.Load(Statistics + query + 1);
            }
            s.X = Probability(s.X, log0, Key, query);
            s.Y = Probability(s.Y, log1, Key, query + 1);
            s.Z = Probability(s.Z, log0, Key + 8, query);
            s.W = Probability(s.W, log1, Key + 8, query + 1);
            (g.X, g.Y, g.Z, g.W) = (s.X * (g.X - delta0), s.Y * (g.Y - delta1), s.Z * (g.Z - delta0), s.W * (g.W - delta1));
            Scores[index] = s;
            Gradients[index] = g;
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        private float Probability(float score, float log, int key, int query)
        {
            float p = Gpu.Exp2(Gpu.Fma(score, Scale, -log));
            return query < Queries && key < Limit && (Causal == 0 || key <= query) ? p : 0f;
        }
    }

    // Gradients by 64 keys and values.
    private static void BackwardKeys<TFormat>(Halves<TFormat> q, Halves<TFormat> k, Halves<TFormat> v, Halves<TFormat> d,
        Floats logSumExp, Floats delta, Integers keyLengths, Halves<TFormat> dk, Halves<TFormat> dv, int queries, int keys, int headSize,
        int causal, int strideQ, int strideK, int strideV, int strideD, int strideDk, int strideDv, float scale, int accumulate)
        where TFormat : struct, IFormat
    {
        ArrayView<F4> scores = LocalMemory.Allocate<F4>(8), gradients = LocalMemory.Allocate<F4>(8),
            sumsK = LocalMemory.Allocate<F4>(8), sumsV = LocalMemory.Allocate<F4>(8);
        int shared = Gpu.SharedAddress(ref SharedMemory.GetDynamic<U4>()[0]);
        int thread = Group.IdxX, lane = thread & 31, warp = thread >> 5;
        int first = ILGPU.Grid.IdxX * Rows, head = ILGPU.Grid.IdxY, sample = ILGPU.Grid.IdxZ;
        int limit = keyLengths.IsNull ? keys : keyLengths.Load(sample);
        q = new Halves<TFormat>(q.At((long)sample * queries * strideQ + head * headSize));
        k = new Halves<TFormat>(k.At((long)sample * keys * strideK + head * headSize));
        v = new Halves<TFormat>(v.At((long)sample * keys * strideV + head * headSize));
        d = new Halves<TFormat>(d.At((long)sample * queries * strideD + head * headSize));
        // Earlier queries do not see these keys.
        int begin = causal != 0 ? first : 0;
        // Tiles: keys, values, queries twice, the output's gradients twice.
        Copy(k, shared, first, limit, strideK, headSize, thread);
        Copy(v, shared + TileBytes, first, limit, strideV, headSize, thread);
        Copy(q, shared + 2 * TileBytes, begin, queries, strideQ, headSize, thread);
        Copy(d, shared + 4 * TileBytes, begin, queries, strideD, headSize, thread);
        Gpu.CommitCopies();
        Zero(sumsK);
        Zero(sumsV);
        KeyGradientStep step;
        (step.Scores, step.Gradients, step.LogSumExp, step.Delta) = (scores, gradients, logSumExp, delta);
        (step.Queries, step.Limit, step.Causal, step.Scale) = (queries, limit, causal, scale * Log2OfE);
        step.Statistics = ((long)sample * ILGPU.Grid.DimY + head) * queries;
        step.Key = first + warp * 16 + (lane >> 2);
        int now = 0;
        for (int at = begin; at < queries; at += Rows)
        {
            int next = TileBytes - now;
            Gpu.AwaitAllCopies();
            Group.Barrier();
            Copy(q, shared + 2 * TileBytes + next, at + Rows, queries, strideQ, headSize, thread);
            Copy(d, shared + 4 * TileBytes + next, at + Rows, queries, strideD, headSize, thread);
            Gpu.CommitCopies();
            RowsTimesRows<TFormat>(scores, shared, shared + 2 * TileBytes + now, lane, warp);
            RowsTimesRows<TFormat>(gradients, shared + TileBytes, shared + 4 * TileBytes + now, lane, warp);
            step.Query = at + (lane & 3) * 2;
            Twice<Twice<Twice<N1>>>.For(ref step);
            AddTimesTile<TFormat>(sumsV, scores, shared + 4 * TileBytes + now, lane);
            AddTimesTile<TFormat>(sumsK, gradients, shared + 2 * TileBytes + now, lane);
            now = next;
        }
        Gpu.AwaitAllCopies();
        StoreStep<TFormat> store;
        (store.Sums, store.Target, store.Row, store.End, store.Stride) = (sumsK, dk, step.Key, keys, strideDk);
        (store.First, store.HeadSize) = ((long)sample * keys * strideDk + head * headSize, headSize);
        (store.Lane, store.Accumulate, store.Scale0, store.Scale1) = (lane, accumulate, scale, scale);
        Twice<Twice<Twice<N1>>>.For(ref store);
        (store.Sums, store.Target, store.Stride) = (sumsV, dv, strideDv);
        (store.First, store.Scale0, store.Scale1) = ((long)sample * keys * strideDv + head * headSize, 1, 1);
        Twice<Twice<Twice<N1>>>.For(ref store);
    }

    private struct QueryGradientStep : IStep
    {
        public ArrayView<F4> Scores, Gradients;
        public int Column, Limit0, Limit1;
        public float Scale, Log0, Log1, Delta0, Delta1;

        public void Step(int index)
        {
            F4 s = Scores[index], g = Gradients[index];
            int column = Column + index * 8;
            g.X = Gradient(s.X, g.X, Log0, Delta0, column < Limit0);
            g.Y = Gradient(s.Y, g.Y, Log0, Delta0, column + 1 < Limit0);
            g.Z = Gradient(s.Z, g.Z, Log1, Delta1, column < Limit1);
            g.W = Gradient(s.W, g.W, Log1, Delta1, column + 1 < Limit1);
            Gradients[index] = g;
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        private float Gradient(float score, float gradient, float log, float delta, bool seen)
        {
            float value = Gpu.Exp2(Gpu.Fma(score, Scale, -log)) * (gradient - delta);
            return seen ? value : 0f;
        }
    }

    // Gradients by 64 queries.
    private static void BackwardQueries<TFormat>(Halves<TFormat> q, Halves<TFormat> k, Halves<TFormat> v, Halves<TFormat> d,
        Floats logSumExp, Floats delta, Integers keyLengths, Halves<TFormat> dq, int queries, int keys, int headSize, int causal,
        int strideQ, int strideK, int strideV, int strideD, int strideDq, float scale, int accumulate) where TFormat : struct, IFormat
    {
        ArrayView<F4> scores = LocalMemory.Allocate<F4>(8), gradients = LocalMemory.Allocate<F4>(8), sums = LocalMemory.Allocate<F4>(8);
        int shared = Gpu.SharedAddress(ref SharedMemory.GetDynamic<U4>()[0]);
        int thread = Group.IdxX, lane = thread & 31, warp = thread >> 5;
        int first = ILGPU.Grid.IdxX * Rows, head = ILGPU.Grid.IdxY, sample = ILGPU.Grid.IdxZ;
        int limit = keyLengths.IsNull ? keys : keyLengths.Load(sample);
        int end = causal != 0 ? IntrinsicMath.Min(limit, first + Rows) : limit;
        q = new Halves<TFormat>(q.At((long)sample * queries * strideQ + head * headSize));
        k = new Halves<TFormat>(k.At((long)sample * keys * strideK + head * headSize));
        v = new Halves<TFormat>(v.At((long)sample * keys * strideV + head * headSize));
        d = new Halves<TFormat>(d.At((long)sample * queries * strideD + head * headSize));
        // Tiles: queries, the output's gradients, keys twice, values twice.
        Copy(q, shared, first, queries, strideQ, headSize, thread);
        Copy(d, shared + TileBytes, first, queries, strideD, headSize, thread);
        Copy(k, shared + 2 * TileBytes, 0, limit, strideK, headSize, thread);
        Copy(v, shared + 4 * TileBytes, 0, limit, strideV, headSize, thread);
        Gpu.CommitCopies();
        Zero(sums);
        int row = first + warp * 16 + (lane >> 2);
        long statistics = ((long)sample * ILGPU.Grid.DimY + head) * queries;
        QueryGradientStep step;
        (step.Scores, step.Gradients, step.Scale) = (scores, gradients, scale * Log2OfE);
        (step.Limit0, step.Limit1) = (limit, limit);
        if (causal != 0)
        {
            step.Limit0 = IntrinsicMath.Min(limit, row + 1);
            step.Limit1 = IntrinsicMath.Min(limit, row + 9);
        }
        (step.Log0, step.Log1, step.Delta0, step.Delta1) = (0, 0, 0, 0);
        if (row < queries)
        {
            step.Log0 = logSumExp.Load(statistics + row) * Log2OfE;
            step.Delta0 = delta.Load(statistics + row);
        }
        if (row + 8 < queries)
        {
            step.Log1 = logSumExp.Load(statistics + row + 8) * Log2OfE;
            step.Delta1 = delta.Load(statistics + row + 8);
        }
        int now = 0;
        for (int at = 0; at < end; at += Rows)
        {
            int next = TileBytes - now;
            Gpu.AwaitAllCopies();
            Group.Barrier();
            Copy(k, shared + 2 * TileBytes + next, at + Rows, limit, strideK, headSize, thread);
            Copy(v, shared + 4 * TileBytes + next, at + Rows, limit, strideV, headSize, thread);
            Gpu.CommitCopies();
            RowsTimesRows<TFormat>(scores, shared, shared + 2 * TileBytes + now, lane, warp);
            RowsTimesRows<TFormat>(gradients, shared + TileBytes, shared + 4 * TileBytes + now, lane, warp);
            step.Column = at + (lane & 3) * 2;
            Twice<Twice<Twice<N1>>>.For(ref step);
            AddTimesTile<TFormat>(sums, gradients, shared + 2 * TileBytes + now, lane);
            now = next;
        }
        Gpu.AwaitAllCopies();
        StoreStep<TFormat> store;
        (store.Sums, store.Target, store.Row, store.End, store.Stride) = (sums, dq, row, queries, strideDq);
        (store.First, store.HeadSize) = ((long)sample * queries * strideDq + head * headSize, headSize);
        (store.Lane, store.Accumulate, store.Scale0, store.Scale1) = (lane, accumulate, scale, scale);
        Twice<Twice<Twice<N1>>>.For(ref store);
    }
}
