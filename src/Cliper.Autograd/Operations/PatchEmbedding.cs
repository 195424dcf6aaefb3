using Cliper.Kernels.Memory;
using Cliper.Kernels.Operations;
using Kernel = Cliper.Kernels.Operations.PatchEmbedding;

namespace Cliper.Autograd;

public sealed partial class Tape
{
    /// <summary>
    /// Images to tokens, a convolution whose stride is its kernel's size; keeps the images for the backward pass.
    /// </summary>
    /// <param name="images">[N, C, H, W]; H and W are multiples of p. Or unfolded before, [N, patches, C p p], as
    /// <see cref="Normalize"/> makes them of bytes.</param>
    /// <param name="weight">[width, C, p, p].</param>
    /// <returns>[N, (H / p) (W / p), width].</returns>
    /// <exception cref="ArgumentException">Channels differ, or the images do not divide into patches.</exception>
    public Tensor PatchEmbedding(Tensor images, Tensor weight)
    {
        Shape x = images.Shape, w = weight.Shape;
        if (x.Rank == 3)
            return Linear(images, weight);
        if (x.Rank != 4 || w.Rank != 4 || x[1] != w[1] || w[2] != w[3])
            throw new ArgumentException($"images {x} and patch weight {w}: expected [N, C, H, W] and [width, C, p, p]");
        var sizes = new Kernel.Sizes(x[0], x[1], x[2], x[3], w[2], w[0]);
        Tensor y = NewActivation(new Shape(sizes.Images, sizes.Patches, sizes.Features));
        Kernel.Forward(images.Data, weight.AsOperand(), y.Data, sizes);
        if (Needs(images, weight))
            Record(y, () =>
            {
                GradientTarget dimages = Target(images), dweight = Target(weight);
                Kernel.Backward(images.Data, weight.AsOperand(), y.Gradient, dimages, dweight, sizes);
            }, [images, weight]);
        return y;
    }
    /// <summary>Images of planes (NCHW) as feature maps (NHWC) of the device's type of activations, for
    /// <see cref="Convolution"/>. No gradient flows back to the images.</summary>
    /// <param name="images">[N, C, H, W].</param>
    /// <returns>[N, H, W, C].</returns>
    /// <exception cref="ArgumentException">The images have another number of axes, or require a gradient.</exception>
    public Tensor ToPixels(Tensor images)
    {
        Shape x = images.Shape;
        if (x.Rank != 4 || images.RequiresGrad)
            throw new ArgumentException($"images {x}: expected [N, C, H, W], without a gradient", nameof(images));
        Tensor y = NewActivation(new Shape(x[0], x[2], x[3], x[1]));
        Kernel.Unfold(images.Data, y.Data, new Kernel.Sizes(x[0], x[1], x[2], x[3], 1, 1));
        return y;
    }
}
