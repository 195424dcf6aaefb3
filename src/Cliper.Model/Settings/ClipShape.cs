using Cliper.Model.Clip;

namespace Cliper.Model.Settings;

/// <summary>Shape of a CLIP made from nothing; heads are 64 wide.</summary>
public sealed record ClipShape
{
    /// <summary>Side of the square input, pixels.</summary>
    public int ImageSize { get; init; } = 48;

    /// <summary>Side of a patch, pixels.</summary>
    public int PatchSize { get; init; } = 8;

    /// <summary>Width of the image tower.</summary>
    public int VisionWidth { get; init; } = 192;

    /// <summary>Blocks of the image tower.</summary>
    public int VisionLayers { get; init; } = 6;

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
        PatchSize = PatchSize,
        VisionWidth = VisionWidth,
        VisionLayers = VisionLayers,
        VisionHeads = VisionWidth / ClipConfig.UsualHeadWidth,
        TextWidth = TextWidth,
        TextLayers = TextLayers,
        TextHeads = TextWidth / ClipConfig.UsualHeadWidth,
        VocabularySize = vocabularySize,
        ContextLength = ContextLength,
        EmbedSize = EmbedSize,
    };
}
