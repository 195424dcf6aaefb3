using System.Runtime.CompilerServices;
using Cliper.Kernels.Gpu.DeviceCode;
using ILGPU;

namespace Cliper.Kernels.Operations;

internal static partial class MmaSyncAttention
{
    /// <summary>
    /// Turns the transposed scores S^T of 16 keys and 8 queries into probabilities P^T, and dP^T into
    /// dS^T = P (dP - delta).
    /// </summary>
    [DeviceCode]
    private struct KvGradientBody : IUnrolledBody
    {
        public ArrayView<F4> Scores, Gradients;
        public int RowStatistics, Query, Key, Masked;
        public float Scale;

        public void Run(int index)
        {
            // The log-sum-exp (X, Z) and delta (Y, W) of the lane's two queries.
            F4 s = Scores[index], g = Gradients[index],
                rows = Ptx.LoadShared(RowStatistics + index * 8 * StatisticBytes);
            int query = Query + index * 8;
            s.X = Probability(s.X, rows.X, Key <= query);
            s.Y = Probability(s.Y, rows.Z, Key <= query + 1);
            s.Z = Probability(s.Z, rows.X, Key + 8 <= query);
            s.W = Probability(s.W, rows.Z, Key + 8 <= query + 1);
            (g.X, g.Y, g.Z, g.W) = (s.X * (g.X - rows.Y), s.Y * (g.Y - rows.W), s.Z * (g.Z - rows.Y),
                s.W * (g.W - rows.W));
            Scores[index] = s;
            Gradients[index] = g;
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        private float Probability(float score, float logSumExp, bool visible)
        {
            float p = Ptx.Exp2(Ptx.Fma(score, Scale, -logSumExp));
            return Masked == 0 || visible ? p : 0f;
        }
    }

    /// <summary>
    /// Zeroes the gradients of keys from the sample's key length on: no query sees them, their P are arbitrary.
    /// </summary>
    [DeviceCode]
    private struct HidePaddingBody : IUnrolledBody
    {
        public ArrayView<F4> Accumulators;
        public int Visible0, Visible1;

        public void Run(int index)
        {
            F4 s = Accumulators[index];
            s.X = Visible0 != 0 ? s.X : 0f;
            s.Y = Visible0 != 0 ? s.Y : 0f;
            s.Z = Visible1 != 0 ? s.Z : 0f;
            s.W = Visible1 != 0 ? s.W : 0f;
            Accumulators[index] = s;
        }
    }

    /// <summary>
    /// Adds what 16 queries after another contribute to the gradients of a warp's 16 keys and values.
    /// </summary>
    [DeviceCode]
    private struct KvAccumulation<TDtype> where TDtype : struct, IDtype16
    {
        public ArrayView<U4> Keys, Values;
        public ArrayView<F4> AccumulatorsK, AccumulatorsV;
        public int AddressB, AddressA;
        public KvGradientBody Gradient;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public void AddQueries()
        {
            // S^T = K Q^T, dP^T = V dO^T, then dV += P^T dO, dK += dS^T Q. Q lies in the tile, dO in the one after it.
            MultiplyTransposed<TDtype, Once>(Gradient.Scores, Keys, AddressB, 0);
            MultiplyTransposed<TDtype, Once>(Gradient.Gradients, Values, AddressB, TileBytes);
            Unroll2.For(ref Gradient);
            MultiplyAccumulate<TDtype, Once>(AccumulatorsV, Gradient.Scores, AddressA, TileBytes);
            MultiplyAccumulate<TDtype, Once>(AccumulatorsK, Gradient.Gradients, AddressA, 0);
            AddressB += FragmentBytes;
            AddressA += FragmentBytes;
            Gradient.Query += FragmentRows;
            Gradient.RowStatistics += FragmentRows * StatisticBytes;
        }
    }

    /// <summary>
    /// Starts copying a Q tile's log-sum-exp and delta, 16 bytes a thread; they exist for whole tiles.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void CopyRowStatistics(int tile, long from)
    {
        if (Group.IdxX < StatisticTileBytes / 16)
            Ptx.CopyAsync(tile + Group.IdxX * 16, from, 16);
    }

