using System.Globalization;
using Cliper.Autograd;
using Cliper.Kernels.Operations;
using Cliper.Model.Clip;
using Cliper.Model.IO;

namespace Cliper.Model.Weights;

/// <summary>
/// Makes <see cref="ClipWeights"/> of a file: finds the naming and what stands before all names (as in
/// "state_dict.module."), takes the model's shape from a few tensors, then compares every tensor with what that model
/// has, so that one error can list all that is wrong.
/// </summary>
internal sealed class ClipWeightsLoader
{
    private const int MostNamed = 500;

    /// <summary>A tensor that every CLIP of this program's kind has, by whose name the others are found.</summary>
    private const string Landmark = "visual.conv1.weight";

    private readonly TensorSource _source;
    private readonly string _prefix;
    private readonly ClipNaming _naming;
    private readonly List<string> _faults = [];

    private ClipWeightsLoader(TensorSource source, string? prefix)
    {
        _source = source;
        _prefix = prefix ?? FindPrefix(source);
        _naming = FindNaming();
    }

    /// <summary>Weights from an open file.</summary>
    /// <param name="source">The file, which the weights take over.</param>
    /// <param name="prefix">Prefix of all names; null to find it.</param>
    public static ClipWeights Load(TensorSource source, string? prefix = null) =>
        new ClipWeightsLoader(source, prefix).Load();

    private ClipWeights Load()
    {
        int visionLayers = Layers(ClipTensors.BlockPrefixes(_naming).Vision);
        int textLayers = Layers(ClipTensors.BlockPrefixes(_naming).Text);
        ClipConfig? shape = ShapeFromTensors(visionLayers, textLayers);
        // Without a usable shape the names alone are compared; those of any shape will do.
        Compare(shape ?? AnyShape(visionLayers, textLayers), checkShapes: shape is not null);
        if (_faults.Count > 0 || shape is null)
            throw new InputException($"{_source.Path}: not the weights of a CLIP of this program's kind ({_naming} "
                + $"naming{(_prefix.Length == 0 ? "" : $" after {ForeignText.Quote(_prefix)}")}): "
                + $"{string.Join("; ", _faults)}; check that this is the file that is meant, or get it anew");

        ClipFacts facts = new();
        if (HuggingFaceConfig.FolderOf(_source.Path, _naming) is { } folder)
            facts = HuggingFaceConfig.Read(folder, shape);
        facts = facts.Join(ClipMetadata.Read(_source), _source.Path).Join(HeadsOfModules(), _source.Path);
        ClipConfig config = shape with
        {
            VisionHeads = facts.VisionHeads ?? UsualHeads(shape.VisionWidth, "image"),
            TextHeads = facts.TextHeads ?? UsualHeads(shape.TextWidth, "text"),
            Activation = facts.Activation ?? Activation.QuickGelu,
            LayerNormEpsilon = facts.LayerNormEpsilon ?? LayerNorm.DefaultEpsilon,
            Mean = facts.Mean ?? ClipConfig.ClipMean,
            Std = facts.Std ?? ClipConfig.ClipStd,
        };
        string[] impossible = [.. config.Faults()];
        if (impossible.Length > 0)
            throw new InputException($"{_source.Path}: {string.Join("; ", impossible)}; correct config.json or the "
                + "metadata");
        return new ClipWeights(config, _naming, Reader, _source);
    }

    /// <summary>Checkpoints of a training put other names before those of the model; the landmark ends in its
    /// own.</summary>
    private static string FindPrefix(TensorSource source)
    {
        var prefixes = new SortedSet<string>(StringComparer.Ordinal);
        foreach (ClipNaming naming in Enum.GetValues<ClipNaming>())
        {
            string landmark = ClipTensors.Find(Landmark, naming).Names[0];
            foreach (string name in source.Tensors.Keys)
                if (name.EndsWith(landmark, StringComparison.Ordinal)
                    && (name.Length == landmark.Length || name[^(landmark.Length + 1)] == '.'))
                    prefixes.Add(name[..^landmark.Length]);
        }
        return prefixes.Count <= 1 ? prefixes.FirstOrDefault("")
            : throw new InputException($"{source.Path}: holds {prefixes.Count} CLIPs, whose names begin with "
                + $"{string.Join(", ", prefixes.Take(5).Select(ForeignText.Quote))}")
            { Remedy = Remedy.ExtractOneClip };
    }

