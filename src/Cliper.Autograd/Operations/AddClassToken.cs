using Cliper.Kernels.Memory;
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
        int samples = x.Shape[0], patches = x.Shape[1], width = x.Shape[2];
        Tensor y = NewActivation(new Shape(samples, patches + 1, width));
        Kernel.Forward(x.Data, classEmbedding.Data, positions.Data, y.Data, samples, patches, width);
        if (Needs(x, classEmbedding, positions))
            Record(y, () =>
            {
                DeviceArray dx = Target(x, out bool addX), dclass = Target(classEmbedding, out bool addClass),
                    dpositions = Target(positions, out bool addPositions);
                Kernel.Backward(y.Gradient, dx, addX, dclass, addClass, dpositions, addPositions, samples,
                    patches, width);
            }, []);
        return y;
    }
}
