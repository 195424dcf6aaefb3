using Cliper.Model.Clip;
using Cliper.Model.Weights;

namespace Cliper.Model.Settings;

/// <summary>Kind of an image tower.</summary>
public enum TowerKind
{
    /// <summary>A vision transformer.</summary>
    Vit,

    /// <summary>A ResNet with attention pooling.</summary>
    ResNet,
}

/// <summary>Shape of a CLIP made from nothing; heads are 64 wide.</summary>
public sealed record ClipShape
{
    // Weights, gradients and two moments in fp32: 16 GB.
    private const long MostParameters = 1_000_000_000;

    /// <summary>Kind of the image tower.</summary>
    public TowerKind Tower { get; init; }

    /// <summary>Side of the square input, pixels; of a ResNet a multiple of 32.</summary>
    public int ImageSize { get; init; } = 48;

    /// <summary>Side of a vision transformer's patch, pixels.</summary>
    public int PatchSize { get; init; } = 8;

    /// <summary>Width of a vision transformer, or channels of a ResNet's stem, an even number.</summary>
    public int VisionWidth { get; init; } = 192;

    /// <summary>Blocks of a vision transformer.</summary>
    public int VisionLayers { get; init; } = 6;

    /// <summary>Blocks of each of a ResNet's four stages.</summary>
    public StageBlocks ResNetBlocks { get; init; } = new(2, 2, 2, 2);

    /// <summary>Width of the text tower.</summary>
    public int TextWidth { get; init; } = 128;

    /// <summary>Blocks of the text tower.</summary>
    public int TextLayers { get; init; } = 2;

    /// <summary>Longest text, tokens.</summary>
    public int ContextLength { get; init; } = 32;

    /// <summary>Size of the common feature space, D.</summary>
    public int EmbedSize { get; init; } = 128;

    /// <summary>Most entries of the vocabulary learned from the captions.</summary>
    public int VocabularySize { get; init; } = 640;

    /// <summary>The configuration of such a CLIP.</summary>
    public ClipConfig ToConfig(int vocabularySize) => new()
    {
        ImageSize = ImageSize,
        PatchSize = IsResNet ? 0 : PatchSize,
        VisionWidth = VisionWidth,
        VisionLayers = IsResNet ? 0 : VisionLayers,
        ResNetBlocks = IsResNet ? ResNetBlocks : null,
        VisionHeads = (IsResNet ? ClipConfig.ResNetExpansion : 1) * VisionWidth / ClipConfig.UsualHeadWidth,
        TextWidth = TextWidth,
        TextLayers = TextLayers,
        TextHeads = TextWidth / ClipConfig.UsualHeadWidth,
        VocabularySize = vocabularySize,
        ContextLength = ContextLength,
        EmbedSize = EmbedSize,
    };

    /// <summary>Throws on a size out of range, and on a model that is too large to be trained from nothing.</summary>
    /// <exception cref="SettingsException">Names the setting, its range and the value.</exception>
    public void Check()
    {
        (string Name, int Value, int Least, int Most)[] sizes =
        [
            ("imageSize", ImageSize, 1, 1024),
            ("visionWidth", VisionWidth, IsResNet ? 2 : ClipConfig.UsualHeadWidth, 4096),
            ("textWidth", TextWidth, ClipConfig.UsualHeadWidth, 4096), ("textLayers", TextLayers, 1, 100),
            ("contextLength", ContextLength, 3, 1024), ("embedSize", EmbedSize, 1, 4096),
            ("vocabularySize", VocabularySize, 1, 1_000_000),
            .. IsResNet ? Array.Empty<(string, int, int, int)>()
                : [("patchSize", PatchSize, 1, Math.Max(1, ImageSize)), ("visionLayers", VisionLayers, 1, 100)],
        ];
        foreach ((string name, int value, int least, int most) in sizes)
            if (value < least || value > most)
                throw new SettingsException($"shape.{name} is {value}; it must lie within {least} and {most}");
        ClipConfig config = ToConfig(VocabularySize);
        if (config.Faults().FirstOrDefault() is { } fault)
            throw new SettingsException($"shape: {fault}");
        long parameters = ClipTensors.List(config).Sum(tensor => tensor.Shape.Count);
        if (parameters > MostParameters)
            throw new SettingsException($"shape: such a CLIP has {parameters:N0} parameters, at most "
                + $"{MostParameters:N0} can be trained from nothing");
    }

    private bool IsResNet => Tower == TowerKind.ResNet;
}