    /// <summary>The names after the prefix.</summary>
    private IEnumerable<string> Names => _source.Tensors.Keys
        .Where(name => name.StartsWith(_prefix, StringComparison.Ordinal)).Select(name => name[_prefix.Length..]);

    private ClipNaming FindNaming()
    {
        if (Names.Any(name => name.StartsWith("vision_model.", StringComparison.Ordinal)
            || name.StartsWith("text_model.", StringComparison.Ordinal)))
            return ClipNaming.HuggingFace;
        if (Names.Any(name => name.StartsWith("visual.", StringComparison.Ordinal)
            || name.StartsWith(ClipTensors.TextBlocks, StringComparison.Ordinal)))
            return ClipNaming.OpenAI;
        string found = _source.Tensors.Count == 0 ? "no tensors at all"
            : string.Join(", ", _source.Tensors.Keys.Take(3).Select(ForeignText.Quote));
        throw new InputException($"{_source.Path}: no CLIP weights: expected names such as visual.conv1.weight "
            + $"(OpenAI) or vision_model.embeddings.patch_embedding.weight (Hugging Face), found {found}; "
            + "check that this is the file that is meant");
    }

    // Different numbers are counted, not the largest taken: "resblocks.2000000000." must not make a list of that
    // length.
    private int Layers(string prefix)
    {
        var layers = new HashSet<string>();
        foreach (string name in Names)
            if (name.StartsWith(prefix, StringComparison.Ordinal)
                && name.IndexOf('.', prefix.Length) is var dot and > 0)
                layers.Add(name[prefix.Length..dot]);
        return layers.Count;
    }

    private ClipConfig? ShapeFromTensors(int visionLayers, int textLayers)
    {
        int[]? conv = Sizes("visual.conv1.weight", 4), patches = Sizes("visual.positional_embedding", 2),
            projection = Sizes("visual.proj", 2), tokens = Sizes("token_embedding.weight", 2),
            positions = Sizes("positional_embedding", 2);
        if (conv is null || patches is null || projection is null || tokens is null || positions is null)
            return null;
        int grid = (int)Math.Round(Math.Sqrt(patches[0] - 1));
        if (grid < 1 || grid != Math.Sqrt(patches[0] - 1) || (long)grid * conv[2] > int.MaxValue)
        {
            _faults.Add($"visual.positional_embedding has {patches[0]} rows, expected 1 more than a square number of "
                + "patches");
            return null;
        }
        return new ClipConfig
        {
            ImageSize = grid * conv[2],
            PatchSize = conv[2],
            VisionWidth = conv[0],
            VisionLayers = visionLayers,
            VisionHeads = 1,
            TextWidth = tokens[1],
            TextLayers = textLayers,
            TextHeads = 1,
            VocabularySize = tokens[0],
            ContextLength = positions[0],
            EmbedSize = projection[1],
        };
    }

    private static ClipConfig AnyShape(int visionLayers, int textLayers) => new()
    {
        ImageSize = 1,
        PatchSize = 1,
        VisionWidth = 1,
        VisionLayers = visionLayers,
        VisionHeads = 1,
        TextWidth = 1,
        TextLayers = textLayers,
        TextHeads = 1,
        VocabularySize = 1,
        EmbedSize = 1,
    };

    /// <summary>The sizes of a tensor in OpenAI's layout; null if it is missing or has other axes, which is a
    /// fault.</summary>
    private int[]? Sizes(string name, int axes)
    {
        // A missing tensor is listed by Compare. A quarter of the range leaves room for the factors 3 and 4 of the
        // blocks.
        (string[] places, bool transposed) = ClipTensors.Find(name, _naming);
        if (!_source.Tensors.TryGetValue(_prefix + places[0], out TensorEntry? entry))
            return null;
        if (entry.Shape.Count != axes || entry.Shape.Any(size => size is < 1 or > int.MaxValue / 4))
        {
            _faults.Add($"{places[0]} is {entry}, expected {axes} axes");
            return null;
        }
        int[] sizes = [.. entry.Shape.Select(size => (int)size)];
        if (transposed)
            Array.Reverse(sizes);
        return sizes;
    }

