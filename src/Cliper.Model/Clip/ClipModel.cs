using Cliper.Autograd;
using Cliper.Kernels.Memory;
using Cliper.Kernels.Operations;
using Cliper.Model.Weights;

namespace Cliper.Model.Clip;

/// <summary>
/// CLIP (Radford et al. 2021, arXiv 2103.00020): an image and a text tower into one feature space, and the learned
/// temperature of their cosines. Parameters carry OpenAI's names.
/// </summary>
public sealed class ClipModel : IDisposable
{
    /// <summary>A model on <paramref name="device"/> with the given weights.</summary>
    public ClipModel(Device device, ClipWeights weights)
    {
        Device = device;
        Config = weights.Config;
        foreach (string name in weights.Names)
            Parameters.Add(name, weights.ToTensor(device, name));
        Vision = new VisionTransformer(Parameters, Config);
        Text = new TextTransformer(Parameters, Config);
    }

    /// <summary>Where it runs.</summary>
    public Device Device { get; }

    /// <summary>Its shape.</summary>
    public ClipConfig Config { get; }

    /// <summary>All its tensors, in OpenAI's naming.</summary>
    public ParameterSet Parameters { get; } = new();

    /// <summary>The image tower.</summary>
    public VisionTransformer Vision { get; }

    /// <summary>The text tower.</summary>
    public TextTransformer Text { get; }

    /// <summary>Whether <paramref name="name"/> belongs to the image tower.</summary>
    public static bool IsVision(string name) => name.StartsWith("visual.", StringComparison.Ordinal);

    /// <summary>exp(logit_scale) * cos(image, text), [N, P].</summary>
    /// <param name="tape">The step.</param>
    /// <param name="imageFeatures">[N, D], not normalised.</param>
    /// <param name="textFeatures">[P, D], not normalised.</param>
    public Tensor LogitsPerImage(Tape tape, Tensor imageFeatures, Tensor textFeatures)
    {
        Tensor cosines = tape.MatMul(tape.L2Normalize(imageFeatures), tape.L2Normalize(textFeatures), transposeB: true);
        Tensor scale = Parameters["logit_scale"];
        return tape.Multiply(cosines, tape.Apply<Exp>(scale.Reshape(new Shape(1))));
    }

    /// <inheritdoc/>
    public void Dispose() => Parameters.Dispose();
}
