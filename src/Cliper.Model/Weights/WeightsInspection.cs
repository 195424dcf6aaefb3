using Cliper.Model.Clip;

namespace Cliper.Model.Weights;

/// <summary>Description of a file of tensors, whether a CLIP or not.</summary>
public sealed record WeightsInspection
{
    private WeightsInspection(TensorSource source)
    {
        Path = source.Path;
        Format = source.Format;
        Tensors = [.. source.Tensors.Values];
        Metadata = source.Metadata;
        Values = source.Values;
    }

    /// <summary>The file that was opened: of a folder or a name in the cache, where it was found.</summary>
    public string Path { get; }

    /// <summary>Kind of the file.</summary>
    public string Format { get; }

    /// <summary>Its tensors, in its order.</summary>
    public IReadOnlyList<TensorEntry> Tensors { get; }

    /// <summary>Its free-form metadata.</summary>
    public IReadOnlyDictionary<string, string> Metadata { get; }

    /// <summary>See <see cref="TensorSource.Values"/>.</summary>
    public IReadOnlyDictionary<string, string> Values { get; }

    /// <summary>The CLIP in it; null if there is none.</summary>
    public ClipConfig? Clip { get; private init; }

    /// <summary>Whose names it uses, if it is a CLIP.</summary>
    public ClipNaming? Naming { get; private init; }

    /// <summary>Why it is no CLIP of this program's kind; null if it is.</summary>
    public string? NotClip { get; private init; }

    /// <summary>Facts on the CLIP that were assumed because nothing states them, a sentence each.</summary>
    public IReadOnlyList<string> Warnings { get; private init; } = [];

    /// <summary>Parameters of the CLIP alone; null if it is none.</summary>
    public long? ClipParameters { get; private init; }

    /// <summary>Elements of all floating-point tensors.</summary>
    public long Parameters => Tensors.Where(tensor => TensorSource.IsFloating(tensor.Type)).Sum(tensor => tensor.Count);

    /// <summary>Bytes of all tensors; a storage that several share counts for each.</summary>
    public long Bytes => Tensors.Sum(tensor => tensor.Bytes);

    /// <summary>Looks at a file in any form that <see cref="TensorSource.Open"/> knows. Only its header is
    /// read.</summary>
    /// <param name="path">The file or folder, or a name in the local cache.</param>
    /// <param name="stated">Facts that hold against those of the file; null for none.</param>
    /// <exception cref="InputException">It cannot be read.</exception>
    /// <exception cref="SettingsException">A stated text is no fact.</exception>
    public static WeightsInspection Of(string path, ClipStatement? stated = null)
    {
        using TensorSource source = TensorSource.Open(path);
        var inspection = new WeightsInspection(source);
        try
        {
            using ClipWeights weights = ClipWeightsLoader.Load(source, stated: stated);
            return inspection with
            {
                Clip = weights.Config,
                Naming = weights.Naming,
                Warnings = weights.Warnings,
                ClipParameters = weights.Names.Sum(name => (long)weights.ShapeOf(name).Count),
            };
        }
        catch (InputException reason)
        {
            return inspection with { NotClip = reason.Message };
        }
    }

    /// <summary>The name of a CLIP's architecture, as in "CLIP ViT-B/16" or "CLIP RN50" or, of no published width,
    /// "CLIP ViT 64x2/4, 12 pixels" or "CLIP ResNet 32x2-2-2-2, 64 pixels".</summary>
    public static string NameOf(ClipConfig config)
    {
        string? name = Architectures.NameOf(config);
        if (config.ResNetBlocks is { } blocks)
            return $"CLIP {name ?? $"ResNet {config.VisionWidth}x{blocks}, {config.ImageSize} pixels"}";
        const int UsualPixels = 224;
        return $"CLIP {name ?? $"ViT {config.VisionWidth}x{config.VisionLayers}"}/{config.PatchSize}"
            + (config.ImageSize == UsualPixels ? "" : $", {config.ImageSize} pixels");
    }
}
