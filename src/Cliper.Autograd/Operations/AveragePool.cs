using Cliper.Kernels.Operations;
using Kernel = Cliper.Kernels.Operations.AveragePool;

namespace Cliper.Autograd;

public sealed partial class Tape
{
    /// <summary>The mean of every size x size pixels of NHWC images; keeps nothing.</summary>
    /// <param name="x">[N, H, W, C]; last rows and columns that fill no window are left out.</param>
    /// <param name="size">Rows and columns of the window, and its stride.</param>
    /// <returns>[N, H / size, W / size, C].</returns>
    public Tensor AveragePool(Tensor x, int size)
    {
        FeatureMap input = MapOf(x);
        Tensor y = New(ShapeOf(Kernel.Output(input, size)), x.Type);
        Kernel.Forward(x.Data, y.Data, input, size);
        if (Needs(x))
            Record(y, () => Kernel.Backward(y.Gradient, Target(x), input, size), []);
        return y;
    }
}
