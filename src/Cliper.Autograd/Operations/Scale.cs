using Kernel = Cliper.Kernels.Operations.Scale;

namespace Cliper.Autograd;

public sealed partial class Tape
{
    /// <summary>factor x.</summary>
    /// <param name="x">Any shape.</param>
    /// <param name="factor">A constant; see <see cref="Multiply"/> for one that is learned.</param>
    /// <returns>The shape of <paramref name="x"/>.</returns>
    public Tensor Scale(Tensor x, float factor)
    {
        Tensor y = New(x.Shape);
        Kernel.Forward(x.Data, factor, y.Data);
        if (Needs(x))
            Record(y, () => Kernel.Backward(y.Gradient, factor, Target(x)), []);
        return y;
    }
}
