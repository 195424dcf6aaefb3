using Cliper.Kernels.Memory;
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
        int rows = x.Shape.Rows, width = x.Shape.Width;
        Tensor y = New(x.Shape, x.Type);
        if (!Needs(x, gamma, beta))
        {
            Kernel.Forward(x.Data, gamma.Data, beta.Data, y.Data, default, default, rows, width, epsilon);
            return y;
        }
        DeviceArray mean = Device.Allocate(rows), rstd = Device.Allocate(rows);
        Kernel.Forward(x.Data, gamma.Data, beta.Data, y.Data, mean, rstd, rows, width, epsilon);
        Record(y, () =>
        {
            DeviceArray dx = Target(x, out bool addX), dgamma = Target(gamma, out bool addGamma),
                dbeta = Target(beta, out bool addBeta);
            Kernel.Backward(x.Data, gamma.Data, mean, rstd, y.Gradient, dx, addX, dgamma, addGamma, dbeta, addBeta,
                rows, width);
        }, [x, gamma], mean, rstd);
        return y;
    }
}
