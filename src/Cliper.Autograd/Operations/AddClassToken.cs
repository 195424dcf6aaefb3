using Kernel = Cliper.Kernels.Operations.AddClassToken;

namespace Cliper.Autograd;

public sealed partial class Tape
{
    /// <summary>Puts the class token in front of the patches and adds the position embedding.</summary>
    /// <param name="x">Patches, [N, P, W].</param>
    /// <param name="classEmbedding">[W].</param>
    /// <param name="positions">[P + 1, W].</param>
    /// <returns>[N, P + 1, W].</returns>
    public Tensor AddClassToken(Tensor x, Tensor classEmbedding, Tensor positions)
    {
        var sizes = new Kernel.Sizes(x.Shape[0], x.Shape[1], x.Shape[2]);
        Tensor y = NewActivation(new Shape(sizes.Samples, sizes.Patches + 1, sizes.Width));
        Kernel.Forward(x.Data, classEmbedding.Data, positions.Data, y.Data, sizes);
        if (Needs(x, classEmbedding, positions))
            Record(y, () => Kernel.Backward(y.Gradient, Target(x), Target(classEmbedding), Target(positions), sizes),
                []);
        return y;
    }
}
