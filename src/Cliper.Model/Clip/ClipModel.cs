using Cliper.Autograd;
using Cliper.Kernels.Memory;
using Cliper.Kernels.Operations;

namespace Cliper.Model.Clip;

/// <summary>
/// CLIP (Radford et al. 2021, arXiv 2103.00020): an image and a text tower into one feature space, and the learned
/// temperature of their cosines. Parameters carry OpenAI's names.
/// </summary>
public sealed class ClipModel : IDisposable
{
    /// <summary>A model on <paramref name="device"/> with the given weights.</summary>
    /// <param name="device">Device of all tensors.</param>
    /// <param name="weights">Configuration and tensors; only read here.</param>
    /// <param name="tower">Makes the image tower; null for the one that the configuration describes.</param>
    public ClipModel(Device device, IParameterSource weights, Func<ParameterSet, ClipConfig, IImageTower>? tower = null)
    {
        Device = device;
        Config = weights.Config;
        foreach (string name in weights.Names)
            Parameters.Add(name, weights.ToTensor(device, name));
        Vision = tower?.Invoke(Parameters, Config)
            ?? (Config.IsResNet ? new ResNet(Parameters, Config) : new VisionTransformer(Parameters, Config));
        Parameters.MarkBuffers(Vision.Buffers);
        Text = new TextTransformer(Parameters, Config);
    }

    /// <summary>Device of all tensors.</summary>
    public Device Device { get; }

    /// <summary>Configuration of both towers.</summary>
    public ClipConfig Config { get; }

    /// <summary>All tensors, in OpenAI's naming.</summary>
    public ParameterSet Parameters { get; } = new();

    /// <summary>The image tower.</summary>
    public IImageTower Vision { get; }

    /// <summary>The text tower.</summary>
    public TextTransformer Text { get; }

    /// <summary>Divisor of the cosines that the model has learned, exp(-logit_scale).</summary>
    /// <exception cref="InputException">The model's logit_scale is not the logarithm of a scale.</exception>
    public float Temperature
    {
        get
        {
            // CLIP's training keeps the scale below 100, whose logarithm is 4.6.
            const float Largest = 10;
            float scale = Parameters["logit_scale"].Item();
            return Math.Abs(scale) <= Largest ? MathF.Exp(-scale) : throw new InputException(
                $"logit_scale of the weights is {scale}; expected the logarithm of the logits' scale, from -{Largest} "
                + $"to {Largest}, as 4.6 for 100; get the weights anew");
        }
    }

    /// <summary>Whether <paramref name="name"/> belongs to the image tower.</summary>
    public static bool IsVision(string name) => name.StartsWith("visual.", StringComparison.Ordinal);

    /// <summary>exp(logit_scale) * cos(image, text), [N, P].</summary>
    /// <param name="tape">The tape of the step.</param>
    /// <param name="imageFeatures">[N, D], not normalized.</param>
    /// <param name="textFeatures">[P, D], not normalized.</param>
    public Tensor LogitsPerImage(Tape tape, Tensor imageFeatures, Tensor textFeatures)
    {
        Tensor cosines = tape.MatMul(tape.L2Normalize(imageFeatures), tape.L2Normalize(textFeatures), transposeB: true);
        Tensor scale = Parameters["logit_scale"];
        return tape.Multiply(cosines, tape.Apply<Exp>(scale.Reshape(new Shape(1))));
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        (Vision as IDisposable)?.Dispose();
        Parameters.Dispose();
    }
}
