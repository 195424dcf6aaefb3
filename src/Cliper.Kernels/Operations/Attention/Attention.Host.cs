using System.Numerics.Tensors;
using System.Runtime.CompilerServices;
using Cliper.Kernels.Devices;
using Cliper.Kernels.Simd;

namespace Cliper.Kernels.Operations;

public static unsafe partial class Attention
{
    // The scores of a block of queries lie transposed in scratch, [keys][queries]: the softmax then runs down the lanes
    // without a horizontal sum, and no key is padding. A multiple of every level's vector.
    private const int QueryBlock = 32;

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
                Mask<V>(scores, start, seen, columns, float.NegativeInfinity);
            Softmax<V>(scores.First, seen, columns, scale, reciprocal, lse == null ? null : logSum);
            if (sizes.Causal)
                Mask<V>(scores, start, seen, columns, 0);

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
    private static void Softmax<V>(float* scores, int keys, int columns, float scale, float* reciprocal, float* lse)
        where V : struct, ILanes<V>
    {
        V factor = V.Create(scale);
        for (int column = 0; column < columns; column += V.Count)
        {
            float* at = scores + column, end = at + (long)keys * QueryBlock;
            // A NaN may fall out of the maximum, but not out of the sum.
            V largest = V.Load(at);
            for (float* s = at + QueryBlock; s < end; s += QueryBlock)
                largest = V.AtLeast(V.Load(s), largest);
            largest *= factor;
            V shift = V.Zero - largest, sum = V.Zero;
            for (float* s = at; s < end; s += QueryBlock)
            {
                V e = VectorMath.Exp(V.MultiplyAdd(V.Load(s), factor, shift));
                e.Store(s);
                sum += e;
            }
            (V.Create(1) / sum).Store(reciprocal + column);
            if (lse == null)
                continue;
            sum.Store(lse + column);
            var logs = new Span<float>(lse + column, V.Count);
            TensorPrimitives.Log(logs, logs);
            (V.Load(lse + column) + largest).Store(lse + column);
        }
    }

    /// <summary>Sets the scores [key][query] that query start + i must not see, those of keys after it, to a value.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Mask<V>(Rows scores, int start, int keys, int columns, float value) where V : struct, ILanes<V>
    {
        float* numbers = stackalloc float[QueryBlock];
        for (int i = 0; i < QueryBlock; i++)
            numbers[i] = i;
        V masked = V.Create(value);
        for (int key = start + 1; key < keys; key++)
            for (int column = 0; column < columns; column += V.Count)
            {
                float* at = scores[key] + column;
                V.SelectLess(V.Load(numbers + column), V.Create(key - start), masked, V.Load(at)).Store(at);
            }
    }

    private static void BackwardHost(HostDevice host, Sizes sizes, Operand q, Operand k, Operand v, DeviceArray keyLengths,
        Operand output, DeviceArray logSumExp, Operand doutput, Operand dq, bool accumulateQ, Operand dk, Operand dv,
        bool accumulateKv)
    {
        CheckKeyLengths(keyLengths, sizes.Keys);
        int* lengths = keyLengths.Ints;
        float* statistics = logSumExp.Floats;
        int width = Padded(sizes.HeadSize);
        long scratch = sizeof(float) * (QueryBlock * (2L * sizes.HeadSize + 3L * width + 2) + sizes.Keys * (2L * QueryBlock + 3L * width));
        host.Pool.Run(sizes.Samples * sizes.Heads, (unit, worker) =>
        {
            int sample = unit / sizes.Heads, head = unit % sizes.Heads;
            int keys = lengths == null ? sizes.Keys : lengths[sample];
            var rows = new BackwardRows
            {
                Q = RowsOf(q, sizes, sizes.Queries, sample, head),
                K = RowsOf(k, sizes, sizes.Keys, sample, head),
                V = RowsOf(v, sizes, sizes.Keys, sample, head),
                Output = RowsOf(output, sizes, sizes.Queries, sample, head),
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
        public Rows Q, K, V, Output, DOutput, DQ, DK, DV;
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
        float* lse = memory.Take(1, QueryBlock).First, delta = memory.Take(1, QueryBlock).First;
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
            for (int query = 0; query < columns; query++)
            {
                bool real = query < queries;
                lse[query] = real ? rows.LogSumExp[start + query] : 0;
                delta[query] = real ? Dot<V>(rows.DOutput[start + query], rows.Output[start + query], size) : 0;
            }
            Multiply<V>(seen, columns, size, rows.K.First, rows.K.Stride, 1, qT.First, QueryBlock, p.First, QueryBlock, false);
            Multiply<V>(seen, columns, size, rows.V.First, rows.V.Stride, 1, doT.First, QueryBlock, ds.First, QueryBlock, false);
            Probabilities<V>(p.First, ds.First, seen, columns, scale, lse, delta);
            if (sizes.Causal)
            {
                Mask<V>(p, start, seen, columns, 0);
                Mask<V>(ds, start, seen, columns, 0);
            }

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
    /// Turns scores [key][query] into probabilities and the gradients by the probabilities into those by the scores,
    /// 1 / sqrt(headSize) included.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Probabilities<V>(float* scores, float* gradients, int keys, int columns, float scale, float* lse,
        float* delta) where V : struct, ILanes<V>
    {
        V factor = V.Create(scale);
        for (int column = 0; column < columns; column += V.Count)
        {
            V shift = V.Zero - V.Load(lse + column), d = V.Load(delta + column);
            float* s = scores + column, g = gradients + column, end = s + (long)keys * QueryBlock;
            for (; s < end; s += QueryBlock, g += QueryBlock)
            {
                V p = VectorMath.Exp(V.MultiplyAdd(V.Load(s), factor, shift));
                p.Store(s);
                (p * factor * (V.Load(g) - d)).Store(g);
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static float Dot<V>(float* a, float* b, int length) where V : struct, ILanes<V>
    {
        V sum = V.Zero;
        int whole = length - length % V.Count;
        for (int i = 0; i < whole; i += V.Count)
            sum = V.MultiplyAdd(V.Load(a + i), V.Load(b + i), sum);
        float dot = V.Sum(sum);
        for (int i = whole; i < length; i++)
            dot += a[i] * b[i];
        return dot;
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
