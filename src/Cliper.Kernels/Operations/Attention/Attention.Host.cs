using System.Runtime.CompilerServices;
using Cliper.Kernels.Devices;
using Cliper.Kernels.Simd;

namespace Cliper.Kernels.Operations;

public static unsafe partial class Attention
{
    // The scores of a block of queries lie transposed in scratch, [keys][queries]: the softmax then runs down the lanes
    // without a horizontal sum, and no key is padding. A multiple of every level's vector.
    private const int QueryBlock = 32;

    private const float Log2E = 1.44269504f;

    /// <summary>An operand's part that belongs to one sample and head.</summary>
    private readonly struct Rows(float* first, int stride)
    {
        public readonly float* First = first;
        public readonly nint Stride = stride;

        public float* this[int row] => First + row * Stride;
    }

    /// <summary>Hands out a worker's scratch memory.</summary>
    private ref struct Scratch(float* next)
    {
        private float* _next = next;

        public Rows Take(int rows, int width)
        {
            var taken = new Rows(_next, width);
            _next += (long)rows * width;
            return taken;
        }
    }

    private static Rows RowsOf(in Operand operand, in Sizes sizes, int rows, int sample, int head) =>
        new((float*)operand.Array.Address + operand.Offset + (long)sample * rows * operand.Stride + head * sizes.HeadSize,
            operand.Stride);

