using Cliper.Kernels.Cpu;

namespace Cliper.Kernels.Operations;

/// <summary>
/// An element-wise function of one operand. A new one is one struct in one file: the SIMD loop, the gradient, the fused
/// epilogue of a matrix product and the tests are generic over it.
/// </summary>
public interface IUnaryOperation
{
    /// <summary>f(x).</summary>
    static abstract float Forward(float x);

    /// <summary>f(x) of every lane.</summary>
    static abstract V Forward<V>(V x) where V : struct, ILanes<V>;

    /// <summary>f'(x).</summary>
    static abstract float Derivative(float x);

    /// <summary>f'(x) of every lane.</summary>
    static abstract V Derivative<V>(V x) where V : struct, ILanes<V>;
}
