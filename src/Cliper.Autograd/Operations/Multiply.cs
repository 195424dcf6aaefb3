using Kernel = Cliper.Kernels.Operations.Multiply;

namespace Cliper.Autograd;

public sealed partial class Tape
{
    /// <summary>a b, element by element; keeps both for the backward pass.</summary>
    /// <param name="a">Any shape.</param>
    /// <param name="b">The same number of elements as <paramref name="a"/>, or one, such as a learned
    /// temperature.</param>
    /// <returns>The shape of <paramref name="a"/>.</returns>
    public Tensor Multiply(Tensor a, Tensor b)
    {
        Tensor y = New(a.Shape);
        Kernel.Forward(a.Data, b.Data, y.Data);
        if (Needs(a, b))
            Record(y, () =>
            {
                // One after the other: a may be b, and the second must see what the first has written.
                if (a.RequiresGrad)
                    Kernel.Backward(a.Data, b.Data, y.Gradient, Target(a), default);
                if (b.RequiresGrad)
                    Kernel.Backward(a.Data, b.Data, y.Gradient, default, Target(b));
            }, [a, b]);
        return y;
    }
}