    /// <summary>
    /// FlashAttention-2 backward for dK and dV (arXiv 2307.08691, algorithm 2, the loop over K and V outside).
    /// </summary>
    /// <remarks>
    /// CTA: 64 key and value rows of one (head, sample), grid x, y, z; 4 warps, 16 rows a warp. Q tiles of 64 rows
    /// with their dO, log-sum-exp and delta, double-buffered with cp.async.
    /// Shared memory: [Q0 | dO0 | Q1 | dO1], 8 KiB each, then two row-statistics tiles of 512 bytes; K and V are
    /// staged in Q1 and dO1.
    /// Registers: K and V fragments (4 x U4 each), S^T and dP^T of 16 queries (2 x F4 each), dK and dV accumulators
    /// (8 x F4 each).
    /// </remarks>
    /// <param name="q">Queries; element 0 is that of sample 0, head 0.</param>
    /// <param name="k">Keys.</param>
    /// <param name="v">Values.</param>
    /// <param name="d">dO, the gradient of the output.</param>
    /// <param name="statistics">(log-sum-exp, delta) of each query, see <see cref="AttentionDeltaKernel"/>.</param>
    /// <param name="keyLengths">[samples]; null when all keys are seen.</param>
    /// <param name="dk">Gradient of the keys.</param>
    /// <param name="dv">Gradient of the values.</param>
    /// <param name="queries">Query rows of a sample.</param>
    /// <param name="keys">Key and value rows of a sample.</param>
    /// <param name="headSize">Columns of a head, a multiple of 8.</param>
    /// <param name="causal">1 when query i sees keys [0, i] only.</param>
    /// <param name="strideQ">Elements between rows of q.</param>
    /// <param name="strideK">Elements between rows of k.</param>
    /// <param name="strideV">Elements between rows of v.</param>
    /// <param name="strideD">Elements between rows of d.</param>
    /// <param name="strideDk">Elements between rows of dk.</param>
    /// <param name="strideDv">Elements between rows of dv.</param>
    /// <param name="scale">log2(e) / sqrt(headSize).</param>
    /// <param name="accumulate">1 to add to dk and dv.</param>
    [DeviceCode]
    private static void AttentionBackwardKvKernel<TDtype, TTile>(GlobalPtr16<TDtype> q, GlobalPtr16<TDtype> k,
        GlobalPtr16<TDtype> v, GlobalPtr16<TDtype> d, GlobalPtrFp32 statistics, GlobalPtrInt32 keyLengths,
        GlobalPtr16<TDtype> dk, GlobalPtr16<TDtype> dv, int queries, int keys, int headSize, int causal, int strideQ,
        int strideK, int strideV, int strideD, int strideDk, int strideDv, float scale, int accumulate)
        where TDtype : struct, IDtype16 where TTile : struct, ICtaTile
    {
        ArrayView<F4> scores = LocalMemory.Allocate<F4>(2), gradients = LocalMemory.Allocate<F4>(2),
            accumulatorsK = LocalMemory.Allocate<F4>(8), accumulatorsV = LocalMemory.Allocate<F4>(8);
        ArrayView<U4> keyFragments = LocalMemory.Allocate<U4>(4), valueFragments = LocalMemory.Allocate<U4>(4);
        int lane = Group.IdxX & 31, warp = Group.IdxX >> 5;
        int first = Grid.IdxX * TTile.Warps * FragmentRows, firstOfWarp = FirstRowOfWarp<TTile>();
        int keyLength = keyLengths.IsNull ? keys : keyLengths.Load(Grid.IdxZ);
        // Queries from all on see all keys of the warp, those from some on see some. No query sees keys from the key
        // length on.
        int begin = 0, all = 0, some = 0;
        if (causal != 0)
            (begin, all, some) = (first, firstOfWarp + FragmentRows, firstOfWarp);
        if (firstOfWarp >= keyLength)
            (all, some) = (queries, queries);
        int current = SharedTiles(), next = current + 2 * TileBytes;
        int currentStatistics = current + 4 * TileBytes, nextStatistics = currentStatistics + StatisticTileBytes;

        // (1) Stage K and V in the second Q and dO buffers and prefetch the first Q, dO and row-statistics tiles.
        TileCopy copyQ = TileCopyOf(q, queries, strideQ, headSize, TTile.Warps),
            copyD = TileCopyOf(d, queries, strideD, headSize, TTile.Warps);
        CopyOwnRows(TileCopyOf(k, keys, strideK, headSize, TTile.Warps), next, first, keyLength);
        CopyOwnRows(TileCopyOf(v, keys, strideV, headSize, TTile.Warps), next + TileBytes, first, keyLength);
        Ptx.CommitCopies();
        CopyTile<TTile>(copyQ, current, begin, queries);
        CopyTile<TTile>(copyD, current + TileBytes, begin, queries);
        long statisticsFrom = HeadOf(statistics, StatisticRows(queries) * 2).At(begin * 2 + Group.IdxX * 4);
        CopyRowStatistics(currentStatistics, statisticsFrom);
        Ptx.CommitCopies();

        // (2) Move this warp's 16 key and value rows from shared memory to registers.
        Ptx.WaitForAllCopiesButOne();
        Group.Barrier();
        LoadFragmentsA(keyFragments, next + warp * FragmentBytes, lane);
        LoadFragmentsA(valueFragments, next + TileBytes + warp * FragmentBytes, lane);
        ZeroBody zero;
        zero.Accumulators = accumulatorsK;
        Unroll8.For(ref zero);
        zero.Accumulators = accumulatorsV;
        Unroll8.For(ref zero);
        int row = firstOfWarp + (lane >> 2);

        // (3) For each Q tile: wait for it, and prefetch the next one into the other buffer.
        for (int firstQuery = begin; firstQuery < queries; firstQuery += TileRows)
        {
            Ptx.WaitForAllCopies();
            Group.Barrier();
            if (firstQuery + TileRows < queries)
            {
                CopyTile<TTile>(copyQ, next, firstQuery + TileRows, queries);
                CopyTile<TTile>(copyD, next + TileBytes, firstQuery + TileRows, queries);
                statisticsFrom += StatisticTileBytes;
                CopyRowStatistics(nextStatistics, statisticsFrom);
                Ptx.CommitCopies();
            }
            int query = IntrinsicMath.Max(firstQuery, some), stop = IntrinsicMath.Min(queries, firstQuery + TileRows),
                skipped = query - firstQuery;
            KvAccumulation<TDtype> step;
            (step.Keys, step.Values, step.AccumulatorsK, step.AccumulatorsV) =
                (keyFragments, valueFragments, accumulatorsK, accumulatorsV);
            step.AddressB = current + skipped * RowBytes + FragmentOffsetB(lane);
            step.AddressA = current + skipped * RowBytes + FragmentOffsetA(lane);
            (step.Gradient.Scores, step.Gradient.Gradients) = (scores, gradients);
            (step.Gradient.Key, step.Gradient.Query, step.Gradient.Scale) = (row, query + (lane & 3) * 2, scale);
            step.Gradient.RowStatistics = currentStatistics + (skipped + (lane & 3) * 2) * StatisticBytes;
            // (3.1) Take 16 queries at a time, masked, until all keys of the warp are seen.
            for (; query < IntrinsicMath.Min(all, stop); query += FragmentRows)
            {
                step.Gradient.Masked = 1;
                step.AddQueries();
            }
            // (3.2) Take the remaining queries of the tile without a mask.
            for (; query < stop; query += FragmentRows)
            {
                step.Gradient.Masked = 0;
                step.AddQueries();
            }
            (current, next) = (next, current);
            (currentStatistics, nextStatistics) = (nextStatistics, currentStatistics);
        }

        // (4) Zero the gradients of padding, and store dK and dV or add them to global memory.
        HidePaddingBody hide;
        (hide.Accumulators, hide.Visible0, hide.Visible1) =
            (accumulatorsK, row < keyLength ? 1 : 0, row + 8 < keyLength ? 1 : 0);
        Unroll8.For(ref hide);
        hide.Accumulators = accumulatorsV;
        Unroll8.For(ref hide);
        Store(accumulatorsK, dk, row, keys, strideDk, headSize, accumulate, scale * LogOf2, scale * LogOf2);
        Store(accumulatorsV, dv, row, keys, strideDv, headSize, accumulate, 1, 1);
    }
}
