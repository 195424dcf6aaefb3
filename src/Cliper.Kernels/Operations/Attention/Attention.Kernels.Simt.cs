using System.Runtime.CompilerServices;
using Cliper.Kernels.Gpu.DeviceCode;
using ILGPU;

namespace Cliper.Kernels.Operations;

/// <summary>
/// Attention without tensor cores, for older GPUs, and on every GPU for heads or strides that tensor cores do not take.
/// </summary>
/// <remarks>
/// A warp owns one row of one side and streams the other side 32 rows at a time: first each lane has one of these
/// rows and computes its score, then each lane has columns lane and lane + 32 of the head and adds up all 32 rows.
/// Scores and probabilities stay in fp32 registers. CTA: 128 threads, four rows; grid x counts all rows of all heads
/// and samples. No shared memory.
/// </remarks>
internal static partial class SimtAttention
{
    private const int Threads = 128, WarpsPerCta = Threads / 32, Lanes = 32;
    private const float Log2OfE = 1.44269504f, LogOf2 = 0.69314718f;

    /// <summary>The row that a warp owns.</summary>
    [DeviceCode]
    private struct OwnRow
    {
        // Index counts the rows of all heads, SampleHead is sample * heads + head, HeadStart the head's first column.
        public long Index, SampleHead, Sample, HeadStart;
        public int Row;
    }

    /// <summary>This warp's row, of so many in each head.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static OwnRow RowOfWarp(int rows, int heads, int headSize)
    {
        OwnRow own;
        own.Index = (long)Grid.IdxX * WarpsPerCta + (Group.IdxX >> 5);
        own.SampleHead = own.Index / rows;
        own.Row = (int)(own.Index - own.SampleHead * rows);
        own.Sample = own.SampleHead / heads;
        own.HeadStart = (own.SampleHead - own.Sample * heads) * headSize;
        return own;
    }

    /// <summary>Keys that exist in a sample.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static int KeyLength(GlobalPtrInt32 keyLengths, long sample, int keys)
    {
        int length = keys;
        if (!keyLengths.IsNull)
            length = keyLengths.Load(sample);
        return length;
    }

