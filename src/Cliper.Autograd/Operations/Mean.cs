using Kernel = Cliper.Kernels.Operations.Mean;

namespace Cliper.Autograd;

public sealed partial class Tape
{
    /// <summary>Mean over the middle axis: a clip's feature from its frames'.</summary>
    /// <param name="x">[N, T, W], T at least 1.</param>
    /// <returns>[N, W].</returns>
    public Tensor Mean(Tensor x)
    {
        int samples = x.Shape[0], frames = x.Shape[1], width = x.Shape[2];
        Tensor y = New(new Shape(samples, width));
        Kernel.Forward(x.Data, y.Data, samples, frames, width);
        if (Needs(x))
            Record(y, () => Kernel.Backward(y.Gradient, Target(x), samples, frames, width), []);
        return y;
    }
}
