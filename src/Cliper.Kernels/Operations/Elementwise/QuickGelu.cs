using System.Runtime.CompilerServices;
using Cliper.Kernels.Cpu;

namespace Cliper.Kernels.Operations;

/// <summary>
/// x * sigmoid(1.702 x), CLIP's activation (Hendrycks and Gimpel 2016, arXiv 1606.08415, section 2). With s =
/// sigmoid(1.702 x) the derivative is s + 1.702 x s (1 - s).
/// </summary>
public readonly struct QuickGelu : IUnaryOperation
{
    private const float Slope = 1.702f;

    /// <inheritdoc/>
    public static float Forward(float x) => x / (1 + MathF.Exp(-Slope * x));

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Forward<V>(V x) where V : struct, ILanes<V> =>
        x / (V.Create(1) + VectorMath.Exp(x * V.Create(-Slope)));

    /// <inheritdoc/>
    public static float Derivative(float x)
    {
        float s = 1 / (1 + MathF.Exp(-Slope * x));
        return s + Slope * x * s * (1 - s);
    }

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Derivative<V>(V x) where V : struct, ILanes<V>
    {
        V one = V.Create(1), s = one / (one + VectorMath.Exp(x * V.Create(-Slope)));
        return V.MultiplyAdd(x * V.Create(Slope), s * (one - s), s);
    }
}
