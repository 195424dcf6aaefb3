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

/// <summary>
/// The shape of a CLIP, and how its images are normalized. Its text tower is a transformer; its image tower is a vision
/// transformer, or a ResNet where <see cref="ResNetBlocks"/> is given.
/// </summary>
public sealed record ClipConfig
{
    /// <summary>Pixels of the image that a ResNet makes one pixel of its last feature map, in each direction.</summary>
    public const int ResNetReduction = 32;

    /// <summary>Channels of a ResNet's last feature map for each channel of its stem.</summary>
    public const int ResNetExpansion = 32;

    /// <summary>Width of a head in OpenAI's models, from which the number of heads follows where nothing states
    /// it.</summary>
    public const int UsualHeadWidth = 64;

    /// <summary>OpenAI's channel means.</summary>
    public static readonly ChannelValues ClipMean = new(.48145466f, .4578275f, .40821073f);

    /// <summary>OpenAI's channel standard deviations.</summary>
    public static readonly ChannelValues ClipStd = new(.26862954f, .26130258f, .27577711f);

    /// <summary>Side of the square input image, in pixels.</summary>
    public required int ImageSize { get; init; }

    /// <summary>Side of a vision transformer's square patch, in pixels; 0 for a ResNet.</summary>
    public int PatchSize { get; init; }

    /// <summary>Width of a vision transformer, whose MLPs are four times as wide; channels of a ResNet's
    /// stem.</summary>
    public required int VisionWidth { get; init; }

    /// <summary>Blocks of a vision transformer; 0 for a ResNet.</summary>
    public int VisionLayers { get; init; }

    /// <summary>Blocks of a ResNet's stages; null for a vision transformer.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public StageBlocks? ResNetBlocks { get; init; }

    /// <summary>Attention heads of the image tower; of a ResNet, of its attention pooling.</summary>
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

    /// <summary>Whether the image tower is a ResNet.</summary>
    [JsonIgnore]
    public bool IsResNet => ResNetBlocks is not null;

    /// <summary>Channels of a ResNet's last feature map, which its attention pooling takes.</summary>
    [JsonIgnore]
    public int ResNetWidth => ResNetExpansion * VisionWidth;

    /// <summary>Number of patches of an image; of a ResNet, pixels of its last feature map.</summary>
    public int Patches => Side * Side;

    /// <summary>Form of the images that the image tower takes.</summary>
    [JsonIgnore]
    public ImageInput ImageInput => new(ImageSize, IsResNet ? 1 : PatchSize, Mean, Std);

    private int Side => ImageSize / (IsResNet ? ResNetReduction : PatchSize);

    /// <summary>Names what is impossible about these numbers, a sentence each; empty when they make a model.</summary>
    public IEnumerable<string> Faults()
    {
        (string Name, int Value)[] sizes =
        [
            (nameof(ImageSize), ImageSize), (nameof(VisionWidth), VisionWidth), (nameof(VisionHeads), VisionHeads),
            (nameof(TextWidth), TextWidth), (nameof(TextHeads), TextHeads), (nameof(TextLayers), TextLayers),
            (nameof(VocabularySize), VocabularySize), (nameof(ContextLength), ContextLength),
            (nameof(EmbedSize), EmbedSize),
        ];
        foreach ((string name, int value) in sizes)
            if (value < 1)
                yield return $"{name} is {value}, expected at least 1";
        foreach (string fault in ResNetBlocks is { } blocks ? FaultsOfResNet(blocks) : FaultsOfVisionTransformer())
            yield return fault;
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
    private IEnumerable<string> FaultsOfVisionTransformer()
    {
        if (PatchSize < 1)
            yield return $"PatchSize is {PatchSize}, expected at least 1";
        if (VisionLayers < 1)
            yield return $"VisionLayers is {VisionLayers}, expected at least 1";
        if (PatchSize > 0 && ImageSize % PatchSize != 0)
            yield return $"ImageSize {ImageSize} is not a multiple of PatchSize {PatchSize}";
        if (VisionHeads > 0 && VisionWidth % VisionHeads != 0)
            yield return $"VisionWidth {VisionWidth} is not a multiple of VisionHeads {VisionHeads}";
    }

    private IEnumerable<string> FaultsOfResNet(StageBlocks blocks)
    {
        for (int stage = 0; stage < StageBlocks.Stages; stage++)
            if (blocks[stage] < 1)
                yield return $"stage {stage + 1} of the ResNet has {blocks[stage]} blocks, expected at least 1";
        if (ImageSize % ResNetReduction != 0)
            yield return $"ImageSize {ImageSize} is not a multiple of {ResNetReduction}, by which a ResNet divides it";
        if (VisionWidth % 2 != 0)
            yield return $"VisionWidth {VisionWidth} is odd, and a ResNet's stem begins with half of it";
        if (VisionHeads > 0 && ResNetWidth % VisionHeads != 0)
            yield return $"the {ResNetWidth} channels that the ResNet ends with are not a multiple of VisionHeads "
                + $"{VisionHeads}";
    }
}
