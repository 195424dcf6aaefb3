using System.Runtime.CompilerServices;

namespace Cliper.Kernels.Cpu;

/// <summary>Functions of SIMD registers.</summary>
internal static class VectorMath
{
    /// <summary>
    /// e^x. x = n ln 2 + r with |r| at most ln 2 / 2, a polynomial of degree 6 in r (Cephes' expf coefficients), times
    /// 2^n. Relative error at most 2e-7. Below -87.3 the result is e^-87.3 = 1.2e-38, above 88 it is e^88 = 1.7e38; NaN
    /// stays NaN.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Exp<V>(V x) where V : struct, ILanes<V>
    {
        x = V.AtMost(V.AtLeast(x, V.Create(-87.3f)), V.Create(88f));
        V n = V.Round(x * V.Create(1.44269504f));
        // ln 2 in two parts, the first short enough that its product with n is exact.
        V r = V.MultiplyAdd(n, V.Create(-0.693359375f), x);
        r = V.MultiplyAdd(n, V.Create(2.12194440e-4f), r);
        V p = V.Create(1.9875691500e-4f);
        p = V.MultiplyAdd(p, r, V.Create(1.3981999507e-3f));
        p = V.MultiplyAdd(p, r, V.Create(8.3334519073e-3f));
        p = V.MultiplyAdd(p, r, V.Create(4.1665795894e-2f));
        p = V.MultiplyAdd(p, r, V.Create(1.6666665459e-1f));
        p = V.MultiplyAdd(p, r, V.Create(5.0000001201e-1f));
        p = V.MultiplyAdd(p, r * r, r + V.Create(1f));
        return V.Scale(p, n);
    }

    /// <summary>
    /// 2^x for x at most 127: x = n + r with |r| at most 1/2, a polynomial of degree 6 in r (minimax in the relative
    /// error, 1 at 0), times 2^n. Relative error at most 1.2e-7 down to 2^-126; 0 for x below -150, minus infinity
    /// included; NaN stays NaN. A third fewer instructions than <see cref="Exp"/>: the softmax scales its scores
    /// anyway.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Exp2<V>(V x) where V : struct, ILanes<V>
    {
        x = V.AtLeast(x, V.Create(-160f));
        V n = V.Round(x), r = x - n;
        V p = V.MultiplyAdd(V.Create(1.55946778e-4f), r, V.Create(1.34066434e-3f));
        p = V.MultiplyAdd(p, r, V.Create(9.61769279e-3f));
        p = V.MultiplyAdd(p, r, V.Create(5.55031039e-2f));
        p = V.MultiplyAdd(p, r, V.Create(2.40226522e-1f));
        p = V.MultiplyAdd(p, r, V.Create(6.93147242e-1f));
        p = V.MultiplyAdd(p, r, V.Create(1f));
        return V.Scale(p, n);
    }

    /// <summary>
    /// Natural logarithm of positive normal x: x = 2^n m with m about 1, n ln 2 plus a polynomial in m - 1 (Cephes'
    /// logf coefficients). Error at most 2^-23 of the result or of 1, whichever is larger; NaN stays NaN, infinity
    /// infinity.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Log<V>(V x) where V : struct, ILanes<V>
    {
        V n = V.Exponent(x), m = V.Scale(x, V.Zero - n), root = V.Create(1.41421356f);
        n = V.SelectLess(m, root, n, n + V.Create(1));
        V t = V.SelectLess(m, root, m, m * V.Create(0.5f)) - V.Create(1);
        V p = V.MultiplyAdd(V.Create(7.0376836292e-2f), t, V.Create(-1.1514610310e-1f));
        p = V.MultiplyAdd(p, t, V.Create(1.1676998740e-1f));
        p = V.MultiplyAdd(p, t, V.Create(-1.2420140846e-1f));
        p = V.MultiplyAdd(p, t, V.Create(1.4249322787e-1f));
        p = V.MultiplyAdd(p, t, V.Create(-1.6668057665e-1f));
        p = V.MultiplyAdd(p, t, V.Create(2.0000714765e-1f));
        p = V.MultiplyAdd(p, t, V.Create(-2.4999993993e-1f));
        p = V.MultiplyAdd(p, t, V.Create(3.3333331174e-1f));
        V square = t * t;
        V log = V.MultiplyAdd(p * t, square, V.MultiplyAdd(square, V.Create(-0.5f), t));
        log = V.MultiplyAdd(n, V.Create(0.693147181f), log);
        return V.SelectLess(x, V.Create(float.PositiveInfinity), log, x);
    }

    /// <summary>1 / (1 + e^-x).</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Sigmoid<V>(V x) where V : struct, ILanes<V> =>
        V.Create(1f) / (V.Create(1f) + Exp(V.Zero - x));
}
