using System.Globalization;
using Cliper.Kernels.Operations;
using Cliper.Model.Clip;
using Cliper.Model.IO;

namespace Cliper.Model.Weights;

/// <summary>
/// Finds what the tensors of a CLIP do not tell, in the order in which it holds: what the user states; the file's own
/// metadata or modules, and the configuration beside it, which must agree; the published shapes; and last an
/// assumption, which is told.
/// </summary>
/// <param name="source">The file.</param>
/// <param name="prefix">Prefix of all names.</param>
/// <param name="naming">Whose names it uses.</param>
/// <param name="shape">The shape of its tensors.</param>
/// <param name="stated">Facts that the user states.</param>
internal sealed class ClipFactsFinder(TensorSource source, string prefix, ClipNaming naming, ClipConfig shape,
    ClipFacts stated)
{
    // OpenAI's archives hold it beside the weights, and nobody else's files do.
    private const string OpenAIsMark = "input_resolution";

    private readonly string _folder = Path.GetDirectoryName(Path.GetFullPath(source.Path))!;
    private readonly List<string> _warnings = [];
    private readonly List<string> _assumptions = [];

    private readonly HashSet<string> _assumed = [];

    /// <summary>A sentence for each assumption that was made, and each place that was not followed.</summary>
    public IReadOnlyList<string> Warnings => _warnings;

    /// <summary>Keys of the metadata that nothing states, and that metadata which is written must not state
    /// either.</summary>
    public IReadOnlySet<string> Assumed => _assumed;

    /// <summary>The whole configuration.</summary>
    /// <exception cref="InputException">Two places contradict each other, one is damaged or describes a model of
    /// another kind, or nothing tells the heads.</exception>
    public ClipConfig Find()
    {
        ClipFacts own = ClipMetadata.Read(source);
        ClipFacts beside = Beside(own);
        ClipFacts found = beside.Without(stated).Join(own.Without(stated), source.Path)
            .Join(HeadsOfModules().Without(stated), source.Path);
        if (IsOpenAIs())
            found = found.Or(new ClipFacts
            {
                Activation = Activation.QuickGelu,
                Mean = ClipConfig.ClipMean,
                Std = ClipConfig.ClipStd,
            });
        ClipConfig config = Complete(stated.Or(found));
        if (_assumptions.Count > 0)
            _warnings.Insert(0, $"{source.Path}: neither the file nor a configuration beside it states all of the "
                + $"model; assumed: {string.Join(", ", _assumptions)}");
        return config;
    }

    private bool IsOpenAIs() => source.Format == PyTorchCheckpoint.TorchScriptFormat
        || source.Tensors.Keys.Any(name => name == OpenAIsMark
            || name.EndsWith("." + OpenAIsMark, StringComparison.Ordinal));

    private ClipFacts Beside(ClipFacts own)
    {
        string openClip = OpenClipConfig.PathIn(_folder);
        bool hasOpenClip = File.Exists(openClip);
        if (naming == ClipNaming.HuggingFace)
        {
            ClipFacts facts = HuggingFaceConfig.Read(_folder, shape, _warnings);
            return hasOpenClip && !facts.Or(own).Or(stated).IsComplete ? facts.Or(Neighbors(openClip,
                () => OpenClipConfig.Read(openClip, shape, _warnings))) : facts;
        }
        if (IsOpenAIs() || own.IsComplete)
            return new();
        Func<ClipFacts> openClips = () => OpenClipConfig.Read(openClip, shape, _warnings),
            huggingFaces = () => HuggingFaceConfig.Read(_folder, shape, _warnings);
        (string path, Func<ClipFacts> read) = hasOpenClip ? (openClip, openClips)
            : (HuggingFaceConfig.PathIn(_folder), HuggingFaceConfig.IsOfClip(_folder) ? huggingFaces : () => new());
        return source.IsModelOfFolder ? read() : Neighbors(path, read);
    }

    /// <summary>Facts of a configuration that lies beside the file and may be another model's.</summary>
    private ClipFacts Neighbors(string path, Func<ClipFacts> read)
    {
        int before = _warnings.Count;
        try
        {
            return read();
        }
        catch (InputException failure)
        {
            _warnings.RemoveRange(before, _warnings.Count - before);
            _warnings.Add($"{path} is not that of {source.Path} and is not followed: {failure.Message}");
            return new();
        }
    }

    private ClipConfig Complete(ClipFacts facts)
    {
        if (facts.VisionHeads is null)
            facts = facts with
            {
                VisionHeads = Architectures.VisionHeads(shape)
                    ?? AssumeHeads(shape.IsResNet ? shape.ResNetWidth : shape.VisionWidth, "image"),
            };
        if (facts.TextHeads is null)
            facts = facts with { TextHeads = Architectures.TextHeads(shape) ?? AssumeHeads(shape.TextWidth, "text") };
        return shape with
        {
            VisionHeads = facts.VisionHeads.Value,
            TextHeads = facts.TextHeads.Value,
            Activation = facts.Activation ?? Assume(ClipMetadata.ActivationKey,
                Architectures.UsualActivation(shape), "the activation"),
            LayerNormEpsilon = facts.LayerNormEpsilon ?? LayerNorm.DefaultEpsilon,
            Mean = facts.Mean ?? Assume(ClipMetadata.MeanKey, ClipConfig.ClipMean, "OpenAI's mean"),
            Std = facts.Std ?? Assume(ClipMetadata.StdKey, ClipConfig.ClipStd, "OpenAI's standard deviation"),
        };
    }

    private T Assume<T>(string key, T value, string what)
    {
        _assumed.Add(key);
        _assumptions.Add(value is Activation ? $"{what} {value}" : what);
        return value;
    }

    private int AssumeHeads(int width, string tower)
    {
        if (width % ClipConfig.UsualHeadWidth != 0)
            throw new InputException($"{source.Path}: the {tower} tower's width {width} is not a multiple of "
                + $"{ClipConfig.UsualHeadWidth}, so that the number of heads has to be stated: in config.json "
                + "(num_attention_heads), in open_clip_config.json (head_width), or in the file's metadata as "
                + "\"heads\": \"image,text\"")
            { Remedy = Remedy.StateFacts };
        int heads = width / ClipConfig.UsualHeadWidth;
        _assumed.Add(tower == "image" ? ClipMetadata.VisionHeadsKey : ClipMetadata.TextHeadsKey);
        _assumptions.Add($"{heads} heads of {ClipConfig.UsualHeadWidth} in the {tower} tower");
        return heads;
    }

    /// <summary>The heads that the modules of OpenAI's archives say they have.</summary>
    private ClipFacts HeadsOfModules() => new()
    {
        VisionHeads = HeadsOfModules(ClipTensors.VisionBlocks, ".attn.num_heads")
            ?? HeadsOfModules(ResNetTensors.Pooling, "attnpool.num_heads"),
        TextHeads = HeadsOfModules(ClipTensors.TextBlocks, ".attn.num_heads"),
    };

    private int? HeadsOfModules(string blocks, string ending)
    {
        string[] heads = [.. source.Values
            .Where(value => value.Key.StartsWith(prefix + blocks, StringComparison.Ordinal)
            && value.Key.EndsWith(ending, StringComparison.Ordinal))
                .Select(value => value.Value).Distinct()];
        return heads.Length == 0 ? null
            : heads.Length == 1 && int.TryParse(heads[0], NumberStyles.None, CultureInfo.InvariantCulture,
                out int number)
            ? number
            : throw new InputException(
                $"{source.Path}: {prefix}{blocks}*{ending}: expected the same whole number in "
                + $"every block, found {string.Join(", ", heads.Take(5).Select(ForeignText.Quote))}; get the file "
                + "anew");
    }
}
