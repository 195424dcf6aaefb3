using Kernel = Cliper.Kernels.Operations.Sum;

namespace Cliper.Autograd;

public sealed partial class Tape
{
    /// <summary>Sum of all elements.</summary>
    /// <param name="x">Any shape.</param>
    /// <returns>[1].</returns>
    public Tensor Sum(Tensor x)
    {
        Tensor y = New(new Shape(1));
        Kernel.Forward(x.Data, y.Data);
        if (Needs(x))
            Record(y, () => Kernel.Backward(y.Gradient, Target(x)), []);
        return y;
    }
}