    /// <summary>Dot product of two rows of a head.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static float Dot<TDtype>(GlobalPtr16<TDtype> a, long atA, GlobalPtr16<TDtype> b, long atB, int headSize,
        int vectorized)
        where TDtype : struct, IDtype16
    {
        float sum = 0;
        for (int column = 0; column < headSize; column += Vec8.Size)
            sum += Vec8.Sum(Vec8.Multiply(Vec8.Load(a, atA + column, headSize - column, vectorized),
                Vec8.Load(b, atB + column, headSize - column, vectorized)));
        return sum;
    }

    /// <summary>sum + weight x[at + column], or sum where the head has no such column.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static float Add<TDtype>(float sum, float weight, GlobalPtr16<TDtype> x, long at, int column, int headSize)
        where TDtype : struct, IDtype16
    {
        if (column < headSize)
            sum = Ptx.Fma(weight, x.Load(at + column), sum);
        return sum;
    }

    /// <summary>Stores one column of a row, or adds to it, where the head has that column.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Store<TDtype>(GlobalPtr16<TDtype> y, long at, int column, int headSize, float value,
        int accumulate)
        where TDtype : struct, IDtype16
    {
        if (column >= headSize)
            return;
        if (accumulate != 0)
            value += y.Load(at + column);
        y.Store(at + column, value);
    }

    /// <summary>
    /// Forward pass of one query a warp; scale is log2(e) / sqrt(headSize), the online softmax in powers of two.
    /// </summary>
    [DeviceCode]
    private static void SimtAttentionForwardKernel<TDtype>(GlobalPtr16<TDtype> q, GlobalPtr16<TDtype> k,
        GlobalPtr16<TDtype> v, GlobalPtr16<TDtype> output, GlobalPtrFp32 logSumExp, GlobalPtrInt32 keyLengths,
        long count, int queries, int keys, int heads, int headSize, int causal, int strideQ, int strideK, int strideV,
        int strideOut, float scale, int vectorized)
        where TDtype : struct, IDtype16
    {
        OwnRow own = RowOfWarp(queries, heads, headSize);
        if (own.Index >= count)
            return;
        int lane = Group.IdxX & (Lanes - 1), end = KeyLength(keyLengths, own.Sample, keys);
        if (causal != 0)
            end = IntrinsicMath.Min(end, own.Row + 1);
        long row = own.Sample * queries + own.Row, atQ = row * strideQ + own.HeadStart;
        long atK = own.Sample * keys * strideK + own.HeadStart, atV = own.Sample * keys * strideV + own.HeadStart;
        float max = float.NegativeInfinity, total = 0, low = 0, high = 0;
        for (int first = 0; first < end; first += Lanes)
        {
            // (1) Each lane computes the score of one key.
            int here = IntrinsicMath.Min(Lanes, end - first);
            float score = float.NegativeInfinity;
            if (lane < here)
                score = scale * Dot(q, atQ, k, atK + (long)(first + lane) * strideK, headSize, vectorized);
            // (2) The warp raises the running max, and rescales the running sum and the output columns.
            float next = Ptx.Max(max, Ptx.WarpMax(score)), factor = Ptx.Exp2(max - next),
                probability = Ptx.Exp2(score - next);
            (max, total, low, high) = (next, total * factor + probability, low * factor, high * factor);
            // (3) Each lane adds probability * value of all 32 keys to its two columns.
            for (int key = 0; key < here; key++)
            {
                float weight = Warp.Shuffle(probability, key);
                long at = atV + (long)(first + key) * strideV;
                low = Add(low, weight, v, at, lane, headSize);
                high = Add(high, weight, v, at, lane + Lanes, headSize);
            }
        }
        // (4) Divide by the row sum, and store the output and the log-sum-exp.
        total = Ptx.WarpSum(total);
        long target = row * strideOut + own.HeadStart;
        Store(output, target, lane, headSize, low / total, 0);
        Store(output, target, lane + Lanes, headSize, high / total, 0);
        if (lane == 0 && !logSumExp.IsNull)
            logSumExp.Store(own.Index, (max + Ptx.Log2(total)) * LogOf2);
    }

    /// <summary>
    /// Gradients of one key and its value a warp. Queries before the key do not see it under a causal mask; no query
    /// sees a key beyond the sample's key length.
    /// </summary>
    [DeviceCode]
    private static void SimtAttentionBackwardKvKernel<TDtype>(GlobalPtr16<TDtype> q, GlobalPtr16<TDtype> k,
        GlobalPtr16<TDtype> v, GlobalPtr16<TDtype> d, GlobalPtrFp32 statistics, GlobalPtrInt32 keyLengths,
        GlobalPtr16<TDtype> dk, GlobalPtr16<TDtype> dv, long count, int queries, int keys, int heads, int headSize,
        int causal, int strideQ, int strideK, int strideV, int strideD, int strideDk, int strideDv, float scale,
        int accumulate, int vectorized) where TDtype : struct, IDtype16
    {
        OwnRow own = RowOfWarp(keys, heads, headSize);
        if (own.Index >= count)
            return;
        int lane = Group.IdxX & (Lanes - 1), begin = 0, end = queries;
        if (causal != 0)
            begin = own.Row;
        if (own.Row >= KeyLength(keyLengths, own.Sample, keys))
            end = 0;
        long row = own.Sample * keys + own.Row, atK = row * strideK + own.HeadStart,
            atV = row * strideV + own.HeadStart;
        long atQ = own.Sample * queries * strideQ + own.HeadStart, atD = own.Sample * queries * strideD + own.HeadStart;
        long ofHead = own.SampleHead * MmaSyncAttention.StatisticRows(queries);
        float lowK = 0, highK = 0, lowV = 0, highV = 0;
        for (int first = begin; first < end; first += Lanes)
        {
            int here = IntrinsicMath.Min(Lanes, end - first);
            float probability = 0, gradient = 0;
            // (1) Each lane computes P and dS = P (dP - delta) of one query.
            if (lane < here)
            {
                long query = first + lane;
                F2 queryRow = statistics.Load2((ofHead + query) * 2);
                probability = Ptx.Exp2(Ptx.Fma(Dot(q, atQ + query * strideQ, k, atK, headSize, vectorized),
                    scale * Log2OfE, -queryRow.X));
                gradient = probability * (Dot(d, atD + query * strideD, v, atV, headSize, vectorized) - queryRow.Y);
            }
            // (2) Each lane adds P * dO and dS * Q of all 32 queries to its two columns.
            for (int other = 0; other < here; other++)
            {
                float weight = Warp.Shuffle(probability, other), weightK = Warp.Shuffle(gradient, other);
                long atRowQ = atQ + (long)(first + other) * strideQ, atRowD = atD + (long)(first + other) * strideD;
                lowV = Add(lowV, weight, d, atRowD, lane, headSize);
                highV = Add(highV, weight, d, atRowD, lane + Lanes, headSize);
                lowK = Add(lowK, weightK, q, atRowQ, lane, headSize);
                highK = Add(highK, weightK, q, atRowQ, lane + Lanes, headSize);
            }
        }
        // (3) Store dK and dV, or add to them.
        long targetK = row * strideDk + own.HeadStart, targetV = row * strideDv + own.HeadStart;
        Store(dk, targetK, lane, headSize, lowK * scale, accumulate);
        Store(dk, targetK, lane + Lanes, headSize, highK * scale, accumulate);
        Store(dv, targetV, lane, headSize, lowV, accumulate);
        Store(dv, targetV, lane + Lanes, headSize, highV, accumulate);
    }

    /// <summary>Gradient of one query a warp.</summary>
    [DeviceCode]
    private static void SimtAttentionBackwardQKernel<TDtype>(GlobalPtr16<TDtype> q, GlobalPtr16<TDtype> k,
        GlobalPtr16<TDtype> v, GlobalPtr16<TDtype> d, GlobalPtrFp32 statistics, GlobalPtrInt32 keyLengths,
        GlobalPtr16<TDtype> dq, long count, int queries, int keys, int heads, int headSize, int causal, int strideQ,
        int strideK, int strideV, int strideD, int strideDq, float scale, int accumulate, int vectorized)
        where TDtype : struct, IDtype16
    {
        OwnRow own = RowOfWarp(queries, heads, headSize);
        if (own.Index >= count)
            return;
        int lane = Group.IdxX & (Lanes - 1), end = KeyLength(keyLengths, own.Sample, keys);
        if (causal != 0)
            end = IntrinsicMath.Min(end, own.Row + 1);
        long row = own.Sample * queries + own.Row, atQ = row * strideQ + own.HeadStart,
            atD = row * strideD + own.HeadStart;
        long atK = own.Sample * keys * strideK + own.HeadStart, atV = own.Sample * keys * strideV + own.HeadStart;
        F2 queryRow = statistics.Load2((own.SampleHead * MmaSyncAttention.StatisticRows(queries) + own.Row) * 2);
        float low = 0, high = 0;
        for (int first = 0; first < end; first += Lanes)
        {
            int here = IntrinsicMath.Min(Lanes, end - first);
            float gradient = 0;
            // (1) Each lane computes dS = P (dP - delta) of one key.
            if (lane < here)
            {
                long key = first + lane;
                gradient = Ptx.Exp2(Ptx.Fma(Dot(q, atQ, k, atK + key * strideK, headSize, vectorized),
                    scale * Log2OfE, -queryRow.X))
                    * (Dot(d, atD, v, atV + key * strideV, headSize, vectorized) - queryRow.Y);
            }
            // (2) Each lane adds dS * K of all 32 keys to its two columns.
            for (int other = 0; other < here; other++)
            {
                float weight = Warp.Shuffle(gradient, other);
                long at = atK + (long)(first + other) * strideK;
                low = Add(low, weight, k, at, lane, headSize);
                high = Add(high, weight, k, at, lane + Lanes, headSize);
            }
        }
        // (3) Store dQ, or add to it.
        long target = row * strideDq + own.HeadStart;
        Store(dq, target, lane, headSize, low * scale, accumulate);
        Store(dq, target, lane + Lanes, headSize, high * scale, accumulate);
    }
}
