using Cliper.Autograd;
using Cliper.Model.Clip;

namespace Cliper.Model.Prompts;

/// <summary>
/// Zero-shot CLIP (arXiv 2103.00020, section 3.1.4): prompts of fixed words, nothing learned. A class's feature is the
/// normalized mean of the normalized features of its captions, one for every template.
/// </summary>
/// <param name="captions">Token ids of each class's captions, [class][template]; every class has equally many.</param>
public sealed class FixedPrompts(IReadOnlyList<IReadOnlyList<int[]>> captions) : IPromptLearner
{
    /// <summary>Name of the method in checkpoints.</summary>
    public const string MethodName = "fixed-prompts";

    private const string CaptionsKey = "captions";

    /// <inheritdoc/>
    public string Method => MethodName;

    /// <inheritdoc/>
    public int Classes => captions.Count;

    /// <summary>1: the captions of a class are averaged to one feature.</summary>
    public int PromptsPerClass => 1;

    /// <inheritdoc/>
    public bool DependsOnImage => false;

    /// <inheritdoc/>
    public IReadOnlyList<(string Name, Tensor Tensor)> Parameters => [];

    /// <inheritdoc/>
    public IReadOnlyList<(string Key, object Value)> Metadata =>
        [(CaptionsKey, captions.Select(texts => texts.ToArray()).ToArray())];

    /// <summary>Reads the captions from a checkpoint.</summary>
    /// <exception cref="InputException">The captions are not those of the checkpoint's classes.</exception>
    public static FixedPrompts Read(IPromptSource source)
    {
        var captions = source.Read<int[][][]>(CaptionsKey);
        int templates = captions.FirstOrDefault()?.Length ?? 0;
        if (captions.Length != source.Classes.Count || templates == 0
            || captions.Any(texts => texts?.Length != templates))
            throw source.Damaged($"metadata '{CaptionsKey}'",
                $"equally many captions for each of {source.Classes.Count} classes",
                $"{string.Join(", ", captions.Take(5).Select(texts => texts?.Length ?? 0))}");
        ClipConfig config = source.Config;
        foreach (int[] ids in captions.SelectMany(texts => texts))
            if (ids is null or [] || ids.Any(id => id < 0 || id >= config.VocabularySize)
                || TextTransformer.EndOf(ids) >= config.ContextLength)
                throw source.Damaged($"metadata '{CaptionsKey}'",
                    $"texts of 1 to {config.ContextLength} ids below {config.VocabularySize}",
                    $"[{string.Join(", ", (ids ?? []).Take(5))}]");
        return new FixedPrompts(captions);
    }

    /// <inheritdoc/>
    public Tensor ClassFeatures(Tape tape, ClipModel clip, Tensor? imageFeatures)
    {
        Tensor features = tape.L2Normalize(clip.Text.Forward(tape, [.. captions.SelectMany(texts => texts)]));
        return tape.L2Normalize(tape.Mean(
            features.Reshape(new Shape(captions.Count, captions[0].Count, features.Shape.Width))));
    }

    /// <summary>Does nothing: no tensor is held.</summary>
    public void Dispose()
    {
    }
}
