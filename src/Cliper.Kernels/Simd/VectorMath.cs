using System.Runtime.CompilerServices;

namespace Cliper.Kernels.Simd;

/// <summary>Functions of SIMD registers.</summary>
public static class VectorMath
{
    /// <summary>
    /// e^x. x = n ln 2 + r with |r| at most ln 2 / 2, a polynomial of degree 6 in r (Cephes' expf coefficients), times 2^n.
    /// Relative error at most 2e-7. Below -87.3 the result is e^-87.3 = 1.2e-38, above 88 it is e^88 = 1.7e38; NaN stays NaN.
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

    /// <summary>1 / (1 + e^-x).</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Sigmoid<V>(V x) where V : struct, ILanes<V> =>
        V.Create(1f) / (V.Create(1f) + Exp(V.Zero - x));
}
