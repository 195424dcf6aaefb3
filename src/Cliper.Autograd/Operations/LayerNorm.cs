using Cliper.Kernels.Operations;
using Kernel = Cliper.Kernels.Operations.LayerNorm;

namespace Cliper.Autograd;

public sealed partial class Tape
{
    /// <summary>
    /// Normalizes the rows of <paramref name="x"/> (any shape, innermost axis width) by <see cref="Kernel"/>; keeps x
    /// and two numbers a row for the backward pass.
    /// </summary>
    /// <param name="x">[..., width].</param>
    /// <param name="gamma">Scale, [width].</param>
    /// <param name="beta">Shift, [width].</param>
    /// <param name="epsilon">Added to the variance.</param>
    /// <returns>The shape of <paramref name="x"/>.</returns>
    public Tensor LayerNorm(Tensor x, Tensor gamma, Tensor beta, float epsilon = Kernel.DefaultEpsilon)
    {
        var shape = new RowShape(x.Shape.Rows, x.Shape.Width);
        var affine = new Kernel.Affine(gamma.Data, beta.Data);
        Tensor y = New(x.Shape, x.Type);
        if (!Needs(x, gamma, beta))
        {
            Kernel.Forward(x.Data, affine, y.Data, default, shape, epsilon);
            return y;
        }
        var statistics = new Kernel.Statistics(Device.Allocate(shape.Rows), Device.Allocate(shape.Rows));
        Kernel.Forward(x.Data, affine, y.Data, statistics, shape, epsilon);
        Record(y, () => Kernel.Backward(x.Data, gamma.Data, statistics, y.Gradient,
            new(Target(x), Target(gamma), Target(beta)), shape), [x, gamma], statistics.Mean, statistics.Rstd);
        return y;
    }
}
