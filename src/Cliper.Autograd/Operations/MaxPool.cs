using Cliper.Kernels.Operations;
using Kernel = Cliper.Kernels.Operations.MaxPool;

namespace Cliper.Autograd;

public sealed partial class Tape
{
    /// <summary>The largest of every 2 x 2 pixels of NHWC images; keeps x and the result.</summary>
    /// <param name="x">[N, H, W, C]; a last odd row or column is left out.</param>
    /// <returns>[N, H / 2, W / 2, C].</returns>
    public Tensor MaxPool(Tensor x)
    {
        FeatureMap input = MapOf(x);
        Tensor y = New(ShapeOf(Kernel.Output(input)), x.Type);
        Kernel.Forward(x.Data, y.Data, input);
        if (Needs(x))
            Record(y, () => Kernel.Backward(x.Data, y.Data, y.Gradient, Target(x), input), [x]);
        return y;
    }
}
