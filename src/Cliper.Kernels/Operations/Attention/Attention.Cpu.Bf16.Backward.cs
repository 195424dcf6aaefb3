using System.Runtime.CompilerServices;
using Cliper.Kernels.Cpu;
using Cliper.Kernels.Cpu.MachineCode;

namespace Cliper.Kernels.Operations;

/// <content>The backward pass on the CPU with bf16 operands.</content>
public static unsafe partial class Attention
{
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void BackwardHeadBf16<V>(CpuDevice cpu, in Sizes sizes, in Head head, int worker)
        where V : struct, ILanes<V>
    {
        int size = sizes.HeadSize, width = RoundUp<V>(size), keys = head.Keys;
        var memory = new Scratch(cpu.Pool.Scratch(worker, Bf16Scratch(sizes)));
        var panels = new Bf16Panels<V>(cpu.Bf16!, memory.Take(1, Bf16Kernels.TileFloats).First);
        Rows p = memory.Take(keys, QueryBlock), ds = memory.Take(keys, QueryBlock);
        Rows dq = memory.Take(QueryBlock, width), dk = memory.Take(keys, width), dv = memory.Take(keys, width);
        float* logSum = memory.Take(1, QueryBlock).First;
        Rows k = PackedLeft<V>(ref memory, head.K, keys, size), v = PackedLeft<V>(ref memory, head.V, keys, size);
        Rows keysOfQueries = Bf16Panels<V>.TakeRight(ref memory, keys, size);
        if (!head.DQ.IsNull)
            Bf16Panels<V>.PackRight(head.K.First, 1, head.K.Stride, size, keys, keysOfQueries);

        // From the last Q tile to the first, as in fp32.
        int blocks = (sizes.Queries + QueryBlock - 1) / QueryBlock;
        for (int block = blocks - 1; block >= 0; block--)
        {
            Scratch blockMemory = memory;
            int start = block * QueryBlock, queries = Math.Min(QueryBlock, sizes.Queries - start);
            int columns = RoundUp<V>(queries);
            int seen = sizes.Causal ? start + queries : keys;
            Rows q = head.Q.From(start), doutput = head.DOutput.From(start);
            Rows right = Bf16Panels<V>.TakeRight(ref blockMemory, size, QueryBlock);
            Bf16Panels<V>.PackRight(q.First, q.Stride, 1, queries, size, right);
            panels.Multiply(seen, columns, size, k, right, p, add: false);
            Bf16Panels<V>.PackRight(doutput.First, doutput.Stride, 1, queries, size, right);
            panels.Multiply(seen, columns, size, v, right, ds, add: false);
            if (sizes.Causal)
                Mask<V>(p.First, start, seen, columns);
            new ReadOnlySpan<float>(head.LogSumExp + start, queries).CopyTo(new Span<float>(logSum, queries));
            new Span<float>(logSum + queries, columns - queries).Clear();
            Probabilities<V>(p.First, ds.First, seen, columns, 1 / MathF.Sqrt(size), logSum);

            if (!head.DQ.IsNull)
            {
                Rows left = Bf16Panels<V>.TakeLeft(ref blockMemory, QueryBlock, keys);
                Bf16Panels<V>.PackLeft(ds.First, 1, QueryBlock, queries, seen, left);
                panels.Multiply(queries, width, seen, left, keysOfQueries, dq, add: false);
                WriteRows<V>(dq, head.DQ.From(start), queries, size, head.AddQ);
            }
            if (head.DK.IsNull)
                continue;
            AddKeyGradient(p, doutput, dv, blockMemory);
            AddKeyGradient(ds, q, dk, blockMemory);

            // sum = factors rows, or sum += factors rows, over the queries of this tile.
            void AddKeyGradient(Rows factors, Rows rows, Rows sum, Scratch own)
            {
                Rows left = Bf16Panels<V>.TakeLeft(ref own, keys, QueryBlock);
                Rows right = Bf16Panels<V>.TakeRight(ref own, QueryBlock, size);
                Bf16Panels<V>.PackLeft(factors.First, QueryBlock, 1, seen, queries, left);
                Bf16Panels<V>.PackRight(rows.First, 1, rows.Stride, size, queries, right);
                panels.Multiply(seen, width, queries, left, right, sum, add: block < blocks - 1);
            }
        }
        WriteKeyGradients<V>(sizes, head, dk, dv);
    }

    private static Rows PackedLeft<V>(ref Scratch memory, Rows rows, int count, int k) where V : struct, ILanes<V>
    {
        Rows packed = Bf16Panels<V>.TakeLeft(ref memory, count, k);
        Bf16Panels<V>.PackLeft(rows.First, rows.Stride, 1, count, k, packed);
        return packed;
    }
}
