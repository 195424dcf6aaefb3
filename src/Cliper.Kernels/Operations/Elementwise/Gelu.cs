using System.Runtime.CompilerServices;
using Cliper.Kernels.Cpu;

namespace Cliper.Kernels.Operations;

/// <summary>
/// x F(x), F the distribution function of the standard normal (Hendrycks and Gimpel 2016, arXiv 1606.08415), in its
/// exact form F(x) = (1 + erf(x / sqrt 2)) / 2; the derivative is F(x) + x f(x) with the density f.
/// </summary>
/// <remarks>
/// F(x) - 1/2 is x times a quotient of two polynomials of degree 5 in x², fitted here to 7e-9 on [-5.5, 5.5]; beyond, F
/// is 0 or 1 (off by 2e-8). In fp32 F is off by at most 2e-7, the result by 2e-7 |x|.
/// </remarks>
public readonly struct Gelu : IUnaryOperation
{
    private const float Limit = 5.5f;
    private const float DensityAtZero = 0.39894228f;
    private const float P0 = 3.989422346e-01f, P1 = 3.385265210e-02f, P2 = 4.677260879e-03f, P3 = 1.688257036e-04f,
        P4 = 6.352115836e-06f, P5 = 2.274939069e-08f;
    private const float Q1 = 2.515219334e-01f, Q2 = 2.864587446e-02f, Q3 = 1.884445055e-03f, Q4 = 7.364749852e-05f,
        Q5 = 1.197504504e-06f;

    /// <inheritdoc/>
    public static float Forward(float x) => x * Distribution(x);

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Forward<V>(V x) where V : struct, ILanes<V> => x * Distribution(x);

    /// <inheritdoc/>
    public static float Derivative(float x) => Distribution(x) + x * DensityAtZero * MathF.Exp(-0.5f * x * x);

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Derivative<V>(V x) where V : struct, ILanes<V> =>
        V.MultiplyAdd(x * V.Create(DensityAtZero), VectorMath.Exp(x * x * V.Create(-0.5f)), Distribution(x));

    private static float Distribution(float x)
    {
        if (MathF.Abs(x) >= Limit)
            return x < 0 ? 0f : 1f;
        float s = x * x;
        float p = ((((P5 * s + P4) * s + P3) * s + P2) * s + P1) * s + P0;
        float q = ((((Q5 * s + Q4) * s + Q3) * s + Q2) * s + Q1) * s + 1;
        return 0.5f + x * p / q;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static V Distribution<V>(V x) where V : struct, ILanes<V>
    {
        V s = x * x, half = V.Create(0.5f);
        V p = V.MultiplyAdd(V.Create(P5), s, V.Create(P4));
        p = V.MultiplyAdd(p, s, V.Create(P3));
        p = V.MultiplyAdd(p, s, V.Create(P2));
        p = V.MultiplyAdd(p, s, V.Create(P1));
        p = V.MultiplyAdd(p, s, V.Create(P0));
        V q = V.MultiplyAdd(V.Create(Q5), s, V.Create(Q4));
        q = V.MultiplyAdd(q, s, V.Create(Q3));
        q = V.MultiplyAdd(q, s, V.Create(Q2));
        q = V.MultiplyAdd(q, s, V.Create(Q1));
        q = V.MultiplyAdd(q, s, V.Create(1));
        V end = V.SelectLess(x, V.Zero, V.Zero, V.Create(1));
        return V.SelectLess(V.Abs(x), V.Create(Limit), half + x * p / q, end);
    }
}
