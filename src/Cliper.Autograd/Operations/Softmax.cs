using Kernel = Cliper.Kernels.Operations.Softmax;

namespace Cliper.Autograd;

public sealed partial class Tape
{
    /// <summary>Softmax over the last dimension; keeps its result alone for the backward pass.</summary>
    /// <param name="x">[..., width].</param>
    /// <returns>The shape of <paramref name="x"/>; each row sums to one.</returns>
    public Tensor Softmax(Tensor x)
    {
        int rows = x.Shape.Rows, width = x.Shape.Width;
        Tensor y = New(x.Shape, x.Type);
        Kernel.Forward(x.Data, y.Data, rows, width);
        if (Needs(x))
            Record(y, () => Kernel.Backward(y.Data, y.Gradient, Target(x), rows, width), []);
        return y;
    }
}
