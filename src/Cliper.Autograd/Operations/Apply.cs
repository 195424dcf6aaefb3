using Cliper.Kernels.Operations;

namespace Cliper.Autograd;

public sealed partial class Tape
{
    /// <summary>Applies <typeparamref name="TOp"/> to every element; keeps x for the backward pass.</summary>
    /// <param name="x">Any shape.</param>
    /// <returns>The shape of <paramref name="x"/>.</returns>
    public Tensor Apply<TOp>(Tensor x) where TOp : struct, IUnaryOperation
    {
        Tensor y = New(x.Shape, x.Type);
        Elementwise.Forward<TOp>(x.Data, y.Data);
        if (Needs(x))
            Record(y, () => Elementwise.Backward<TOp>(x.Data, y.Gradient, Target(x)), [x]);
        return y;
    }
}
