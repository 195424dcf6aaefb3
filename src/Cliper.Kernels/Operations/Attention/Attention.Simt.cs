using System.Runtime.CompilerServices;
using Cliper.Kernels.Gpu.Compiler;
using Cliper.Kernels.Gpu.DeviceCode;
using Cliper.Kernels.Gpu.Runtime;
using Cliper.Kernels.Memory;
using ILGPU;

namespace Cliper.Kernels.Operations;

/// <summary>
/// Attention without tensor cores: what older cards use, and every card for heads or strides that tensor cores do not take. A warp
/// has a row of one side and goes through the other side 32 rows at a time: first each lane has one of them and computes its score,
/// then each lane has two columns of the head and adds up all 32. Scores and probabilities stay in fp32 registers.
/// </summary>
internal static class SimtAttention
{
    private const int Threads = 128, WarpsOfBlock = Threads / 32, Lanes = 32;
    private const float Log2OfE = 1.44269504f, LogOf2 = 0.69314718f;

    private static readonly KernelFamily ForwardKernels = Make(nameof(ForwardRow), "Attention portable forward"),
        KeyKernels = Make(nameof(BackwardKeys), "Attention portable backward keys"),
        QueryKernels = Make(nameof(BackwardQueries), "Attention portable backward queries");

    public static IEnumerable<GpuKernel> Kernels => [.. ForwardKernels.ForEachDtype16, .. KeyKernels.ForEachDtype16, .. QueryKernels.ForEachDtype16];

    private static KernelFamily Make(string method, string name) => new(typeof(SimtAttention), method, name, Threads, 1, 96);

    public static void Forward(GpuDevice gpu, in Attention.Sizes sizes, in Attention.Operand q, in Attention.Operand k,
        in Attention.Operand v, DeviceArray keyLengths, in Attention.Operand output, DeviceArray logSumExp) =>
        gpu.Run(ForwardKernels[q.Array.Type.Dtype()], Grid(sizes.Statistics), q.FromFirst, k.FromFirst, v.FromFirst, output.FromFirst,
            logSumExp, keyLengths, sizes.Statistics, sizes.Queries, sizes.Keys, sizes.Heads, sizes.HeadSize, sizes.Causal, q.Stride,
            k.Stride, v.Stride, output.Stride, Log2OfE / MathF.Sqrt(sizes.HeadSize), IsWide(sizes, q, k));

    /// <summary>As <see cref="Attention.Backward"/>, given what <see cref="MmaSyncAttention.Statistics"/> computes.</summary>
    public static void Backward(GpuDevice gpu, in Attention.Sizes sizes, in Attention.Operand q, in Attention.Operand k,
        in Attention.Operand v, DeviceArray keyLengths, DeviceArray statistics, in Attention.Operand doutput,
        in Attention.Operand dq, bool accumulateQ, in Attention.Operand dk, in Attention.Operand dv, bool accumulateKv)
    {
        float scale = 1 / MathF.Sqrt(sizes.HeadSize);
        bool vectorized = IsWide(sizes, q, k, v, doutput);
        if (!dk.IsNull)
        {
            long rows = (long)sizes.Samples * sizes.Heads * sizes.Keys;
            gpu.Run(KeyKernels[q.Array.Type.Dtype()], Grid(rows), q.FromFirst, k.FromFirst, v.FromFirst, doutput.FromFirst, statistics,
                keyLengths, dk.FromFirst, dv.FromFirst, rows, sizes.Queries, sizes.Keys, sizes.Heads, sizes.HeadSize, sizes.Causal,
                q.Stride, k.Stride, v.Stride, doutput.Stride, dk.Stride, dv.Stride, scale, accumulateKv, vectorized);
        }
        if (!dq.IsNull)
            gpu.Run(QueryKernels[q.Array.Type.Dtype()], Grid(sizes.Statistics), q.FromFirst, k.FromFirst, v.FromFirst, doutput.FromFirst,
                statistics, keyLengths, dq.FromFirst, sizes.Statistics, sizes.Queries, sizes.Keys, sizes.Heads, sizes.HeadSize,
                sizes.Causal, q.Stride, k.Stride, v.Stride, doutput.Stride, dq.Stride, scale, accumulateQ, vectorized);
    }

    private static Blocks Grid(long rows) => new(Blocks.Cover(rows, WarpsOfBlock));

    // Rows of a head that are read 16 bytes at a time: every head has to begin at a multiple of that.
    private static bool IsWide(in Attention.Sizes sizes, params ReadOnlySpan<Attention.Operand> operands)
    {
        foreach (Attention.Operand operand in operands)
            if (!Vec8.IsVectorizable(sizes.HeadSize, operand.Stride, operand.FromFirst))
                return false;
        return true;
    }

