using Cliper.Kernels.Gpu.DeviceCode;
using ILGPU;

namespace Cliper.Kernels.Operations;

internal static partial class MmaSyncAttention
{
    /// <summary>FlashAttention-2 forward for head sizes up to 64 (arXiv 2307.08691, algorithm 1).</summary>
    /// <remarks>
    /// CTA: 64 or 128 query rows of one (head, sample), grid x, y, z; 4 or 8 warps, 16 rows a warp. KV tiles of 64
    /// rows, double-buffered with cp.async.
    /// Shared memory: [K0 | V0 | K1 | V1], 8 KiB each, 128-byte rows, XOR swizzle; Q is staged in K1 and V1.
    /// Registers: Q fragments (4 x U4), scores of 32 keys (4 x F4), output accumulators (8 x F4).
    /// Work: 4 queries keys headSize FLOPs a head, half of it under a causal mask; K and V are read once per CTA.
    /// </remarks>
    /// <param name="q">Queries; element 0 is that of sample 0, head 0.</param>
    /// <param name="k">Keys.</param>
    /// <param name="v">Values.</param>
    /// <param name="output">softmax(scale q k^T) v.</param>
    /// <param name="logSumExp">[samples, heads, queries], natural logarithm; null when it is not wanted.</param>
    /// <param name="keyLengths">[samples]; null when all keys are seen.</param>
    /// <param name="queries">Query rows of a sample.</param>
    /// <param name="keys">Key and value rows of a sample.</param>
    /// <param name="headSize">Columns of a head, a multiple of 8.</param>
    /// <param name="causal">1 when query i sees keys [0, i] only.</param>
    /// <param name="strideQ">Elements between rows of q.</param>
    /// <param name="strideK">Elements between rows of k.</param>
    /// <param name="strideV">Elements between rows of v.</param>
    /// <param name="strideOut">Elements between rows of output.</param>
    /// <param name="scale">log2(e) / sqrt(headSize).</param>
    [DeviceCode]
    private static void AttentionForwardKernel<TDtype, TTile>(GlobalPtr16<TDtype> q, GlobalPtr16<TDtype> k,
        GlobalPtr16<TDtype> v, GlobalPtr16<TDtype> output, GlobalPtrFp32 logSumExp, GlobalPtrInt32 keyLengths,
        int queries, int keys, int headSize, int causal, int strideQ, int strideK, int strideV, int strideOut,
        float scale)
        where TDtype : struct, IDtype16 where TTile : struct, ICtaTile
    {
        ArrayView<F4> scores = LocalMemory.Allocate<F4>(4), accumulators = LocalMemory.Allocate<F4>(8);
        ArrayView<U4> queryFragments = LocalMemory.Allocate<U4>(4);
        int lane = Group.IdxX & 31, warp = Group.IdxX >> 5;
        int first = Grid.IdxX * TTile.Warps * FragmentRows, row = FirstRowOfWarp<TTile>() + (lane >> 2);
        VisibleKeys visible = KeysVisible<TTile>(queries, keys, keyLengths, causal);
        int current = SharedTiles(), next = current + 2 * TileBytes;

        // (1) Stage Q in the second KV buffer and prefetch the first K and V tiles.
        TileCopy copyK = TileCopyOf(k, keys, strideK, headSize, TTile.Warps),
            copyV = TileCopyOf(v, keys, strideV, headSize, TTile.Warps);
        CopyOwnRows(TileCopyOf(q, queries, strideQ, headSize, TTile.Warps), next, first, queries);
        Ptx.CommitCopies();
        CopyTile<TTile>(copyK, current, 0, visible.Length);
        CopyTile<TTile>(copyV, current + TileBytes, 0, visible.Length);
        Ptx.CommitCopies();

        // (2) Move this warp's 16 query rows from shared memory to registers.
        Ptx.WaitForAllCopiesButOne();
        Group.Barrier();
        LoadFragmentsA(queryFragments, next + warp * FragmentBytes, lane);
        var zero = new ZeroBody { Accumulators = accumulators };
        Unroll8.For(ref zero);
        var softmax = new OnlineSoftmax { Scale = scale, Max0 = float.NegativeInfinity, Max1 = float.NegativeInfinity };

        // (3) For each KV tile: wait for it, and prefetch the next one into the other buffer.
        for (int firstKey = 0; firstKey < visible.End; firstKey += TileRows)
        {
            Ptx.WaitForAllCopies();
            // After the barrier the tile is complete, and no warp still reads the buffer that is filled next.
            Group.Barrier();
            if (firstKey + TileRows < visible.End)
            {
                CopyTile<TTile>(copyK, next, firstKey + TileRows, visible.Length);
                CopyTile<TTile>(copyV, next + TileBytes, firstKey + TileRows, visible.Length);
                Ptx.CommitCopies();
            }
            int addressB = current + FragmentOffsetB(lane), addressA = current + FragmentOffsetA(lane), key = firstKey,
                stop = firstKey + TileRows;
            // (3.1) Take 32 keys at a time while all rows of the warp see them: scores = Q K^T, online softmax,
            // output += P V.
            for (; key + 2 * FragmentRows <= IntrinsicMath.Min(visible.All, stop); key += 2 * FragmentRows)
            {
                MultiplyTransposed<TDtype, Unroll2>(scores, queryFragments, addressB, 0);
                softmax.Apply<Unroll2>(scores, accumulators);
                MultiplyAccumulate<TDtype, Unroll2>(accumulators, scores, addressA, TileBytes);
                addressB += 2 * FragmentBytes;
                addressA += 2 * FragmentBytes;
            }
            // (3.2) Take 16 keys at a time, masked, as long as some row of the warp sees them.
            for (; key < IntrinsicMath.Min(visible.Some, stop); key += FragmentRows)
            {
                MultiplyTransposed<TDtype, Once>(scores, queryFragments, addressB, 0);
                MaskBody mask;
                (mask.Scores, mask.Column, mask.Limit0, mask.Limit1) =
                    (scores, key + (lane & 3) * 2, visible.Length, visible.Length);
                if (causal != 0)
                    (mask.Limit0, mask.Limit1) = (row + 1, row + 9);
                Unroll2.For(ref mask);
                softmax.Apply<Once>(scores, accumulators);
                MultiplyAccumulate<TDtype, Once>(accumulators, scores, addressA, TileBytes);
                addressB += FragmentBytes;
                addressA += FragmentBytes;
            }
            (current, next) = (next, current);
        }

        // (4) Divide by the row sums, and store the output and the log-sum-exp.
        float total0 = Ptx.QuadSum(softmax.Sum0), total1 = Ptx.QuadSum(softmax.Sum1);
        Store(accumulators, output, row, queries, strideOut, headSize, 0, 1 / total0, 1 / total1);
        if ((lane & 3) != 0 || logSumExp.IsNull)
            return;
        GlobalPtrFp32 ofHead = HeadOf(logSumExp, queries);
        if (row < queries)
            ofHead.Store(row, (softmax.Max0 + Ptx.Log2(total0)) * LogOf2);
        if (row + 8 < queries)
            ofHead.Store(row + 8, (softmax.Max1 + Ptx.Log2(total1)) * LogOf2);
    }
}
