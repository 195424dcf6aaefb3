using System.Runtime.CompilerServices;
using Cliper.Kernels.Cpu;
using Cliper.Kernels.Cpu.MachineCode;

namespace Cliper.Kernels.Operations;

/// <content>
/// Attention on the CPU with bf16 operands. Queries, keys, values and the gradient of the output are rounded, and so
/// are the probabilities and the gradients of the scores before they are multiplied. Scores, softmax and sums are fp32.
/// </content>
public static unsafe partial class Attention
{
    /// <summary>Panels of pairs in scratch, and the micro-kernels that multiply them.</summary>
    private readonly struct Bf16Panels<V>(Bf16Kernels kernels, float* tile) where V : struct, ILanes<V>
    {
        private static int Mr => MicroKernel.MaxMr<V>();

        private static int WidthA => CpuGemm<V, NoEpilogue>.PackedMr;

        private static int Nr => CpuGemm<V, NoEpilogue>.Nr;

        private static int Pairs(int k) => (k + 1) / 2;

        /// <summary>Memory of a left operand of [rows, k], its panels one after another.</summary>
        public static Rows TakeLeft(ref Scratch memory, int rows, int k) =>
            memory.Take((rows + Mr - 1) / Mr, WidthA * Pairs(k));

        /// <summary>Memory of a right operand of [k, columns].</summary>
        public static Rows TakeRight(ref Scratch memory, int k, int columns) =>
            memory.Take((columns + Nr - 1) / Nr, Nr * Pairs(k));

        /// <summary>Packs a left operand, element (i, k) at i * row + k * step.</summary>
        public static void PackLeft(float* a, nint row, nint step, int rows, int k, Rows target)
        {
            for (int first = 0; first < rows; first += Mr)
                Packing.PackPairs<V>(a + first * row, row, step, Math.Min(Mr, rows - first), WidthA, k,
                    target.From(first / Mr).First);
        }

        /// <summary>Packs a right operand, element (k, j) at k * step + j * column.</summary>
        public static void PackRight(float* b, nint column, nint step, int columns, int k, Rows target)
        {
            for (int first = 0; first < columns; first += Nr)
                Packing.PackPairs<V>(b + first * column, column, step, Math.Min(Nr, columns - first), Nr, k,
                    target.From(first / Nr).First);
        }

        /// <summary>c = a b, or c += a b, of the first m rows, n columns and k terms of packed operands; n is a
        /// multiple of V.Count.</summary>
        public void Multiply(int m, int n, int k, Rows a, Rows b, Rows c, bool add)
        {
            for (int column = 0; column < n; column += Nr)
                for (int row = 0; row < m; row += Mr)
                {
                    int mr = Math.Min(Mr, m - row);
                    nint right = (nint)b.From(column / Nr).First;
                    CpuGemm<V, NoEpilogue>.RunBf16Tile(kernels, mr, new((nint)a.From(row / Mr).First, right,
                        (nint)tile, Pairs(k), right, 0), 1);
                    CpuGemm<V, NoEpilogue>.CopyEdge(tile, c.From(row).First + column, c.Stride, mr,
                        Math.Min(Nr, n - column), add);
                }
        }
    }

    /// <summary>Bytes of scratch that hold everything that the bf16 passes take for a head.</summary>
    private static long Bf16Scratch(in Sizes sizes)
    {
        // No panel is more than twice as wide as what it holds, but for one panel of rows or columns.
        long keys = sizes.Keys + 32L, size = sizes.HeadSize + 32L, queries = 2L * QueryBlock;
        long packed = 3 * keys * size + 6 * queries * size + 3 * queries * keys;
        long plain = 2 * keys * QueryBlock + 2 * keys * size + QueryBlock * (size + 2);
        return (Bf16Kernels.TileFloats + packed + plain) * sizeof(float);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void ForwardHeadBf16<V>(CpuDevice cpu, in Sizes sizes, in Head head, int worker)
        where V : struct, ILanes<V>
    {
        int size = sizes.HeadSize, width = RoundUp<V>(size), keys = head.Keys;
        float scale = 1 / MathF.Sqrt(size);
        var memory = new Scratch(cpu.Pool.Scratch(worker, Bf16Scratch(sizes)));
        var panels = new Bf16Panels<V>(cpu.Bf16!, memory.Take(1, Bf16Kernels.TileFloats).First);
        Rows k = PackedLeft<V>(ref memory, head.K, keys, size), v = Bf16Panels<V>.TakeRight(ref memory, keys, size);
        Rows q = Bf16Panels<V>.TakeRight(ref memory, size, QueryBlock);
        Rows p = Bf16Panels<V>.TakeLeft(ref memory, QueryBlock, keys);
        Rows scores = memory.Take(keys, QueryBlock), weighted = memory.Take(QueryBlock, width);
        float* reciprocal = memory.Take(1, QueryBlock).First, logSum = memory.Take(1, QueryBlock).First;
        Bf16Panels<V>.PackRight(head.V.First, 1, head.V.Stride, size, keys, v);
        for (int start = 0; start < sizes.Queries; start += QueryBlock)
        {
            int queries = Math.Min(QueryBlock, sizes.Queries - start), columns = RoundUp<V>(queries);
            int seen = sizes.Causal ? start + queries : keys;
            Rows output = head.Output.From(start);
            Bf16Panels<V>.PackRight(head.Q.From(start).First, head.Q.Stride, 1, queries, size, q);
            panels.Multiply(seen, columns, size, k, q, scores, add: false);
            if (sizes.Causal)
                Mask<V>(scores.First, start, seen, columns);
            Softmax<V>(scores.First, seen, columns, scale, reciprocal, head.LogSumExp == null ? null : logSum);
            Bf16Panels<V>.PackLeft(scores.First, 1, QueryBlock, queries, seen, p);
            panels.Multiply(queries, width, seen, p, v, weighted, add: false);
            for (int query = 0; query < queries; query++)
                Write<V>(weighted.From(query).First, V.Create(reciprocal[query]), output.From(query).First, size,
                    add: false);
            if (head.LogSumExp != null)
                new ReadOnlySpan<float>(logSum, queries).CopyTo(new Span<float>(head.LogSumExp + start, queries));
        }
    }
}
