using Cliper.Autograd;
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
    private const int MostNamed = 5;

    /// <summary>A tensor that every CLIP of this program's kind has, by whose name the others are found.</summary>
    private const string Landmark = "visual.conv1.weight";

    /// <summary>Stands before the names of OpenCLIP's text tower in models with "custom_text".</summary>
    private const string CustomText = "text.";

    private readonly TensorSource _source;
    private readonly string _prefix;
    private readonly ClipNaming _naming;
    private readonly ClipStatement? _stated;
    private readonly string _textPrefix = "";
    private readonly List<string> _faults = [];

    private ClipWeightsLoader(TensorSource source, string? prefix, ClipStatement? stated)
    {
        (_source, _stated) = (source, stated);
        _prefix = prefix ?? FindPrefix(source);
        _naming = FindNaming();
        if (Names.Any(name => name.StartsWith(CustomText + ClipTensors.TextBlocks, StringComparison.Ordinal)))
            _textPrefix = CustomText;
    }

    /// <summary>Whether a file has the patches or the first convolution of a CLIP, whatever else is in it.</summary>
    public static bool HasLandmark(TensorSource source) => Enum.GetValues<ClipNaming>().Any(naming =>
        source.Tensors.Keys.Any(name => name.EndsWith(ClipTensors.Find(Landmark, naming).Names[0],
            StringComparison.Ordinal)));

    /// <summary>Weights from an open file.</summary>
    /// <param name="source">The file, which the weights take over.</param>
    /// <param name="prefix">Prefix of all names; null to find it.</param>
    /// <param name="stated">Facts that hold against those of the file; null for none.</param>
    public static ClipWeights Load(TensorSource source, string? prefix = null, ClipStatement? stated = null) =>
        new ClipWeightsLoader(source, prefix, stated).Load();

    private ClipWeights Load()
    {
        ClipConfig layers = AnyShape();
        ClipConfig? shape = layers.IsResNet ? ShapeOfResNet(layers) : ShapeOfVisionTransformer(layers);
        // Without a usable shape the names alone are compared; those of any shape will do.
        Compare(shape ?? layers, checkShapes: shape is not null);
        if (_faults.Count > 0 || shape is null)
            throw new InputException($"{_source.Path}: {UnknownTowers.Describe([.. Names])
                ?? $"not the weights of a CLIP of this program's kind ({_naming} naming{(_prefix.Length == 0 ? ""
                    : $" after {ForeignText.Quote(_prefix)}")}): {string.Join("; ", _faults)}; check that this is the "
                    + "file that is meant, or get it anew"}");
        ClipFacts stated = (_stated ?? new ClipStatement()).ToFacts();
        var facts = new ClipFactsFinder(_source, _prefix, _naming, shape, stated);
        ClipConfig config = facts.Find();
        string[] impossible = [.. config.Faults()];
        if (impossible.Length > 0)
            throw new InputException($"{_source.Path}: {string.Join("; ", impossible)}; correct what is stated in the "
                + "configuration, in the metadata or by the user");
        return new ClipWeights(config, _naming, Reader, _source)
        {
            Warnings = facts.Warnings,
            Assumed = facts.Assumed,
        };
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
        if (UnknownTowers.Describe([.. _source.Tensors.Keys]) is { } known)
            throw new InputException($"{_source.Path}: no CLIP weights: {known}");
        string found = _source.Tensors.Count == 0 ? "no tensors at all"
            : string.Join(", ", _source.Tensors.Keys.Take(3).Select(ForeignText.Quote));
        throw new InputException($"{_source.Path}: no CLIP weights: expected names such as visual.conv1.weight "
            + $"(OpenAI) or vision_model.embeddings.patch_embedding.weight (Hugging Face), found {found}; "
            + "check that this is the file that is meant");
    }

    /// <summary>Where a tensor of OpenAI's naming is in the file, after the prefix.</summary>
    private ClipTensors.Place Place(string name)
    {
        ClipTensors.Place place = ClipTensors.Find(name, _naming);
        return _textPrefix.Length == 0 || ClipModel.IsVision(name) || name == "logit_scale" ? place
            : place with { Names = [.. place.Names.Select(part => _textPrefix + part)] };
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

    private ClipConfig? ShapeOfVisionTransformer(ClipConfig layers)
    {
        int[]? conv = Sizes("visual.conv1.weight", 4), patches = Sizes("visual.positional_embedding", 2),
            projection = Sizes("visual.proj", 2);
        ClipConfig? text = ShapeOfText(layers);
        if (conv is null || patches is null || projection is null || text is null
            || Grid("visual.positional_embedding", patches[0], conv[2], "patches") is not { } grid)
            return null;
        return text with
        {
            ImageSize = grid * conv[2],
            PatchSize = conv[2],
            VisionWidth = conv[0],
            VisionMlpWidth = MlpWidth(ClipTensors.VisionBlocks, conv[0]),
            EmbedSize = projection[1],
        };
    }

    private ClipConfig? ShapeOfResNet(ClipConfig layers)
    {
        int[]? conv = Sizes("visual.conv3.weight", 4), pixels = Sizes(ResNetTensors.Landmark, 2),
            projection = Sizes("text_projection", 2);
        ClipConfig? text = ShapeOfText(layers);
        // The widths of the last stage are 32 times the stem's.
        if (conv is null || pixels is null || projection is null || text is null
            || conv[0] > int.MaxValue / 4 / ClipConfig.ResNetExpansion
            || Grid(ResNetTensors.Landmark, pixels[0], ClipConfig.ResNetReduction, "pixels") is not { } grid)
            return null;
        return text with
        {
            ImageSize = grid * ClipConfig.ResNetReduction,
            VisionWidth = conv[0],
            EmbedSize = projection[1],
        };
    }

    private ClipConfig? ShapeOfText(ClipConfig layers) =>
        Sizes("token_embedding.weight", 2) is { } tokens && Sizes("positional_embedding", 2) is { } positions
            ? layers with
            {
                TextWidth = tokens[1],
                TextMlpWidth = MlpWidth(ClipTensors.TextBlocks, tokens[1]),
                VocabularySize = tokens[0],
                ContextLength = positions[0],
            }
            : null;

    /// <summary>Width of the hidden layer of a tower's first block; null where it is the usual one.</summary>
    private int? MlpWidth(string blocks, int width) =>
        Sizes($"{blocks}0.mlp.c_fc.weight", 2) is { } sizes && sizes[1] == width && sizes[0] != 4 * width
            ? sizes[0] : null;

    /// <summary>Patches or pixels along a side, from the rows of a table that has one row more; null, which is a
    /// fault, where they make no square.</summary>
    private int? Grid(string name, int rows, int pixelsEach, string what)
    {
        int grid = (int)Math.Round(Math.Sqrt(rows - 1));
        if (grid >= 1 && grid == Math.Sqrt(rows - 1) && (long)grid * pixelsEach <= int.MaxValue)
            return grid;
        _faults.Add($"{name} has {rows} rows, expected 1 more than a square number of {what}");
        return null;
    }

    /// <summary>The file's kind of model and its numbers of blocks, every size the least.</summary>
    private ClipConfig AnyShape()
    {
        bool isResNet = Names.Contains(ResNetTensors.Landmark);
        int[] stages = [.. Enumerable.Range(0, StageBlocks.Stages).Select(stage =>
            Layers(ResNetTensors.StagePrefix(stage)))];
        return new ClipConfig
        {
            ImageSize = isResNet ? ClipConfig.ResNetReduction : 1,
            PatchSize = isResNet ? 0 : 1,
            VisionWidth = isResNet ? 2 : 1,
            VisionLayers = isResNet ? 0 : Layers(ClipTensors.BlockPrefixes(_naming).Vision),
            ResNetBlocks = isResNet ? new StageBlocks(stages[0], stages[1], stages[2], stages[3]) : null,
            VisionHeads = 1,
            TextWidth = 1,
            TextLayers = Layers(_textPrefix + ClipTensors.BlockPrefixes(_naming).Text),
            TextHeads = 1,
            VocabularySize = 1,
            EmbedSize = 1,
        };
    }

    /// <summary>The sizes of a tensor in OpenAI's layout; null if it is missing or has other axes, which is a
    /// fault.</summary>
    private int[]? Sizes(string name, int axes)
    {
        // A missing tensor is listed by Compare. A quarter of the range leaves room for the factors 3 and 4 of the
        // blocks.
        (string[] places, bool transposed) = Place(name);
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
            (string[] places, bool transposed) = Place(name);
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
                else if (checkShapes && (!IsShape(entry.Shape, sizes) || !TensorSource.IsFloating(entry.Type)))
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

    // A scalar is stored with no axis or with one, by the version of OpenCLIP.
    private static bool IsShape(IReadOnlyList<long> found, int[] sizes) =>
        found.SequenceEqual(sizes.Select(size => (long)size)) || (sizes.Length == 0 && found is [1]);

    private void AddFault(string what, List<string> names)
    {
        if (names.Count == 0)
            return;
        string more = names.Count > MostNamed ? $", and {names.Count - MostNamed} more" : "";
        _faults.Add($"{what} ({names.Count}): {string.Join(", ", names.Take(MostNamed))}{more}");
    }

    private Action<Span<float>> Reader(string name)
    {
        (string[] places, bool transposed) = Place(name);
        places = [.. places.Select(place => _prefix + place)];
        TensorSource source = _source;
        if (transposed)
        {
            IReadOnlyList<long> shape = source.Entry(places[0]).Shape;
            int rows = (int)shape[0], columns = (int)shape[1];
            return target => ClipWeights.Transpose(source.ReadFiniteFloats(places[0]), rows, columns).CopyTo(target);
        }
        return target =>
        {
            int part = target.Length / places.Length;
            for (int place = 0; place < places.Length; place++)
                source.ReadFiniteFloats(places[place], target.Slice(place * part, part));
        };
    }
}
