using System.Runtime.CompilerServices;
using Cliper.Kernels.Cpu;
using Cliper.Kernels.Memory;

namespace Cliper.Kernels.Operations;

public static unsafe partial class Attention
{
    // Queries of a Q tile. Its scores lie transposed in scratch, [keys][queries]: the softmax then runs down the SIMD
    // lanes without a horizontal sum, and no key is padding. It is a multiple of every SIMD level's vector.
    private const int QueryBlock = 32;

    private const float Log2E = 1.44269504f;

    /// <summary>The rows of an operand that belong to one sample and head, or rows of scratch.</summary>
    private readonly struct Rows(float* first, nint stride)
    {
        public readonly float* First = first;
        public readonly nint Stride = stride;

        public bool IsNull => First == null;

        public Rows From(int row) => new(First + row * Stride, Stride);
    }

    /// <summary>A bump allocator over a worker's scratch memory.</summary>
    private ref struct Scratch(void* next)
    {
        private float* _next = (float*)next;

        public Rows Take(int rows, int width)
        {
            var taken = new Rows(_next, width);
            _next += (long)rows * width;
            return taken;
        }
    }

    private static Rows RowsOf(in Operand operand, in Sizes sizes, int rows, int unit) =>
        operand.IsNull ? default : new(
        (float*)operand.Array.Address + operand.Offset + (long)(unit / sizes.Heads) * rows * operand.Stride
            + unit % sizes.Heads * sizes.HeadSize, operand.Stride);

    /// <summary>
    /// Runs <paramref name="body"/>(sample * heads + head, worker) for all heads; a worker claims several small ones
    /// at once.
    /// </summary>
    private static void ForEachHead(CpuDevice cpu, in Sizes sizes, Action<int, int> body)
    {
        const long Turn = 1 << 17;
        int heads = sizes.Samples * sizes.Heads;
        int group = (int)Math.Clamp(Turn / ((long)sizes.Queries * sizes.Keys * sizes.HeadSize), 1, 16);
        cpu.Pool.Run((heads + group - 1) / group, (unit, worker) =>
        {
            int end = Math.Min(heads, (unit + 1) * group);
            for (int head = unit * group; head < end; head++)
                body(head, worker);
        });
    }

    private static void ForwardCpu(CpuDevice cpu, Sizes sizes, Inputs inputs, Operand output, DeviceArray logSumExp)
    {
        CheckKeyLengths(inputs.KeyLengths, sizes.Keys);
        int* lengths = inputs.KeyLengths.Ints;
        float* statistics = logSumExp.Floats;
        int width = RoundUp<Lanes512>(sizes.HeadSize);
        long scratch = sizeof(float)
            * (QueryBlock * (sizes.HeadSize + width + 2L) + (long)sizes.Keys * (QueryBlock + width));
        ForEachHead(cpu, sizes, (unit, worker) =>
        {
            var head = new Head
            {
                Q = RowsOf(inputs.Q, sizes, sizes.Queries, unit),
                K = RowsOf(inputs.K, sizes, sizes.Keys, unit),
                V = RowsOf(inputs.V, sizes, sizes.Keys, unit),
                Output = RowsOf(output, sizes, sizes.Queries, unit),
                Keys = lengths == null ? sizes.Keys : lengths[unit / sizes.Heads],
                LogSumExp = statistics == null ? null : statistics + (long)unit * sizes.Queries,
            };
            if (cpu.Bf16 is not null)
            {
                switch (cpu.Level)
                {
                    case SimdLevel.Avx512: ForwardHeadBf16<Lanes512>(cpu, sizes, head, worker); break;
                    case SimdLevel.Avx2: ForwardHeadBf16<Lanes256>(cpu, sizes, head, worker); break;
                    default: ForwardHeadBf16<LanesPortable>(cpu, sizes, head, worker); break;
                }
                return;
            }
            var memory = new Scratch(cpu.Pool.Scratch(worker, scratch));
            switch (cpu.Level)
            {
                case SimdLevel.Avx512: ForwardHead<Lanes512>(sizes, head, memory); break;
                case SimdLevel.Avx2: ForwardHead<Lanes256>(sizes, head, memory); break;
                default: ForwardHead<LanesPortable>(sizes, head, memory); break;
            }
        });
    }

