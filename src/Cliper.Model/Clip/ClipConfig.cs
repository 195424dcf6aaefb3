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

    // Far above every published model, and low enough that no product of two sizes leaves the range of an int.
    private const int MostWidth = 1 << 15, MostLayers = 1000;

    /// <summary>OpenAI's channel means.</summary>
    public static readonly ChannelValues ClipMean = new(.48145466f, .4578275f, .40821073f);

    /// <summary>OpenAI's channel standard deviations.</summary>
    public static readonly ChannelValues ClipStd = new(.26862954f, .26130258f, .27577711f);

    /// <summary>Side of the square input image, in pixels.</summary>
    public required int ImageSize { get; init; }

    /// <summary>Side of a vision transformer's square patch, in pixels; 0 for a ResNet.</summary>
    public int PatchSize { get; init; }

    /// <summary>Width of a vision transformer; channels of a ResNet's stem.</summary>
    public required int VisionWidth { get; init; }

    /// <summary>Blocks of a vision transformer; 0 for a ResNet.</summary>
    public int VisionLayers { get; init; }

    /// <summary>Width of the hidden layer of a vision transformer's MLPs; null where it is four times the tower's, as
    /// in all but the largest.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public int? VisionMlpWidth { get; init; }

    /// <summary>Blocks of a ResNet's stages; null for a vision transformer.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public StageBlocks? ResNetBlocks { get; init; }

    /// <summary>Attention heads of the image tower; of a ResNet, of its attention pooling.</summary>
    public required int VisionHeads { get; init; }

    /// <summary>Width of the text tower.</summary>
    public required int TextWidth { get; init; }

    /// <summary>Width of the hidden layer of the text tower's MLPs; null where it is four times the tower's.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public int? TextMlpWidth { get; init; }

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

    /// <summary>Width of the hidden layer of a vision transformer's MLPs.</summary>
    [JsonIgnore]
    public int VisionHidden => VisionMlpWidth ?? 4 * VisionWidth;

    /// <summary>Width of the hidden layer of the text tower's MLPs.</summary>
    [JsonIgnore]
    public int TextHidden => TextMlpWidth ?? 4 * TextWidth;

    /// <summary>Number of patches of an image; of a ResNet, pixels of its last feature map.</summary>
    public int Patches => Side * Side;

    /// <summary>Form of the images that the image tower takes.</summary>
    [JsonIgnore]
    public ImageInput ImageInput => new(ImageSize, IsResNet ? 1 : PatchSize, Mean, Std);

    private int Side => ImageSize / (IsResNet ? ResNetReduction : PatchSize);

    /// <summary>Names what is impossible about these numbers, a sentence each; empty when they make a model.</summary>
    public IEnumerable<string> Faults()
    {
        (string Name, int Value, int Most)[] sizes =
        [
            (nameof(ImageSize), ImageSize, 1 << 14), (nameof(VisionWidth), VisionWidth, MostWidth),
            (nameof(VisionHeads), VisionHeads, MostWidth), (nameof(VisionHidden), VisionHidden, 4 * MostWidth),
            (nameof(TextWidth), TextWidth, MostWidth), (nameof(TextHeads), TextHeads, MostWidth),
            (nameof(TextHidden), TextHidden, 4 * MostWidth), (nameof(TextLayers), TextLayers, MostLayers),
            (nameof(VocabularySize), VocabularySize, 1 << 24), (nameof(ContextLength), ContextLength, 1 << 16),
            (nameof(EmbedSize), EmbedSize, MostWidth),
        ];
        foreach ((string name, int value, int most) in sizes)
            if (value < 1 || value > most)
                yield return $"{name} is {value}, expected 1 to {most}";
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
        else if (Mean.ToArray().Any(value => Math.Abs(value) > 1) || Std.ToArray().Any(value => value > 1))
            yield return $"Mean {Mean} and Std {Std}: expected those of pixels from 0 to 1";
    }

    private IEnumerable<string> FaultsOfVisionTransformer()
    {
        if (PatchSize < 1 || PatchSize > ImageSize)
            yield return $"PatchSize is {PatchSize}, expected 1 to the image's {ImageSize}";
        if (VisionLayers is < 1 or > MostLayers)
            yield return $"VisionLayers is {VisionLayers}, expected 1 to {MostLayers}";
        if (PatchSize > 0 && ImageSize % PatchSize != 0)
            yield return $"ImageSize {ImageSize} is not a multiple of PatchSize {PatchSize}";
        if (VisionHeads > 0 && VisionWidth % VisionHeads != 0)
            yield return $"VisionWidth {VisionWidth} is not a multiple of VisionHeads {VisionHeads}";
    }

    private IEnumerable<string> FaultsOfResNet(StageBlocks blocks)
    {
        for (int stage = 0; stage < StageBlocks.Stages; stage++)
            if (blocks[stage] is < 1 or > MostLayers)
                yield return $"stage {stage + 1} of the ResNet has {blocks[stage]} blocks, expected 1 to {MostLayers}";
        if (ImageSize % ResNetReduction != 0)
            yield return $"ImageSize {ImageSize} is not a multiple of {ResNetReduction}, by which a ResNet divides it";
        if (VisionWidth % 2 != 0)
            yield return $"VisionWidth {VisionWidth} is odd, and a ResNet's stem begins with half of it";
        if (VisionHeads > 0 && ResNetWidth % VisionHeads != 0)
            yield return $"the {ResNetWidth} channels that the ResNet ends with are not a multiple of VisionHeads "
                + $"{VisionHeads}";
    }
}