    /// <summary>The row that a warp has.</summary>
    private struct Place
    {
        public long Index, SampleHead, Sample, HeadStart;
        public int Row;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Place Find(int rows, int heads, int headSize)
    {
        Place place;
        place.Index = (long)ILGPU.Grid.IdxX * WarpsOfBlock + (Group.IdxX >> 5);
        place.SampleHead = place.Index / rows;
        place.Row = (int)(place.Index - place.SampleHead * rows);
        place.Sample = place.SampleHead / heads;
        place.HeadStart = (place.SampleHead - place.Sample * heads) * headSize;
        return place;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static int Limit(GlobalPtrInt32 keyLengths, long sample, int keys)
    {
        int limit = keys;
        if (!keyLengths.IsNull)
            limit = keyLengths.Load(sample);
        return limit;
    }

    /// <summary>The scalar product of two rows of a head.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static float Dot<TDtype>(GlobalPtr16<TDtype> a, long atA, GlobalPtr16<TDtype> b, long atB, int headSize, int vectorized)
        where TDtype : struct, IDtype16
    {
        float sum = 0;
        for (int column = 0; column < headSize; column += Vec8.Size)
            sum += Vec8.Sum(Vec8.Multiply(Vec8.Load(a, atA + column, headSize - column, vectorized), Vec8.Load(b, atB + column,
                headSize - column, vectorized)));
        return sum;
    }

    /// <summary>sum + weight x[at + column], or the sum where the head has no such column.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static float Add<TDtype>(float sum, float weight, GlobalPtr16<TDtype> x, long at, int column, int headSize)
        where TDtype : struct, IDtype16
    {
        if (column < headSize)
            sum = Ptx.Fma(weight, x.Load(at + column), sum);
        return sum;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Store<TDtype>(GlobalPtr16<TDtype> y, long at, int column, int headSize, float value, int accumulate)
        where TDtype : struct, IDtype16
    {
        if (column >= headSize)
            return;
        if (accumulate != 0)
            value += y.Load(at + column);
        y.Store(at + column, value);
    }

    private static void ForwardRow<TDtype>(GlobalPtr16<TDtype> q, GlobalPtr16<TDtype> k, GlobalPtr16<TDtype> v, GlobalPtr16<TDtype> output,
        GlobalPtrFp32 logSumExp, GlobalPtrInt32 keyLengths, long count, int queries, int keys, int heads, int headSize, int causal, int strideQ,
        int strideK, int strideV, int strideOut, float scale, int vectorized) where TDtype : struct, IDtype16
    {
        Place place = Find(queries, heads, headSize);
        if (place.Index >= count)
            return;
        int lane = Group.IdxX & (Lanes - 1), end = Limit(keyLengths, place.Sample, keys);
        if (causal != 0)
            end = IntrinsicMath.Min(end, place.Row + 1);
        long row = place.Sample * queries + place.Row, atQ = row * strideQ + place.HeadStart;
        long atK = place.Sample * keys * strideK + place.HeadStart, atV = place.Sample * keys * strideV + place.HeadStart;
        float max = float.NegativeInfinity, total = 0, low = 0, high = 0;
        for (int first = 0; first < end; first += Lanes)
        {
            int here = IntrinsicMath.Min(Lanes, end - first);
            float score = float.NegativeInfinity;
            if (lane < here)
                score = scale * Dot(q, atQ, k, atK + (long)(first + lane) * strideK, headSize, vectorized);
            float next = Ptx.Max(max, Ptx.WarpMax(score)), factor = Ptx.Exp2(max - next), probability = Ptx.Exp2(score - next);
            (max, total, low, high) = (next, total * factor + probability, low * factor, high * factor);
            for (int key = 0; key < here; key++)
            {
                float weight = ILGPU.Warp.Shuffle(probability, key);
                long at = atV + (long)(first + key) * strideV;
                low = Add(low, weight, v, at, lane, headSize);
                high = Add(high, weight, v, at, lane + Lanes, headSize);
            }
        }
        total = Ptx.WarpSum(total);
        long target = row * strideOut + place.HeadStart;
        Store(output, target, lane, headSize, low / total, 0);
        Store(output, target, lane + Lanes, headSize, high / total, 0);
        if (lane == 0 && !logSumExp.IsNull)
            logSumExp.Store(place.Index, (max + Ptx.Log2(total)) * LogOf2);
    }

    // Gradients by a key and its value. Queries before the key do not see it under a causal mask; nobody sees one beyond the length.
    private static void BackwardKeys<TDtype>(GlobalPtr16<TDtype> q, GlobalPtr16<TDtype> k, GlobalPtr16<TDtype> v, GlobalPtr16<TDtype> d,
        GlobalPtrFp32 statistics, GlobalPtrInt32 keyLengths, GlobalPtr16<TDtype> dk, GlobalPtr16<TDtype> dv, long count, int queries, int keys,
        int heads, int headSize, int causal, int strideQ, int strideK, int strideV, int strideD, int strideDk, int strideDv, float scale,
        int accumulate, int vectorized) where TDtype : struct, IDtype16
    {
        Place place = Find(keys, heads, headSize);
        if (place.Index >= count)
            return;
        int lane = Group.IdxX & (Lanes - 1), begin = 0, end = queries;
        if (causal != 0)
            begin = place.Row;
        if (place.Row >= Limit(keyLengths, place.Sample, keys))
            end = 0;
        long row = place.Sample * keys + place.Row, atK = row * strideK + place.HeadStart, atV = row * strideV + place.HeadStart;
        long atQ = place.Sample * queries * strideQ + place.HeadStart, atD = place.Sample * queries * strideD + place.HeadStart;
        long ofHead = place.SampleHead * MmaSyncAttention.StatisticRows(queries);
        float lowK = 0, highK = 0, lowV = 0, highV = 0;
        for (int first = begin; first < end; first += Lanes)
        {
            int here = IntrinsicMath.Min(Lanes, end - first);
            float probability = 0, gradient = 0;
            if (lane < here)
            {
                long query = first + lane;
                F2 of = statistics.Load2((ofHead + query) * 2);
                probability = Ptx.Exp2(Ptx.Fma(Dot(q, atQ + query * strideQ, k, atK, headSize, vectorized), scale * Log2OfE, -of.X));
                gradient = probability * (Dot(d, atD + query * strideD, v, atV, headSize, vectorized) - of.Y);
            }
            for (int other = 0; other < here; other++)
            {
                float weight = ILGPU.Warp.Shuffle(probability, other), weightK = ILGPU.Warp.Shuffle(gradient, other);
                long atRowQ = atQ + (long)(first + other) * strideQ, atRowD = atD + (long)(first + other) * strideD;
                lowV = Add(lowV, weight, d, atRowD, lane, headSize);
                highV = Add(highV, weight, d, atRowD, lane + Lanes, headSize);
                lowK = Add(lowK, weightK, q, atRowQ, lane, headSize);
                highK = Add(highK, weightK, q, atRowQ, lane + Lanes, headSize);
            }
        }
        long targetK = row * strideDk + place.HeadStart, targetV = row * strideDv + place.HeadStart;
        Store(dk, targetK, lane, headSize, lowK * scale, accumulate);
        Store(dk, targetK, lane + Lanes, headSize, highK * scale, accumulate);
        Store(dv, targetV, lane, headSize, lowV, accumulate);
        Store(dv, targetV, lane + Lanes, headSize, highV, accumulate);
    }

    // Gradients by a query.
    private static void BackwardQueries<TDtype>(GlobalPtr16<TDtype> q, GlobalPtr16<TDtype> k, GlobalPtr16<TDtype> v, GlobalPtr16<TDtype> d,
        GlobalPtrFp32 statistics, GlobalPtrInt32 keyLengths, GlobalPtr16<TDtype> dq, long count, int queries, int keys, int heads,
        int headSize, int causal, int strideQ, int strideK, int strideV, int strideD, int strideDq, float scale, int accumulate, int vectorized)
        where TDtype : struct, IDtype16
    {
        Place place = Find(queries, heads, headSize);
        if (place.Index >= count)
            return;
        int lane = Group.IdxX & (Lanes - 1), end = Limit(keyLengths, place.Sample, keys);
        if (causal != 0)
            end = IntrinsicMath.Min(end, place.Row + 1);
        long row = place.Sample * queries + place.Row, atQ = row * strideQ + place.HeadStart, atD = row * strideD + place.HeadStart;
        long atK = place.Sample * keys * strideK + place.HeadStart, atV = place.Sample * keys * strideV + place.HeadStart;
        F2 of = statistics.Load2((place.SampleHead * MmaSyncAttention.StatisticRows(queries) + place.Row) * 2);
        float low = 0, high = 0;
        for (int first = 0; first < end; first += Lanes)
        {
            int here = IntrinsicMath.Min(Lanes, end - first);
            float gradient = 0;
            if (lane < here)
            {
                long key = first + lane;
                gradient = Ptx.Exp2(Ptx.Fma(Dot(q, atQ, k, atK + key * strideK, headSize, vectorized), scale * Log2OfE, -of.X))
                    * (Dot(d, atD, v, atV + key * strideV, headSize, vectorized) - of.Y);
            }
            for (int other = 0; other < here; other++)
            {
                float weight = ILGPU.Warp.Shuffle(gradient, other);
                long at = atK + (long)(first + other) * strideK;
                low = Add(low, weight, k, at, lane, headSize);
                high = Add(high, weight, k, at, lane + Lanes, headSize);
            }
        }
        long target = row * strideDq + place.HeadStart;
        Store(dq, target, lane, headSize, low * scale, accumulate);
        Store(dq, target, lane + Lanes, headSize, high * scale, accumulate);
    }
}
