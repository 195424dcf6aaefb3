using Cliper.Model.Clip;

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

    private bool IsResNet => Tower == TowerKind.ResNet;
}
