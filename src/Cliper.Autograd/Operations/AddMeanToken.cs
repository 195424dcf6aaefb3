using Kernel = Cliper.Kernels.Operations.AddMeanToken;

namespace Cliper.Autograd;

public sealed partial class Tape
{
    /// <summary>
    /// Puts the mean of each image's pixels in front of them and adds the position embedding: how CLIP's attention
    /// pooling begins. Keeps nothing.
    /// </summary>
    /// <param name="x">Pixels, [N, P, W], P at least 1.</param>
    /// <param name="positions">[P + 1, W].</param>
    /// <returns>[N, P + 1, W].</returns>
    public Tensor AddMeanToken(Tensor x, Tensor positions)
    {
        if (x.Shape.Rank != 3)
            throw new ArgumentException($"x is {x.Shape}, expected [samples, pixels, width]", nameof(x));
        int samples = x.Shape[0], pixels = x.Shape[1], width = x.Shape[2];
        Tensor y = NewActivation(new Shape(samples, pixels + 1, width));
        Kernel.Forward(x.Data, positions.Data, y.Data, samples, pixels, width);
        if (Needs(x, positions))
            Record(y, () => Kernel.Backward(y.Gradient, Target(x), Target(positions), samples, pixels, width), []);
        return y;
    }
}
