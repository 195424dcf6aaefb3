using Cliper.Autograd;
using Cliper.Kernels.Operations;
using Cliper.Model.Clip;

namespace Cliper.Model.Prompts;

/// <summary>
/// CLIPER: a CLIP and its learned expression descriptors. Logits are cosines of the image (or clip) feature and every
/// descriptor's text feature, divided by a temperature; a class's score is the mean over its descriptors.
/// </summary>
/// <param name="clip">The CLIP, taken over.</param>
/// <param name="metd">The descriptors, taken over.</param>
/// <param name="classes">Class names, in the order of the descriptors.</param>
/// <param name="temperature">The divisor of the cosines, tau.</param>
public sealed class CliperModel(ClipModel clip, Metd metd, IReadOnlyList<string> classes,
    float temperature = CliperModel.DefaultTemperature) : IDisposable
{
    /// <summary>The authors' temperature.</summary>
    public const float DefaultTemperature = 0.01f;

    /// <summary>The CLIP.</summary>
    public ClipModel Clip { get; } = clip;

    /// <summary>The descriptors.</summary>
    public Metd Metd { get; } = metd;

    /// <summary>Class names, in the order of the descriptors.</summary>
    public IReadOnlyList<string> Classes { get; } = classes.Count == metd.Classes
        ? classes
        : throw new ArgumentException($"{classes.Count} class names for descriptors of {metd.Classes} classes");

    /// <summary>The divisor of the cosines, tau.</summary>
    public float Temperature { get; set; } = temperature;

    /// <summary>
    /// Features of pictures or clips: a clip's is the mean of its frames' projected features, before normalisation.
    /// </summary>
    /// <param name="tape">The step.</param>
    /// <param name="images">As <see cref="VisionTransformer.Forward"/> takes them, samples * frames, a clip's frames together.</param>
    /// <param name="frames">Frames a sample; 1 for pictures.</param>
    /// <returns>[samples, D], not normalised.</returns>
    public Tensor ImageFeatures(Tape tape, Tensor images, int frames = 1)
    {
        Tensor features = Clip.Vision.Forward(tape, images);
        return frames == 1
            ? features
            : tape.Mean(features.Reshape(new Shape(features.Shape[0] / frames, frames, features.Shape[1])));
    }

    /// <summary>Text features of the descriptors, normalised, [K * M, D].</summary>
    public Tensor DescriptorFeatures(Tape tape)
    {
        using Tape.Scope scope = tape.BeginScope();
        return scope.Keep(tape.L2Normalize(Metd.Encode(tape, Clip.Text)));
    }

    /// <summary>s[b, k * M + m] = cos(f_b, t[k, m]) / tau.</summary>
    /// <param name="tape">The step.</param>
    /// <param name="imageFeatures">[B, D], not normalised.</param>
    /// <param name="descriptorFeatures">[K * M, D], normalised.</param>
    /// <returns>[B, K * M].</returns>
    public Tensor Logits(Tape tape, Tensor imageFeatures, Tensor descriptorFeatures) =>
        tape.MatMul(tape.L2Normalize(imageFeatures), descriptorFeatures, transposeB: true, scale: 1 / Temperature);

    /// <summary>CLIPER's two losses: [2] = (fine-grained cross-entropy, margin).</summary>
    /// <param name="tape">The step.</param>
    /// <param name="logits">[B, K * M], as <see cref="Logits"/> gives them.</param>
    /// <param name="labels">Class indices, int32 [B].</param>
    /// <param name="rule">What a subclass that no sample of the batch is nearest to counts for.</param>
    public Tensor Losses(Tape tape, Tensor logits, Tensor labels, EmptySubclasses rule) =>
        tape.CliperLoss(logits, labels, Metd.Classes, Metd.Subclasses, rule);

    /// <inheritdoc/>
    public void Dispose()
    {
        Clip.Dispose();
        Metd.Dispose();
    }
}
