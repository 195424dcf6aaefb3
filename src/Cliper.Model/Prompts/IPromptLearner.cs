using Cliper.Autograd;
using Cliper.Model.Clip;

namespace Cliper.Model.Prompts;

/// <summary>
/// A prompt method: it turns the text tower, and vectors that it may learn, into features of K classes with M prompts
/// each, and scores images by them. <see cref="Metd"/> learns vectors that are the same for every image; a method such
/// as CoCoOp makes its prompts of each image's feature; a linear head has no prompts and gives its weights as class
/// features.
/// </summary>
public interface IPromptLearner : IDisposable
{
    /// <summary>Name of the method in checkpoints, one of <see cref="PromptLearners"/>.</summary>
    string Method { get; }

    /// <summary>Number of classes, K.</summary>
    int Classes { get; }

    /// <summary>Number of prompts of each class, M.</summary>
    int PromptsPerClass { get; }

    /// <summary>Whether the class features differ from image to image, so that they cannot be computed once for
    /// all.</summary>
    bool DependsOnImage { get; }

    /// <summary>Learned tensors with their names in checkpoints; empty for a method that learns nothing.</summary>
    IReadOnlyList<(string Name, Tensor Tensor)> Parameters { get; }

    /// <summary>Metadata of a checkpoint by which the method finds itself again, each value written as JSON.</summary>
    IReadOnlyList<(string Key, object Value)> Metadata { get; }

    /// <summary>Computes the features of all classes' prompts.</summary>
    /// <param name="tape">The tape of the step.</param>
    /// <param name="clip">The CLIP whose text tower reads the prompts.</param>
    /// <param name="imageFeatures">[B, D], not normalized; null only where <see cref="DependsOnImage"/> is
    /// false.</param>
    /// <returns>[K * M, D], class by class, or [B, K * M, D] where they depend on the image, as <see cref="Logits"/>
    /// takes them.</returns>
    Tensor ClassFeatures(Tape tape, ClipModel clip, Tensor? imageFeatures);

    /// <summary>Scores images: s[b, k * M + m] = cos(f_b, t[k, m]) / tau, unless a method has a rule of its
    /// own.</summary>
    /// <param name="tape">The tape of the step.</param>
    /// <param name="imageFeatures">[B, D], not normalized.</param>
    /// <param name="classFeatures">Result of <see cref="ClassFeatures"/>; normalized for this rule.</param>
    /// <param name="temperature">Divisor of the cosines, tau.</param>
    /// <returns>[B, K * M].</returns>
    Tensor Logits(Tape tape, Tensor imageFeatures, Tensor classFeatures, float temperature) =>
        tape.MatMul(tape.L2Normalize(imageFeatures), classFeatures, transposeB: true, scale: 1 / temperature);
}