    /// <summary>Operands of one sample and head.</summary>
    private struct Head
    {
        public Rows Q, K, V, Output, DOutput, DQ, DK, DV;
        public int Keys;
        public bool AddQ, AddKv;
        public float* LogSumExp;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void ForwardHead<V>(in Sizes sizes, in Head head, Scratch memory) where V : struct, ILanes<V>
    {
        int size = sizes.HeadSize, width = RoundUp<V>(size);
        float scale = 1 / MathF.Sqrt(size);
        Rows transposed = memory.Take(size, QueryBlock), scores = memory.Take(head.Keys, QueryBlock);
        Rows weighted = memory.Take(QueryBlock, width);
        float* reciprocal = memory.Take(1, QueryBlock).First, logSum = memory.Take(1, QueryBlock).First;
        Rows v = Padded<V>(head.V, head.Keys, size, ref memory);
        for (int start = 0; start < sizes.Queries; start += QueryBlock)
        {
            int queries = Math.Min(QueryBlock, sizes.Queries - start), columns = RoundUp<V>(queries);
            int seen = sizes.Causal ? start + queries : head.Keys;
            Rows q = head.Q.From(start), output = head.Output.From(start);
            Transposition.Run<V>(q.First, q.Stride, queries, size, transposed.First, QueryBlock, columns);
            Multiply<V>(seen, columns, size, head.K.First, head.K.Stride, 1, transposed, scores, add: false);
            if (sizes.Causal)
                Mask<V>(scores.First, start, seen, columns);
            Softmax<V>(scores.First, seen, columns, scale, reciprocal, head.LogSumExp == null ? null : logSum);
            Multiply<V>(queries, width, seen, scores.First, 1, QueryBlock, v, weighted, add: false);
            for (int query = 0; query < queries; query++)
            {
                V factor = V.Create(reciprocal[query]);
                Write<V>(weighted.From(query).First, factor, output.From(query).First, size, add: false);
            }
            if (head.LogSumExp != null)
                new ReadOnlySpan<float>(logSum, queries).CopyTo(new Span<float>(head.LogSumExp + start, queries));
        }
    }

    /// <summary>
    /// Replaces scores [key][query] by e = exp((score - max) scale); leaves 1 / (sum of e) of each query and, if
    /// wanted, the log of the sum of exp(score scale).
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
        0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15,
        16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31,
    ];

    /// <summary>
    /// c = a b, or c += a b, for a of [m, k], b of [k, n] and c of [m, n], all within cache.
    /// </summary>
    /// <param name="m">Rows of c.</param>
    /// <param name="n">Columns of c, a multiple of V.Count.</param>
    /// <param name="k">Terms of each sum, at least 1; added in order.</param>
    /// <param name="a">Element (i, k) at i * aRow + k * aK: as it lies in memory or transposed.</param>
    /// <param name="aRow">Elements between rows of a.</param>
    /// <param name="aK">Elements between columns of a.</param>
    /// <param name="b">[k, n].</param>
    /// <param name="c">[m, n].</param>
    /// <param name="add">Whether to add to c.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Multiply<V>(int m, int n, int k, float* a, nint aRow, nint aK, Rows b, Rows c,
        bool add) where V : struct, ILanes<V>
    {
        // The panels are of nearly equal height: a last one of one row would be bound by the latency of its few sums.
        var panels = new Partition(m, MicroKernel.MaxMr<V>());
        for (int column = 0; column < n; column += 2 * V.Count)
            for (int panel = 0; panel < panels.Count; panel++)
            {
                int row = panels.Start(panel), mr = panels.Size(panel);
                float* from = a + row * aRow, right = b.First + column, to = c.From(row).First + column;
                if (column + V.Count < n)
                    MicroKernel.Run<V, N2>(mr, k, from, aRow, aK, right, b.Stride, to, c.Stride, 1, add);
                else
                    MicroKernel.Run<V, N1>(mr, k, from, aRow, aK, right, b.Stride, to, c.Stride, 1, add);
            }
    }

    /// <summary>
    /// The rows with zeros up to whole vectors: themselves where there is nothing to add, else a copy.
    /// </summary>
    private static Rows Padded<V>(Rows source, int rows, int size, ref Scratch memory) where V : struct, ILanes<V>
    {
        int width = RoundUp<V>(size);
        if (width == size)
            return source;
        Rows target = memory.Take(rows, width);
        for (int row = 0; row < rows; row++)
        {
            float* to = target.From(row).First;
            new ReadOnlySpan<float>(source.From(row).First, size).CopyTo(new Span<float>(to, size));
            new Span<float>(to + size, width - size).Clear();
        }
        return target;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void WriteRows<V>(Rows source, Rows target, int rows, int size, bool add) where V : struct, ILanes<V>
    {
        for (int row = 0; row < rows; row++)
            Write<V>(source.From(row).First, V.Create(1), target.From(row).First, size, add);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Write<V>(float* source, V factor, float* target, int size, bool add) where V : struct, ILanes<V>
    {
        int whole = size - size % V.Count;
        for (int i = 0; i < whole; i += V.Count)
            V.MultiplyAdd(V.Load(source + i), factor, add ? V.Load(target + i) : V.Zero).Store(target + i);
        if (whole < size)
        {
            V to = add ? V.LoadPartial(target + whole, size - whole) : V.Zero;
            V.MultiplyAdd(V.Load(source + whole), factor, to).StorePartial(target + whole, size - whole);
        }
    }

    private static int RoundUp<V>(int n) where V : struct, ILanes<V> => (n + V.Count - 1) / V.Count * V.Count;

    private static void CheckKeyLengths(DeviceArray keyLengths, int keys)
    {
        if (keyLengths.IsNull)
            return;
        foreach (int length in keyLengths.AsSpan<int>())
            if (length < 1 || length > keys)
                throw new ArgumentException($"a key length is {length}, expected 1 to {keys}", nameof(keyLengths));
    }
}