    private void Compare(ClipConfig config, bool checkShapes)
    {
        List<string> missing = [], unexpected = [], misshapen = [];
        var expected = new HashSet<string>();
        foreach ((string name, Shape shape) in ClipTensors.List(config))
        {
            (string[] places, bool transposed) = ClipTensors.Find(name, _naming);
            int[] sizes = shape.ToArray();
            if (transposed)
                Array.Reverse(sizes);
            if (places.Length > 1)
                sizes[0] /= places.Length;
            foreach (string place in places)
            {
                expected.Add(place);
                if (!_source.Tensors.TryGetValue(_prefix + place, out TensorEntry? entry))
                    missing.Add(place);
                else if (checkShapes && (!entry.Shape.SequenceEqual(sizes.Select(size => (long)size))
                    || !TensorSource.IsFloating(entry.Type)))
                    misshapen.Add($"{place} (expected {new Shape(sizes)}, found {entry})");
            }
        }
        foreach (string name in Names)
            if (!expected.Contains(name) && !ClipTensors.IsRedundant(name))
                unexpected.Add(ForeignText.Quote(name));
        AddFault("missing", missing);
        AddFault("unexpected", unexpected);
        AddFault("of another shape or type", misshapen);
    }

    private void AddFault(string what, List<string> names)
    {
        if (names.Count == 0)
            return;
        string more = names.Count > MostNamed ? $", and {names.Count - MostNamed} more" : "";
        _faults.Add($"{what} ({names.Count}): {string.Join(", ", names.Take(MostNamed))}{more}");
    }

    /// <summary>The heads that the modules of OpenAI's archives say they have.</summary>
    private ClipFacts HeadsOfModules() => new()
    {
        VisionHeads = HeadsOfModules(ClipTensors.VisionBlocks),
        TextHeads = HeadsOfModules(ClipTensors.TextBlocks),
    };

    private int? HeadsOfModules(string blocks)
    {
        string[] heads = [.. _source.Values
            .Where(value => value.Key.StartsWith(_prefix + blocks, StringComparison.Ordinal)
            && value.Key.EndsWith(".attn.num_heads", StringComparison.Ordinal))
                .Select(value => value.Value).Distinct()];
        return heads.Length == 0 ? null
            : heads.Length == 1 && int.TryParse(heads[0], NumberStyles.None, CultureInfo.InvariantCulture,
                out int number)
            ? number
            : throw new InputException(
                $"{_source.Path}: {_prefix}{blocks}*.attn.num_heads: expected the same whole number in "
                + $"every block, found {string.Join(", ", heads.Take(5).Select(ForeignText.Quote))}; get the file "
                + "anew");
    }

    private int UsualHeads(int width, string tower) => width % ClipConfig.UsualHeadWidth == 0
        ? width / ClipConfig.UsualHeadWidth
        : throw new InputException($"{_source.Path}: the {tower} tower's width {width} is not a multiple of "
            + $"{ClipConfig.UsualHeadWidth}, so that the number of heads has to be stated: in config.json "
            + "(num_attention_heads), or in the file's metadata as \"heads\": \"image,text\"");

    private Action<Span<float>> Reader(string name)
    {
        (string[] places, bool transposed) = ClipTensors.Find(name, _naming);
        places = [.. places.Select(place => _prefix + place)];
        TensorSource source = _source;
        if (transposed)
        {
            IReadOnlyList<long> shape = source.Entry(places[0]).Shape;
            int rows = (int)shape[0], columns = (int)shape[1];
            return target => ClipWeights.Transpose(source.ReadFloats(places[0]), rows, columns).CopyTo(target);
        }
        return target =>
        {
            int part = target.Length / places.Length;
            for (int place = 0; place < places.Length; place++)
                source.ReadFloats(places[place], target.Slice(place * part, part));
        };
    }
}
