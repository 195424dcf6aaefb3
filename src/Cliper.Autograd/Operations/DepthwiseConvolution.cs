using Cliper.Kernels.Operations;
using Kernel = Cliper.Kernels.Operations.DepthwiseConvolution;

namespace Cliper.Autograd;

public sealed partial class Tape
{
    /// <summary>The convolution of each channel of NHWC images with its own kernel; keeps x.</summary>
    /// <param name="x">[N, H, W, C].</param>
    /// <param name="weight">[kernel rows, kernel columns, C].</param>
    /// <param name="down">Movement of the window from row to row.</param>
    /// <param name="across">Movement of the window from column to column.</param>
    /// <returns>[N, output rows, output columns, C].</returns>
    /// <exception cref="ArgumentException">Channels or the kernel's sizes differ, or the kernel does not
    /// fit.</exception>
    public Tensor DepthwiseConvolution(Tensor x, Tensor weight, WindowAxis down, WindowAxis across)
    {
        Shape w = weight.Shape;
        if (x.Shape.Rank != 4 || w.Rank != 3 || w[0] != down.Kernel || w[1] != across.Kernel || w[2] != x.Shape[3])
            throw new ArgumentException($"images {x.Shape} and weight {w}: expected [N, H, W, C] and [{down.Kernel}, "
                + $"{across.Kernel}, C]");
        var window = new SlidingWindow(MapOf(x), down, across);
        window.Check();
        Tensor y = New(ShapeOf(window.Output(window.Input.Channels)), x.Type);
        Kernel.Forward(x.Data, weight.Data, y.Data, window);
        if (Needs(x, weight))
            Record(y, () =>
            {
                if (weight.RequiresGrad)
                    Kernel.BackwardWeight(x.Data, y.Gradient, Target(weight), window);
                if (x.RequiresGrad)
                    Kernel.BackwardInput(weight.Data, y.Gradient, Target(x), window);
            }, [x, weight]);
        return y;
    }
}
