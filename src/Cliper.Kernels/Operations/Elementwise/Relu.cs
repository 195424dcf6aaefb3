using System.Runtime.CompilerServices;
using Cliper.Kernels.Cpu;

namespace Cliper.Kernels.Operations;

/// <summary>
/// max(x, 0) (Nair and Hinton 2010); the derivative is 1 above zero and 0 elsewhere, at zero too. Because y is above
/// zero exactly where x is, a backward pass may be given y in the place of x.
/// </summary>
public readonly struct Relu : IUnaryOperation
{
    /// <inheritdoc/>
    // A comparison with NaN is false, so that NaN stays; the maximum of a GPU would drop it.
    public static float Forward(float x) => x < 0 ? 0f : x;

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Forward<V>(V x) where V : struct, ILanes<V> => V.AtLeast(x, V.Zero);

    /// <inheritdoc/>
    public static float Derivative(float x) => x > 0 ? 1f : 0f;

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Derivative<V>(V x) where V : struct, ILanes<V> => V.SelectLess(V.Zero, x, V.Create(1), V.Zero);
}
