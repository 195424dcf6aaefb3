using System.Runtime.CompilerServices;
using Cliper.Kernels.Gpu.DeviceCode;
using ILGPU;

namespace Cliper.Kernels.Operations;

internal static partial class MmaSyncAttention
{
    /// <summary>Turns the dP of 16 queries and 8 keys into dS = P (dP - delta), with P from the scores S.</summary>
    [DeviceCode]
    private struct QueryGradientBody : IUnrolledBody
    {
        // Row0 and Row1 are (log-sum-exp, delta) of the lane's two queries.
        public ArrayView<F4> Scores, Gradients;
        public int Column, Limit0, Limit1, Masked;
        public float Scale;
        public F2 Row0, Row1;

        public void Run(int index)
        {
            F4 s = Scores[index], g = Gradients[index];
            int column = Column + index * 8;
            g.X = Gradient(s.X, g.X, Row0, column < Limit0);
            g.Y = Gradient(s.Y, g.Y, Row0, column + 1 < Limit0);
            g.Z = Gradient(s.Z, g.Z, Row1, column < Limit1);
            g.W = Gradient(s.W, g.W, Row1, column + 1 < Limit1);
            Gradients[index] = g;
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        private float Gradient(float score, float gradient, F2 row, bool visible)
        {
            float value = Ptx.Exp2(Ptx.Fma(score, Scale, -row.X)) * (gradient - row.Y);
            return Masked == 0 || visible ? value : 0f;
        }
    }

    /// <summary>Adds what 16 keys after another contribute to the gradients of a warp's 16 queries.</summary>
    [DeviceCode]
    private struct QueryAccumulation<TDtype> where TDtype : struct, IDtype16
    {
        public ArrayView<U4> Queries, Doutput;
        public ArrayView<F4> Accumulators;
        public int AddressB, AddressA;
        public QueryGradientBody Gradient;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public void AddKeys()
        {
            // S = Q K^T, dP = dO V^T, then dQ += dS K. K lies in the tile, V in the one after it.
            MultiplyTransposed<TDtype, Once>(Gradient.Scores, Queries, AddressB, 0);
            MultiplyTransposed<TDtype, Once>(Gradient.Gradients, Doutput, AddressB, TileBytes);
            Unroll2.For(ref Gradient);
            MultiplyAccumulate<TDtype, Once>(Accumulators, Gradient.Gradients, AddressA, 0);
            AddressB += FragmentBytes;
            AddressA += FragmentBytes;
            Gradient.Column += FragmentRows;
        }
    }

