using Cliper.Autograd;
using Cliper.Model.Clip;

namespace Cliper.Model.Prompts;

/// <summary>
/// CLIPER: a CLIP and a prompt learner. Logits score the feature of an image (or clip) against those of K classes with
/// M prompts each; a class's score is the mean over its prompts.
/// </summary>
/// <param name="clip">The CLIP, taken over.</param>
/// <param name="prompts">The prompt learner, taken over.</param>
/// <param name="classes">Class names, in the order of the prompts.</param>
/// <param name="temperature">Divisor of the cosines, tau.</param>
public sealed class CliperModel(ClipModel clip, IPromptLearner prompts, IReadOnlyList<string> classes,
    float temperature = CliperModel.DefaultTemperature) : IDisposable
{
    /// <summary>The authors' temperature.</summary>
    public const float DefaultTemperature = 0.01f;

    /// <summary>The CLIP.</summary>
    public ClipModel Clip { get; } = clip;

    /// <summary>The prompt learner.</summary>
    public IPromptLearner Prompts { get; } = prompts;

    /// <summary>Class names, in the order of the prompts.</summary>
    public IReadOnlyList<string> Classes { get; } = classes.Count == prompts.Classes
        ? classes
        : throw new ArgumentException($"{classes.Count} class names for prompts of {prompts.Classes} classes");

    /// <summary>Divisor of the cosines, tau.</summary>
    public float Temperature { get; set; } = temperature;

    /// <summary>
    /// Divisor of a class's score before the softmax of an answer, so that probabilities mean shares (Guo et al. 2017,
    /// arXiv 1706.04599). It changes no answer's class, and no training.
    /// </summary>
    public float AnswerTemperature { get; set; } = 1;

    /// <summary>The answer for one row of <see cref="Logits"/>.</summary>
    public Prediction Answer(ReadOnlySpan<float> logits) =>
        Prediction.FromLogits(logits, Prompts.PromptsPerClass, AnswerTemperature);

    /// <summary>Lets exactly these parameters be trained and freezes all others, whose gradients are freed.</summary>
    /// <param name="trained">Parameters of the CLIP or of the prompt learner; empty to freeze the model.</param>
    public void Train(IEnumerable<(string Name, Tensor Tensor)> trained)
    {
        HashSet<Tensor> wanted = [.. trained.Select(parameter => parameter.Tensor)];
        Clip.Parameters.Train(name => wanted.Contains(Clip.Parameters[name]));
        foreach ((_, Tensor tensor) in Prompts.Parameters)
        {
            tensor.RequiresGrad = wanted.Contains(tensor);
            if (!tensor.RequiresGrad)
                tensor.FreeGradient();
        }
    }

    /// <summary>
    /// Features of images or clips: a clip's is the mean of its frames' projected features, before normalization.
    /// </summary>
    /// <param name="tape">The tape of the step.</param>
    /// <param name="images">Input of <see cref="IImageTower.Forward"/>, samples * frames, a clip's frames
    /// together.</param>
    /// <param name="frames">Number of frames of each sample; 1 for images.</param>
    /// <returns>[samples, D], not normalized.</returns>
    public Tensor ImageFeatures(Tape tape, Tensor images, int frames = 1)
    {
        Tensor features = Clip.Vision.Forward(tape, images);
        return frames == 1
            ? features
            : tape.Mean(features.Reshape(new Shape(features.Shape[0] / frames, frames, features.Shape[1])));
    }

    /// <summary>Class features that serve every image, to be computed once and given to <see cref="Logits"/>.</summary>
    /// <param name="tape">The tape that owns them.</param>
    /// <returns>[K * M, D]; null where they depend on the image.</returns>
    public Tensor? ClassFeatures(Tape tape) =>
        Prompts.DependsOnImage ? null : Prompts.ClassFeatures(tape, Clip, imageFeatures: null);

    /// <summary>Scores of every prompt of every class, by the rule of the prompt learner.</summary>
    /// <param name="tape">The tape of the step.</param>
    /// <param name="imageFeatures">[B, D], not normalized.</param>
    /// <param name="classFeatures">Result of <see cref="ClassFeatures"/>; null to compute them in this step.</param>
    /// <returns>[B, K * M].</returns>
    public Tensor Logits(Tape tape, Tensor imageFeatures, Tensor? classFeatures) => Prompts.Logits(tape, imageFeatures,
        classFeatures ?? Prompts.ClassFeatures(tape, Clip, imageFeatures), Temperature);

    /// <summary>Scores images or clips: <see cref="Logits"/> of their <see cref="ImageFeatures"/>.</summary>
    /// <param name="tape">The tape of the step.</param>
    /// <param name="images">Input of <see cref="IImageTower.Forward"/>, samples * frames, a clip's frames
    /// together.</param>
    /// <param name="frames">Number of frames of each sample; 1 for images.</param>
    /// <param name="classFeatures">Result of <see cref="ClassFeatures"/>; null to compute them in this step.</param>
    /// <returns>[samples, K * M].</returns>
    public Tensor ImageLogits(Tape tape, Tensor images, int frames, Tensor? classFeatures) =>
        Logits(tape, ImageFeatures(tape, images, frames), classFeatures);

    /// <inheritdoc/>
    public void Dispose()
    {
        Clip.Dispose();
        Prompts.Dispose();
    }
}
