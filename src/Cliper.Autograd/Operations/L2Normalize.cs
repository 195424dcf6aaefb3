using Cliper.Kernels.Memory;
using Kernel = Cliper.Kernels.Operations.L2Normalize;

namespace Cliper.Autograd;

public sealed partial class Tape
{
    /// <summary>Divides each row by its length; keeps the result and one number a row for the backward pass.</summary>
    /// <param name="x">[..., width].</param>
    /// <returns>The shape of <paramref name="x"/>; a row of zeros stays zero.</returns>
    public Tensor L2Normalize(Tensor x)
    {
        int rows = x.Shape.Rows, width = x.Shape.Width;
        Tensor y = New(x.Shape);
        if (!Needs(x))
        {
            Kernel.Forward(x.Data, y.Data, default, rows, width);
            return y;
        }
        DeviceArray inverse = Device.Allocate(rows);
        Kernel.Forward(x.Data, y.Data, inverse, rows, width);
        Record(y, () => Kernel.Backward(y.Data, inverse, y.Gradient, Target(x), rows, width), [], inverse);
        return y;
    }
}