    private static void ForwardHost(HostDevice host, Sizes sizes, Operand q, Operand k, Operand v, DeviceArray keyLengths,
        Operand output, DeviceArray logSumExp)
    {
        CheckKeyLengths(keyLengths, sizes.Keys);
        int* lengths = keyLengths.Ints;
        float* statistics = logSumExp.Floats;
        int width = Padded(sizes.HeadSize);
        long scratch = sizeof(float) * ((long)QueryBlock * (sizes.HeadSize + width + 2) + (long)sizes.Keys * (QueryBlock + width));
        host.Pool.Run(sizes.Samples * sizes.Heads, (unit, worker) =>
        {
            int sample = unit / sizes.Heads, head = unit % sizes.Heads;
            int keys = lengths == null ? sizes.Keys : lengths[sample];
            Rows uq = RowsOf(q, sizes, sizes.Queries, sample, head), uo = RowsOf(output, sizes, sizes.Queries, sample, head);
            Rows uk = RowsOf(k, sizes, sizes.Keys, sample, head), uv = RowsOf(v, sizes, sizes.Keys, sample, head);
            float* lse = statistics == null ? null : statistics + (long)unit * sizes.Queries;
            var memory = new Scratch((float*)host.Pool.Scratch(worker, scratch));
            switch (host.Level)
            {
                case SimdLevel.Avx512: ForwardHead<Lanes512>(sizes, keys, uq, uk, uv, uo, lse, memory); break;
                case SimdLevel.Avx2: ForwardHead<Lanes256>(sizes, keys, uq, uk, uv, uo, lse, memory); break;
                default: ForwardHead<LanesPortable>(sizes, keys, uq, uk, uv, uo, lse, memory); break;
            }
        });
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void ForwardHead<V>(in Sizes sizes, int keys, Rows q, Rows k, Rows v, Rows output, float* lse,
        Scratch memory) where V : struct, ILanes<V>
    {
        int size = sizes.HeadSize, width = RoundUp<V>(size);
        float scale = 1 / MathF.Sqrt(size);
        Rows transposed = memory.Take(size, QueryBlock), scores = memory.Take(keys, QueryBlock);
        float* reciprocal = memory.Take(1, QueryBlock).First, logSum = memory.Take(1, QueryBlock).First;
        Rows result = width == size ? output : memory.Take(QueryBlock, width);
        v = PadColumns(v, keys, size, width, ref memory);
        for (int start = 0; start < sizes.Queries; start += QueryBlock)
        {
            int queries = Math.Min(QueryBlock, sizes.Queries - start), columns = RoundUp<V>(queries);
            int seen = sizes.Causal ? start + queries : keys;
            Transposition.Run<V>(q[start], q.Stride, queries, size, transposed.First, QueryBlock, columns);
            Multiply<V>(seen, columns, size, k.First, k.Stride, 1, transposed.First, QueryBlock, scores.First, QueryBlock, false);
            if (sizes.Causal)
                Mask<V>(scores.First, start, seen, columns);
            Softmax<V>(scores.First, seen, columns, scale, reciprocal, lse == null ? null : logSum);

            Rows target = width == size ? new Rows(output[start], (int)output.Stride) : result;
            Multiply<V>(queries, width, seen, scores.First, 1, QueryBlock, v.First, v.Stride, target.First, target.Stride, false);
            for (int query = 0; query < queries; query++)
            {
                float* row = target[query];
                V factor = V.Create(reciprocal[query]);
                for (int c = 0; c < width; c += V.Count)
                    (V.Load(row + c) * factor).Store(row + c);
                if (width != size)
                    new ReadOnlySpan<float>(row, size).CopyTo(new Span<float>(output[start + query], size));
            }
            if (lse != null)
                new ReadOnlySpan<float>(logSum, queries).CopyTo(new Span<float>(lse + start, queries));
        }
    }

    /// <summary>
    /// Replaces scores [key][query] by e = exp((score - max) scale); leaves 1 / (sum of e) of each query and, if wanted, the
    /// log of the sum of exp(score scale).
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Softmax<V>(float* scores, int keys, int columns, float scale, float* reciprocal, float* logSum)
        where V : struct, ILanes<V>
    {
        V factor = V.Create(scale * Log2E);
        for (int column = 0; column < columns; column += V.Count)
        {
            float* at = scores + column, end = at + (long)keys * QueryBlock;
            // A NaN may fall out of the maximum, but not out of the sum.
            V even = V.Load(at), odd = even;
            for (float* s = at + (keys % 2) * QueryBlock; s < end; s += 2 * QueryBlock)
            {
                even = V.AtLeast(V.Load(s), even);
                odd = V.AtLeast(V.Load(s + QueryBlock), odd);
            }
            V max = V.AtLeast(even, odd) * factor, shift = V.Zero - max, sum = V.Zero;
            for (float* s = at; s < end; s += QueryBlock)
            {
                V e = VectorMath.Exp2(V.MultiplyAdd(V.Load(s), factor, shift));
                e.Store(s);
                sum += e;
            }
            (V.Create(1) / sum).Store(reciprocal + column);
            if (logSum != null)
                V.MultiplyAdd(max, V.Create(1 / Log2E), VectorMath.Log(sum)).Store(logSum + column);
        }
    }

    /// <summary>
    /// Sets the scores [key][query] that query start + i must not see, those of keys after it, to minus infinity: their
    /// probability is then exactly 0.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Mask<V>(float* scores, int start, int keys, int columns) where V : struct, ILanes<V>
    {
        V masked = V.Create(float.NegativeInfinity);
        fixed (float* numbers = Numbers)
            for (int column = 0; column < columns; column += V.Count)
            {
                V query = V.Load(numbers + column);
                float* at = scores + column + (start + 1L) * QueryBlock;
                for (int key = 1; key < keys - start; key++, at += QueryBlock)
                    V.SelectLess(query, V.Create(key), masked, V.Load(at)).Store(at);
            }
    }

    private static ReadOnlySpan<float> Numbers =>
    [
        0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31,
    ];

    private static void BackwardHost(HostDevice host, Sizes sizes, Operand q, Operand k, Operand v, DeviceArray keyLengths,
        DeviceArray logSumExp, Operand doutput, Operand dq, bool accumulateQ, Operand dk, Operand dv,
        bool accumulateKv)
    {
        CheckKeyLengths(keyLengths, sizes.Keys);
        int* lengths = keyLengths.Ints;
        float* statistics = logSumExp.Floats;
        int width = Padded(sizes.HeadSize);
        long scratch = sizeof(float) * (QueryBlock * (2L * sizes.HeadSize + 3L * width + 1) + sizes.Keys * (2L * QueryBlock + 3L * width));
        host.Pool.Run(sizes.Samples * sizes.Heads, (unit, worker) =>
        {
            int sample = unit / sizes.Heads, head = unit % sizes.Heads;
            int keys = lengths == null ? sizes.Keys : lengths[sample];
            var rows = new BackwardRows
            {
                Q = RowsOf(q, sizes, sizes.Queries, sample, head),
                K = RowsOf(k, sizes, sizes.Keys, sample, head),
                V = RowsOf(v, sizes, sizes.Keys, sample, head),
                DOutput = RowsOf(doutput, sizes, sizes.Queries, sample, head),
                DQ = dq.IsNull ? default : RowsOf(dq, sizes, sizes.Queries, sample, head),
                DK = dk.IsNull ? default : RowsOf(dk, sizes, sizes.Keys, sample, head),
                DV = dv.IsNull ? default : RowsOf(dv, sizes, sizes.Keys, sample, head),
                AddQ = accumulateQ,
                AddKv = accumulateKv,
                LogSumExp = statistics + (long)unit * sizes.Queries,
            };
            var memory = new Scratch((float*)host.Pool.Scratch(worker, scratch));
            switch (host.Level)
            {
                case SimdLevel.Avx512: BackwardHead<Lanes512>(sizes, keys, rows, memory); break;
                case SimdLevel.Avx2: BackwardHead<Lanes256>(sizes, keys, rows, memory); break;
                default: BackwardHead<LanesPortable>(sizes, keys, rows, memory); break;
            }
        });
    }

    private struct BackwardRows
    {
        public Rows Q, K, V, DOutput, DQ, DK, DV;
        public bool AddQ, AddKv;
        public float* LogSumExp;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void BackwardHead<V>(in Sizes sizes, int keys, BackwardRows rows, Scratch memory)
        where V : struct, ILanes<V>
    {
        int size = sizes.HeadSize, width = RoundUp<V>(size);
        bool padded = width != size, wantsQ = rows.DQ.First != null, wantsKv = rows.DK.First != null;
        float scale = 1 / MathF.Sqrt(size);
        Rows qT = memory.Take(size, QueryBlock), doT = memory.Take(size, QueryBlock);
        Rows p = memory.Take(keys, QueryBlock), ds = memory.Take(keys, QueryBlock);
        float* logSum = memory.Take(1, QueryBlock).First;
        Rows dq = padded ? memory.Take(QueryBlock, width) : rows.DQ;
        Rows dk = padded ? memory.Take(keys, width) : rows.DK, dv = padded ? memory.Take(keys, width) : rows.DV;
        Rows k = PadColumns(rows.K, keys, size, width, ref memory);
        Rows qBlock = padded ? memory.Take(QueryBlock, width) : default, doBlock = padded ? memory.Take(QueryBlock, width) : default;

        // From the last block to the first: the last one sees every key even under a causal mask, so it alone decides
        // whether the gradients of keys and values are written or added to.
        int blocks = (sizes.Queries + QueryBlock - 1) / QueryBlock;
        for (int block = blocks - 1; block >= 0; block--)
        {
            int start = block * QueryBlock, queries = Math.Min(QueryBlock, sizes.Queries - start), columns = RoundUp<V>(queries);
            int seen = sizes.Causal ? start + queries : keys;
            bool add = block < blocks - 1;
            Transposition.Run<V>(rows.Q[start], rows.Q.Stride, queries, size, qT.First, QueryBlock, columns);
            Transposition.Run<V>(rows.DOutput[start], rows.DOutput.Stride, queries, size, doT.First, QueryBlock, columns);
            new ReadOnlySpan<float>(rows.LogSumExp + start, queries).CopyTo(new Span<float>(logSum, queries));
            new Span<float>(logSum + queries, columns - queries).Clear();
            Multiply<V>(seen, columns, size, rows.K.First, rows.K.Stride, 1, qT.First, QueryBlock, p.First, QueryBlock, false);
            Multiply<V>(seen, columns, size, rows.V.First, rows.V.Stride, 1, doT.First, QueryBlock, ds.First, QueryBlock, false);
            if (sizes.Causal)
                Mask<V>(p.First, start, seen, columns);
            Probabilities<V>(p.First, ds.First, seen, columns, scale, logSum);

            if (wantsQ)
            {
                Rows target = padded ? dq : new Rows(rows.DQ[start], (int)rows.DQ.Stride);
                Multiply<V>(queries, width, seen, ds.First, 1, QueryBlock, k.First, k.Stride, target.First, target.Stride, !padded && rows.AddQ);
                if (padded)
                    WriteBack(dq, new Rows(rows.DQ[start], (int)rows.DQ.Stride), queries, size, rows.AddQ);
            }
            if (wantsKv)
            {
                Rows bq = new(rows.Q[start], (int)rows.Q.Stride), bo = new(rows.DOutput[start], (int)rows.DOutput.Stride);
                if (padded)
                {
                    bq = CopyPadded(bq, qBlock, queries, size, width);
                    bo = CopyPadded(bo, doBlock, queries, size, width);
                }
                add |= !padded && rows.AddKv;
                Multiply<V>(seen, width, queries, p.First, QueryBlock, 1, bo.First, bo.Stride, dv.First, dv.Stride, add);
                Multiply<V>(seen, width, queries, ds.First, QueryBlock, 1, bq.First, bq.Stride, dk.First, dk.Stride, add);
            }
        }
        if (!wantsKv)
            return;
        if (padded)
        {
            WriteBack(dk, rows.DK, keys, size, rows.AddKv);
            WriteBack(dv, rows.DV, keys, size, rows.AddKv);
        }
        for (int key = keys; key < sizes.Keys && !rows.AddKv; key++)
        {
            new Span<float>(rows.DK[key], size).Clear();
            new Span<float>(rows.DV[key], size).Clear();
        }
    }

    /// <summary>
    /// Turns scores [key][query] into probabilities and the gradients by the probabilities, dp, into those by the scores:
    /// p (dp - sum over keys of p dp) / sqrt(headSize).
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Probabilities<V>(float* scores, float* gradients, int keys, int columns, float scale, float* logSum)
        where V : struct, ILanes<V>
    {
        V factor = V.Create(scale * Log2E), outer = V.Create(scale);
        long length = (long)keys * QueryBlock;
        for (int column = 0; column < columns; column += V.Count)
        {
            V shift = V.Load(logSum + column) * V.Create(-Log2E), sum = V.Zero;
            float* s = scores + column, g = gradients + column;
            for (long i = 0; i < length; i += QueryBlock)
            {
                V p = VectorMath.Exp2(V.MultiplyAdd(V.Load(s + i), factor, shift));
                p.Store(s + i);
                sum = V.MultiplyAdd(p, V.Load(g + i), sum);
            }
            for (long i = 0; i < length; i += QueryBlock)
                (V.Load(s + i) * outer * (V.Load(g + i) - sum)).Store(g + i);
        }
    }

    private static Rows PadColumns(Rows source, int rows, int size, int width, ref Scratch memory) =>
        size == width ? source : CopyPadded(source, memory.Take(rows, width), rows, size, width);

    private static Rows CopyPadded(Rows source, Rows target, int rows, int size, int width)
    {
        for (int row = 0; row < rows; row++)
        {
            new ReadOnlySpan<float>(source[row], size).CopyTo(new Span<float>(target[row], size));
            new Span<float>(target[row] + size, width - size).Clear();
        }
        return target;
    }

    private static void WriteBack(Rows source, Rows target, int rows, int size, bool add)
    {
        for (int row = 0; row < rows; row++)
        {
            float* from = source[row], to = target[row];
            for (int c = 0; c < size; c++)
                to[c] = add ? to[c] + from[c] : from[c];
        }
    }

    private static int RoundUp<V>(int n) where V : struct, ILanes<V> => (n + V.Count - 1) / V.Count * V.Count;

    // Room for a row of any level.
    private static int Padded(int headSize) => RoundUp<Lanes512>(headSize);

    private static void CheckKeyLengths(DeviceArray keyLengths, int keys)
    {
        if (keyLengths.IsNull)
            return;
        foreach (int length in keyLengths.AsSpan<int>())
            if (length < 1 || length > keys)
                throw new ArgumentException($"a key length is {length}, expected 1 to {keys}", nameof(keyLengths));
    }
}
