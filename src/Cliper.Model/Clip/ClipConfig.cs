using System.Text.Json.Serialization;
using Cliper.Kernels.Operations;

namespace Cliper.Model.Clip;

/// <summary>A number for each channel of an image.</summary>
/// <param name="Red">Value of the red channel.</param>
/// <param name="Green">Value of the green channel.</param>
/// <param name="Blue">Value of the blue channel.</param>
public readonly record struct ChannelValues(float Red, float Green, float Blue)
{
    /// <summary>Red, green, blue.</summary>
    public float[] ToArray() => [Red, Green, Blue];
}

/// <summary>The shape of a CLIP with two transformers, and how its images are normalized.</summary>
public sealed record ClipConfig
{
    /// <summary>Width of a head in OpenAI's models, from which the number of heads follows where nothing states
    /// it.</summary>
    public const int UsualHeadWidth = 64;

    /// <summary>OpenAI's channel means.</summary>
    public static readonly ChannelValues ClipMean = new(.48145466f, .4578275f, .40821073f);

    /// <summary>OpenAI's channel standard deviations.</summary>
    public static readonly ChannelValues ClipStd = new(.26862954f, .26130258f, .27577711f);

    /// <summary>Side of the square input image, in pixels.</summary>
    public required int ImageSize { get; init; }

    /// <summary>Side of a square patch, in pixels.</summary>
    public required int PatchSize { get; init; }

    /// <summary>Width of the image tower; its MLPs are four times as wide.</summary>
    public required int VisionWidth { get; init; }

    /// <summary>Blocks of the image tower.</summary>
    public required int VisionLayers { get; init; }

    /// <summary>Attention heads of the image tower.</summary>
    public required int VisionHeads { get; init; }

    /// <summary>Width of the text tower; its MLPs are four times as wide.</summary>
    public required int TextWidth { get; init; }

    /// <summary>Blocks of the text tower.</summary>
    public required int TextLayers { get; init; }

    /// <summary>Attention heads of the text tower.</summary>
    public required int TextHeads { get; init; }

    /// <summary>Token ids, from 0.</summary>
    public required int VocabularySize { get; init; }

    /// <summary>Longest text, in tokens, with start and end token.</summary>
    public int ContextLength { get; init; } = 77;

    /// <summary>Width of the features.</summary>
    public required int EmbedSize { get; init; }

    /// <summary>Activation of the MLPs.</summary>
    public Activation Activation { get; init; } = Activation.QuickGelu;

    /// <summary>Added to the variance in every LayerNorm.</summary>
    public float LayerNormEpsilon { get; init; } = LayerNorm.DefaultEpsilon;

    /// <summary>Subtracted from pixels in [0, 1].</summary>
    public ChannelValues Mean { get; init; } = ClipMean;

    /// <summary>Divisor of pixels after the mean is subtracted.</summary>
    public ChannelValues Std { get; init; } = ClipStd;

    /// <summary>Number of patches of an image.</summary>
    public int Patches => ImageSize / PatchSize * (ImageSize / PatchSize);

    /// <summary>Form of the images that the image tower takes.</summary>
    [JsonIgnore]
    public ImageInput ImageInput => new(ImageSize, PatchSize, Mean, Std);

    /// <summary>Names what is impossible about these numbers, a sentence each; empty when they make a model.</summary>
    public IEnumerable<string> Faults()
    {
        (string Name, int Value)[] sizes =
        [
            (nameof(ImageSize), ImageSize), (nameof(PatchSize), PatchSize), (nameof(VisionWidth), VisionWidth),
            (nameof(VisionHeads), VisionHeads), (nameof(TextWidth), TextWidth), (nameof(TextHeads), TextHeads),
            (nameof(VocabularySize), VocabularySize), (nameof(ContextLength), ContextLength),
                (nameof(EmbedSize), EmbedSize),
            (nameof(VisionLayers), VisionLayers), (nameof(TextLayers), TextLayers),
        ];
        foreach ((string name, int value) in sizes)
            if (value < 1)
                yield return $"{name} is {value}, expected at least 1";
        if (PatchSize > 0 && ImageSize % PatchSize != 0)
            yield return $"ImageSize {ImageSize} is not a multiple of PatchSize {PatchSize}";
        if (VisionHeads > 0 && VisionWidth % VisionHeads != 0)
            yield return $"VisionWidth {VisionWidth} is not a multiple of VisionHeads {VisionHeads}";
        if (TextHeads > 0 && TextWidth % TextHeads != 0)
            yield return $"TextWidth {TextWidth} is not a multiple of TextHeads {TextHeads}";
        if (Activations.All.All(entry => entry.Activation != Activation))
            yield return $"Activation is {Activation}, expected "
                + string.Join(" or ", Activations.All.Select(entry => entry.Activation));
        if (!(LayerNormEpsilon > 0 && float.IsFinite(LayerNormEpsilon)))
            yield return $"LayerNormEpsilon is {LayerNormEpsilon}, expected a positive number";
        if (Mean.ToArray().Any(value => !float.IsFinite(value))
            || Std.ToArray().Any(value => !(value > 0 && float.IsFinite(value))))
            yield return $"Mean {Mean} and Std {Std}: expected finite means and positive deviations";
    }
}
