using Cliper.Kernels.Operations;
using Cliper.Model.Clip;

namespace Cliper.Model.Weights;

/// <summary>
/// The published towers by their shapes, which tell the heads that tensors do not: OpenAI's (arXiv 2103.00020, table
/// 20), and OpenCLIP's, in which LAION, DataComp, MetaCLIP and DFN published theirs.
/// </summary>
internal static class Architectures
{
    private sealed record VisionShape(string Name, int Width, int Layers, int Hidden, int Heads,
        bool IsOpenAIs = false);

    private static readonly VisionShape[] Vision =
    [
        new("ViT-S", 384, 12, 1536, 6), new("ViT-M", 512, 12, 2048, 8),
        new("ViT-B", 768, 12, 3072, 12, IsOpenAIs: true), new("ViT-B-plus", 896, 12, 3584, 14),
        new("ViT-L", 1024, 24, 4096, 16, IsOpenAIs: true), new("ViT-H", 1280, 32, 5120, 16),
        new("ViT-g", 1408, 40, 6144, 16), new("ViT-bigG", 1664, 48, 8192, 16), new("ViT-e", 1792, 56, 15360, 16),
    ];

    private static readonly (int Width, int Layers, int Heads)[] Text =
    [
        (384, 12, 6), (512, 12, 8), (640, 12, 10), (768, 12, 12), (896, 12, 14), (1024, 12, 16), (1024, 24, 16),
        (1280, 32, 20), (1280, 36, 20),
    ];

    /// <summary>ResNets by the channels of their stem, their blocks and their images' sides.</summary>
    private static readonly (string Name, int Width, StageBlocks Blocks, int Side)[] ResNets =
    [
        ("RN50", 64, new(3, 4, 6, 3), 224), ("RN101", 64, new(3, 4, 23, 3), 224), ("RN50x4", 80, new(4, 6, 10, 6), 288),
        ("RN50x16", 96, new(6, 8, 18, 8), 384), ("RN50x64", 128, new(3, 15, 36, 10), 448),
    ];

    /// <summary>Name of a vision tower's size, such as "ViT-B"; null for one of no published shape.</summary>
    public static string? NameOf(ClipConfig shape) => shape.ResNetBlocks is { } blocks
        ? ResNets.FirstOrDefault(entry => (entry.Width, entry.Blocks, entry.Side)
            == (shape.VisionWidth, blocks, shape.ImageSize)).Name
        : Find(shape)?.Name;

    /// <summary>Heads of a published image tower; null for another.</summary>
    public static int? VisionHeads(ClipConfig shape) => !shape.IsResNet ? Find(shape)?.Heads
        : NameOf(shape) is null ? null : shape.ResNetWidth / ClipConfig.UsualHeadWidth;

    /// <summary>Heads of a published text tower; null for another.</summary>
    public static int? TextHeads(ClipConfig shape)
    {
        foreach ((int width, int layers, int heads) in Text)
            if ((width, layers, 4 * width) == (shape.TextWidth, shape.TextLayers, shape.TextHidden))
                return heads;
        return null;
    }

    /// <summary>The activation that is assumed where nothing states it: GELU, OpenCLIP's, for sizes that OpenAI has not
    /// published, else QuickGELU.</summary>
    public static Activation UsualActivation(ClipConfig shape) =>
        !shape.IsResNet && Find(shape) is { IsOpenAIs: false } ? Activation.Gelu : Activation.QuickGelu;

    private static VisionShape? Find(ClipConfig shape) => Vision.FirstOrDefault(entry =>
        (entry.Width, entry.Layers, entry.Hidden) == (shape.VisionWidth, shape.VisionLayers, shape.VisionHidden));
}
