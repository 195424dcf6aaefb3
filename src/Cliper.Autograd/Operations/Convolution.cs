using Cliper.Kernels.Cpu;
using Cliper.Kernels.Memory;
using Cliper.Kernels.Operations;
using Kernel = Cliper.Kernels.Operations.Convolution;

namespace Cliper.Autograd;

public sealed partial class Tape
{
    /// <summary>
    /// The convolution of NHWC images with a weight, a bias and a ReLU in one pass if asked; keeps x. A weight that
    /// this tape does not train is packed once and kept packed until it is written.
    /// </summary>
    /// <param name="x">[N, H, W, C].</param>
    /// <param name="weight">[features, kernel rows, kernel columns, C].</param>
    /// <param name="bias">[features]; null for none.</param>
    /// <param name="down">Movement of the window from row to row.</param>
    /// <param name="across">Movement of the window from column to column.</param>
    /// <param name="relu">Whether the result is max(sum, 0).</param>
    /// <returns>[N, output rows, output columns, features].</returns>
    /// <exception cref="ArgumentException">Channels or the kernel's sizes differ, or the kernel does not
    /// fit.</exception>
    public Tensor Convolution(Tensor x, Tensor weight, Tensor? bias, WindowAxis down, WindowAxis across,
        bool relu = false)
    {
        Shape w = weight.Shape;
        if (x.Shape.Rank != 4 || w.Rank != 4 || w[1] != down.Kernel || w[2] != across.Kernel || w[3] != x.Shape[3])
            throw new ArgumentException(
                $"images {x.Shape} and weight {w}: expected [N, H, W, C] and [features, {down.Kernel}, "
                + $"{across.Kernel}, C]");
        int features = w[0];
        var window = new SlidingWindow(MapOf(x), down, across);
        window.Check();
        FeatureMap output = window.Output(features);
        Tensor y = NewActivation(ShapeOf(output));
        DeviceArray offset = bias?.Data ?? default;
        if (relu)
            Convolve(x, weight, y, window, new ActivationEpilogue<Relu>(offset, default, features));
        else if (bias is not null)
            Convolve(x, weight, y, window, new BiasEpilogue(offset));
        else
            Convolve(x, weight, y, window, default(NoEpilogue));
        if (!Needs(x, weight, bias))
            return y;
        Record(y, () =>
        {
            // y is above zero exactly where the sum was.
            if (relu)
                Elementwise.Backward<Relu>(y.Data, y.Gradient, y.Gradient);
            if (weight.RequiresGrad)
                Kernel.BackwardWeight(x.Data, y.Gradient, Target(weight), window, features);
            if (bias is { RequiresGrad: true })
                ColumnSum.Forward(y.Gradient, Target(bias), checked((int)output.Pixels),
                    features, features);
            if (x.RequiresGrad)
                Kernel.BackwardInput(weight.AsOperand(), y.Gradient, Target(x), window, features);
        }, [x, weight]);
        return y;
    }

    private void Convolve<TEpilogue>(Tensor x, Tensor weight, Tensor y, SlidingWindow window, TEpilogue epilogue)
        where TEpilogue : struct, ICpuEpilogue
    {
        int features = weight.Shape[0];
        if (Device is CpuDevice && (KeepsPackedWeights || !weight.RequiresGrad))
            Kernel.Forward(x.Data, weight.Companion("convolution", () => Kernel.Pack(weight.Data, window, features)),
                y.Data, window, epilogue);
        else
            Kernel.Forward(x.Data, weight.AsOperand(), y.Data, window, features, epilogue);
    }

    /// <summary>The sizes of an NHWC tensor.</summary>
    private static FeatureMap MapOf(Tensor x) => x.Shape.Rank == 4 ? new(x.Shape[0], x.Shape[1], x.Shape[2], x.Shape[3])
        : throw new ArgumentException($"images {x.Shape}: expected [N, H, W, C]");

    private static Shape ShapeOf(FeatureMap map) => new(map.Images, map.Height, map.Width, map.Channels);
}