    /// <summary>FlashAttention-2 backward for dQ (arXiv 2307.08691, algorithm 2, the loop over Q outside).</summary>
    /// <remarks>
    /// CTA: 64 or 128 query rows of one (head, sample), grid x, y, z; 4 or 8 warps, 16 rows a warp. KV tiles of 64
    /// rows, double-buffered with cp.async.
    /// Shared memory: [K0 | V0 | K1 | V1], 8 KiB each; Q and dO are staged from K1 on and, with 128 rows, beyond V1.
    /// Registers: Q and dO fragments (4 x U4 each), S and dP of 16 keys (2 x F4 each), dQ accumulators (8 x F4),
    /// log-sum-exp and delta of two rows.
    /// </remarks>
    /// <param name="q">Queries; element 0 is that of sample 0, head 0.</param>
    /// <param name="k">Keys.</param>
    /// <param name="v">Values.</param>
    /// <param name="d">dO, the gradient of the output.</param>
    /// <param name="statistics">(log-sum-exp, delta) of each query, see <see cref="AttentionDeltaKernel"/>.</param>
    /// <param name="keyLengths">[samples]; null when all keys are seen.</param>
    /// <param name="dq">Gradient of the queries.</param>
    /// <param name="queries">Query rows of a sample.</param>
    /// <param name="keys">Key and value rows of a sample.</param>
    /// <param name="headSize">Columns of a head, a multiple of 8.</param>
    /// <param name="causal">1 when query i sees keys [0, i] only.</param>
    /// <param name="strideQ">Elements between rows of q.</param>
    /// <param name="strideK">Elements between rows of k.</param>
    /// <param name="strideV">Elements between rows of v.</param>
    /// <param name="strideD">Elements between rows of d.</param>
    /// <param name="strideDq">Elements between rows of dq.</param>
    /// <param name="scale">log2(e) / sqrt(headSize).</param>
    /// <param name="accumulate">1 to add to dq.</param>
    [DeviceCode]
    private static void AttentionBackwardQKernel<TDtype, TTile>(GlobalPtr16<TDtype> q, GlobalPtr16<TDtype> k,
        GlobalPtr16<TDtype> v, GlobalPtr16<TDtype> d, GlobalPtrFp32 statistics, GlobalPtrInt32 keyLengths,
        GlobalPtr16<TDtype> dq, int queries, int keys, int headSize, int causal, int strideQ, int strideK, int strideV,
        int strideD, int strideDq, float scale, int accumulate)
        where TDtype : struct, IDtype16 where TTile : struct, ICtaTile
    {
        ArrayView<F4> scores = LocalMemory.Allocate<F4>(2), gradients = LocalMemory.Allocate<F4>(2),
            accumulators = LocalMemory.Allocate<F4>(8);
        ArrayView<U4> queryFragments = LocalMemory.Allocate<U4>(4), doutputFragments = LocalMemory.Allocate<U4>(4);
        int ownBytes = TTile.Warps * FragmentBytes, lane = Group.IdxX & 31, warp = Group.IdxX >> 5;
        int first = Grid.IdxX * TTile.Warps * FragmentRows, row = FirstRowOfWarp<TTile>() + (lane >> 2);
        VisibleKeys visible = KeysVisible<TTile>(queries, keys, keyLengths, causal);
        int current = SharedTiles(), next = current + 2 * TileBytes;

        // (1) Stage Q and dO from the second KV buffer on and prefetch the first K and V tiles.
        TileCopy copyK = TileCopyOf(k, keys, strideK, headSize, TTile.Warps),
            copyV = TileCopyOf(v, keys, strideV, headSize, TTile.Warps);
        CopyOwnRows(TileCopyOf(q, queries, strideQ, headSize, TTile.Warps), next, first, queries);
        CopyOwnRows(TileCopyOf(d, queries, strideD, headSize, TTile.Warps), next + ownBytes, first, queries);
        Ptx.CommitCopies();
        CopyTile<TTile>(copyK, current, 0, visible.Length);
        CopyTile<TTile>(copyV, current + TileBytes, 0, visible.Length);
        Ptx.CommitCopies();

        // (2) Move this warp's 16 rows of Q and dO from shared memory to registers, and their statistics from global
        // memory.
        Ptx.WaitForAllCopiesButOne();
        Group.Barrier();
        LoadFragmentsA(queryFragments, next + warp * FragmentBytes, lane);
        LoadFragmentsA(doutputFragments, next + ownBytes + warp * FragmentBytes, lane);
        var zero = new ZeroBody { Accumulators = accumulators };
        Unroll8.For(ref zero);
        GlobalPtrFp32 ofHead = HeadOf(statistics, StatisticRows(queries) * 2);
        F2 row0 = default, row1 = default;
        if (row < queries)
            row0 = ofHead.Load2(row * 2);
        if (row + 8 < queries)
            row1 = ofHead.Load2(row * 2 + 16);

        // (3) For each KV tile: wait for it, and prefetch the next one into the other buffer.
        for (int firstKey = 0; firstKey < visible.End; firstKey += TileRows)
        {
            Ptx.WaitForAllCopies();
            Group.Barrier();
            if (firstKey + TileRows < visible.End)
            {
                CopyTile<TTile>(copyK, next, firstKey + TileRows, visible.Length);
                CopyTile<TTile>(copyV, next + TileBytes, firstKey + TileRows, visible.Length);
                Ptx.CommitCopies();
            }
            QueryAccumulation<TDtype> step;
            (step.Queries, step.Doutput, step.Accumulators) = (queryFragments, doutputFragments, accumulators);
            (step.AddressB, step.AddressA) = (current + FragmentOffsetB(lane), current + FragmentOffsetA(lane));
            (step.Gradient.Scores, step.Gradient.Gradients) = (scores, gradients);
            (step.Gradient.Row0, step.Gradient.Row1, step.Gradient.Scale) = (row0, row1, scale);
            (step.Gradient.Limit0, step.Gradient.Limit1) = (visible.Length, visible.Length);
            if (causal != 0)
                (step.Gradient.Limit0, step.Gradient.Limit1) = (row + 1, row + 9);
            step.Gradient.Column = firstKey + (lane & 3) * 2;
            int key = firstKey, stop = firstKey + TileRows;
            // (3.1) Take 16 keys at a time without a mask while all rows of the warp see them.
            for (; key + FragmentRows <= IntrinsicMath.Min(visible.All, stop); key += FragmentRows)
            {
                step.Gradient.Masked = 0;
                step.AddKeys();
            }
            // (3.2) Take 16 keys at a time, masked, as long as some row of the warp sees them.
            for (; key < IntrinsicMath.Min(visible.Some, stop); key += FragmentRows)
            {
                step.Gradient.Masked = 1;
                step.AddKeys();
            }
            (current, next) = (next, current);
        }

        // (4) Store dQ, or add it to global memory.
        Store(accumulators, dq, row, queries, strideDq, headSize, accumulate, scale * LogOf2, scale * LogOf2);
    }
}
