using System.Runtime.CompilerServices;

namespace Cliper.Kernels.Cpu;

/// <summary>
/// Reductions and maps over a run of elements, for row kernels. The order of every sum depends on the count and the
/// number of lanes alone.
/// </summary>
internal static unsafe class RowMath
{
    /// <summary>target = source, or target += source.</summary>
    public static void Write<V>(float* source, float* target, long count, bool add) where V : struct, ILanes<V>
    {
        if (add)
            Add<V>(source, target, target, count);
        else
            Buffer.MemoryCopy(source, target, count * sizeof(float), count * sizeof(float));
    }

    /// <summary>y = a + b; y may be either.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Add<V>(float* a, float* b, float* y, long count) where V : struct, ILanes<V>
    {
        long i = 0;
        for (; i <= count - V.Count; i += V.Count)
            (V.Load(a + i) + V.Load(b + i)).Store(y + i);
        for (; i < count; i++)
            y[i] = a[i] + b[i];
    }

    /// <summary>y = factor x, or y += factor x; y may be x.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Scale<V>(float* x, float factor, float* y, long count, bool add) where V : struct, ILanes<V>
    {
        V f = V.Create(factor);
        long i = 0;
        for (; i <= count - V.Count; i += V.Count)
            (add ? V.MultiplyAdd(V.Load(x + i), f, V.Load(y + i)) : V.Load(x + i) * f).Store(y + i);
        int rest = (int)(count - i);
        if (rest > 0)
        {
            V last = V.LoadPartial(x + i, rest);
            (add ? V.MultiplyAdd(last, f, V.LoadPartial(y + i, rest)) : last * f).StorePartial(y + i, rest);
        }
    }

    /// <summary>Sum of a[i] b[i], in four running sums.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static float Dot<V>(float* a, float* b, long count) where V : struct, ILanes<V>
    {
        V s0 = V.Zero, s1 = V.Zero, s2 = V.Zero, s3 = V.Zero;
        int n = V.Count;
        long i = 0;
        for (; i <= count - 4 * n; i += 4 * n)
        {
            s0 = V.MultiplyAdd(V.Load(a + i), V.Load(b + i), s0);
            s1 = V.MultiplyAdd(V.Load(a + i + n), V.Load(b + i + n), s1);
            s2 = V.MultiplyAdd(V.Load(a + i + 2 * n), V.Load(b + i + 2 * n), s2);
            s3 = V.MultiplyAdd(V.Load(a + i + 3 * n), V.Load(b + i + 3 * n), s3);
        }
        for (; i <= count - n; i += n)
            s0 = V.MultiplyAdd(V.Load(a + i), V.Load(b + i), s0);
        int rest = (int)(count - i);
        if (rest > 0)
            s1 = V.MultiplyAdd(V.LoadPartial(a + i, rest), V.LoadPartial(b + i, rest), s1);
        return V.Sum((s0 + s1) + (s2 + s3));
    }

    /// <summary>Sum of x[i], in four running sums.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static float Sum<V>(float* x, long count) where V : struct, ILanes<V>
    {
        V s0 = V.Zero, s1 = V.Zero, s2 = V.Zero, s3 = V.Zero;
        int n = V.Count;
        long i = 0;
        for (; i <= count - 4 * n; i += 4 * n)
        {
            s0 += V.Load(x + i);
            s1 += V.Load(x + i + n);
            s2 += V.Load(x + i + 2 * n);
            s3 += V.Load(x + i + 3 * n);
        }
        for (; i <= count - n; i += n)
            s0 += V.Load(x + i);
        int rest = (int)(count - i);
        if (rest > 0)
            s1 += V.LoadPartial(x + i, rest);
        return V.Sum((s0 + s1) + (s2 + s3));
    }

    /// <summary>Largest of x[i]; NaN if any is. At least one element.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static float Max<V>(float* x, long count) where V : struct, ILanes<V>
    {
        V max = V.Create(x[0]);
        long i = 0;
        for (; i <= count - V.Count; i += V.Count)
            max = V.Max(max, V.Load(x + i));
        float largest = V.MaxLane(max);
        for (; i < count; i++)
            largest = MathF.Max(largest, x[i]);
        return largest;
    }

    /// <summary>Sum of e^(x[i] - max).</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static float SumOfExp<V>(float* x, float max, long count) where V : struct, ILanes<V>
    {
        V top = V.Create(max), sum = V.Zero;
        long i = 0;
        for (; i <= count - V.Count; i += V.Count)
            sum += VectorMath.Exp(V.Load(x + i) - top);
        float total = V.Sum(sum);
        for (; i < count; i++)
            total += MathF.Exp(x[i] - max);
        return total;
    }
}
