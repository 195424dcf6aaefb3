using System.Runtime.CompilerServices;
using Cliper.Kernels.Cpu;

namespace Cliper.Kernels.Operations;

/// <summary>e^x, its own derivative; the range in lanes is that of <see cref="VectorMath.Exp"/>.</summary>
public readonly struct Exp : IUnaryOperation
{
    /// <inheritdoc/>
    public static float Forward(float x) => MathF.Exp(x);

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Forward<V>(V x) where V : struct, ILanes<V> => VectorMath.Exp(x);

    /// <inheritdoc/>
    public static float Derivative(float x) => MathF.Exp(x);

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Derivative<V>(V x) where V : struct, ILanes<V> => VectorMath.Exp(x);
}
