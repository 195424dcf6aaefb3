using System.Runtime.CompilerServices;
using Cliper.Kernels.Cpu;
using Cliper.Kernels.Memory;

namespace Cliper.Kernels.Operations;

/// <content>
/// The backward pass on the CPU: Q tile by Q tile, with the probabilities recomputed from the log-sum-exp.
/// </content>
public static unsafe partial class Attention
{
    private static void BackwardCpu(CpuDevice cpu, Sizes sizes, Inputs inputs, DeviceArray logSumExp, Operand doutput,
        Gradients gradients)
    {
        CheckKeyLengths(inputs.KeyLengths, sizes.Keys);
        int* lengths = inputs.KeyLengths.Ints;
        float* statistics = logSumExp.Floats;
        int width = RoundUp<Lanes512>(sizes.HeadSize);
        long scratch = sizeof(float)
            * (QueryBlock * (2L * sizes.HeadSize + 3L * width + 1) + sizes.Keys * (2L * QueryBlock + 3L * width));
        ForEachHead(cpu, sizes, (unit, worker) =>
        {
            var head = new Head
            {
                Q = RowsOf(inputs.Q, sizes, sizes.Queries, unit),
                K = RowsOf(inputs.K, sizes, sizes.Keys, unit),
                V = RowsOf(inputs.V, sizes, sizes.Keys, unit),
                DOutput = RowsOf(doutput, sizes, sizes.Queries, unit),
                DQ = RowsOf(gradients.Q.Operand, sizes, sizes.Queries, unit),
                DK = RowsOf(gradients.K.Operand, sizes, sizes.Keys, unit),
                DV = RowsOf(gradients.V.Operand, sizes, sizes.Keys, unit),
                Keys = lengths == null ? sizes.Keys : lengths[unit / sizes.Heads],
                AddQ = gradients.Q.Accumulate,
                AddKv = gradients.K.Accumulate,
                LogSumExp = statistics + (long)unit * sizes.Queries,
            };
            if (cpu.Bf16 is not null)
            {
                switch (cpu.Level)
                {
                    case SimdLevel.Avx512: BackwardHeadBf16<Lanes512>(cpu, sizes, head, worker); break;
                    case SimdLevel.Avx2: BackwardHeadBf16<Lanes256>(cpu, sizes, head, worker); break;
                    default: BackwardHeadBf16<LanesPortable>(cpu, sizes, head, worker); break;
                }
                return;
            }
            var memory = new Scratch(cpu.Pool.Scratch(worker, scratch));
            switch (cpu.Level)
            {
                case SimdLevel.Avx512: BackwardHead<Lanes512>(sizes, head, memory); break;
                case SimdLevel.Avx2: BackwardHead<Lanes256>(sizes, head, memory); break;
                default: BackwardHead<LanesPortable>(sizes, head, memory); break;
            }
        });
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void BackwardHead<V>(in Sizes sizes, in Head head, Scratch memory) where V : struct, ILanes<V>
    {
        int size = sizes.HeadSize, width = RoundUp<V>(size);
        float scale = 1 / MathF.Sqrt(size);
        Rows transposedQ = memory.Take(size, QueryBlock), transposedDOutput = memory.Take(size, QueryBlock);
        Rows p = memory.Take(head.Keys, QueryBlock), ds = memory.Take(head.Keys, QueryBlock);
        Rows dq = memory.Take(QueryBlock, width);
        Rows dk = memory.Take(head.Keys, width), dv = memory.Take(head.Keys, width);
        float* logSum = memory.Take(1, QueryBlock).First;
        Rows k = head.DQ.IsNull ? default : Padded<V>(head.K, head.Keys, size, ref memory);

        // The Q tiles go from last to first: the last one sees every key, even under a causal mask, and so starts dk
        // and dv.
        int blocks = (sizes.Queries + QueryBlock - 1) / QueryBlock;
        for (int block = blocks - 1; block >= 0; block--)
        {
            int start = block * QueryBlock, queries = Math.Min(QueryBlock, sizes.Queries - start);
            int columns = RoundUp<V>(queries);
            int seen = sizes.Causal ? start + queries : head.Keys;
            Rows q = head.Q.From(start), doutput = head.DOutput.From(start);
            Transposition.Run<V>(q.First, q.Stride, queries, size, transposedQ.First, QueryBlock, columns);
            Transposition.Run<V>(doutput.First, doutput.Stride, queries, size, transposedDOutput.First, QueryBlock,
                columns);
            Multiply<V>(seen, columns, size, head.K.First, head.K.Stride, 1, transposedQ, p, add: false);
            Multiply<V>(seen, columns, size, head.V.First, head.V.Stride, 1, transposedDOutput, ds, add: false);
            if (sizes.Causal)
                Mask<V>(p.First, start, seen, columns);
            new ReadOnlySpan<float>(head.LogSumExp + start, queries).CopyTo(new Span<float>(logSum, queries));
            new Span<float>(logSum + queries, columns - queries).Clear();
            Probabilities<V>(p.First, ds.First, seen, columns, scale, logSum);

            if (!head.DQ.IsNull)
            {
                Multiply<V>(queries, width, seen, ds.First, 1, QueryBlock, k, dq, add: false);
                WriteRows<V>(dq, head.DQ.From(start), queries, size, head.AddQ);
            }
            if (!head.DK.IsNull)
            {
                Scratch blockMemory = memory;
                q = Padded<V>(q, queries, size, ref blockMemory);
                doutput = Padded<V>(doutput, queries, size, ref blockMemory);
                bool add = block < blocks - 1;
                Multiply<V>(seen, width, queries, p.First, QueryBlock, 1, doutput, dv, add);
                Multiply<V>(seen, width, queries, ds.First, QueryBlock, 1, q, dk, add);
            }
        }
        WriteKeyGradients<V>(sizes, head, dk, dv);
    }

    private static void WriteKeyGradients<V>(in Sizes sizes, in Head head, Rows dk, Rows dv)
        where V : struct, ILanes<V>
    {
        if (head.DK.IsNull)
            return;
        int size = sizes.HeadSize;
        WriteRows<V>(dk, head.DK, head.Keys, size, head.AddKv);
        WriteRows<V>(dv, head.DV, head.Keys, size, head.AddKv);
        for (int key = head.Keys; key < sizes.Keys && !head.AddKv; key++)
        {
            new Span<float>(head.DK.From(key).First, size).Clear();
            new Span<float>(head.DV.From(key).First, size).Clear();
        }
    }

    /// <summary>
    /// Turns scores [key][query] into probabilities p, and their gradients dp into those of the scores:
    /// ds = p (dp - delta) / sqrt(headSize) with delta = the sum over keys of p dp.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Probabilities<V>(float* scores, float* gradients, int keys, int columns, float scale,
        float* logSum) where V : struct, ILanes<V>
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
}
