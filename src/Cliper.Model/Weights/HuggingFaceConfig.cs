using System.Text.Json;
using Cliper.Kernels.Operations;
using Cliper.Model.Clip;
using Cliper.Model.IO;

namespace Cliper.Model.Weights;

/// <summary>config.json and the preprocessor's configuration of a model in Hugging Face's layout.</summary>
internal static class HuggingFaceConfig
{
    private const string FileName = "config.json", PreprocessorFileName = "preprocessor_config.json";

    /// <summary>The file that newer programs write in place of <see cref="PreprocessorFileName"/>.</summary>
    private const string ProcessorFileName = "processor_config.json";

    private const long LongestFile = 16_000_000;

    /// <summary>Keys of which a CLIP's configuration has one, old or new, even without model_type.</summary>
    private static readonly string[] TowerKeys =
        ["vision_config", "text_config", "vision_config_dict", "text_config_dict"];

    /// <summary>Path of the model's configuration in a folder; it need not exist.</summary>
    public static string PathIn(string folder) => Path.Combine(folder, FileName);

    /// <summary>Whether a folder has a config.json that says it is a CLIP's. Other programs, this one too, have files
    /// of that name.</summary>
    public static bool IsOfClip(string folder)
    {
        string path = PathIn(folder);
        if (!File.Exists(path))
            return false;
        try
        {
            using JsonDocument document = JsonInput.Read(path, LongestFile);
            return document.RootElement.ValueKind == JsonValueKind.Object
                && document.RootElement.TryGetProperty("model_type", out JsonElement type)
                && type.ValueKind == JsonValueKind.String && type.GetString() == "clip";
        }
        catch (InputException)
        {
            return false;
        }
    }

    /// <summary>Reads the facts that the folder's files state beyond the shapes. A config.json that neither says its
    /// kind nor describes a tower is not a model's, and is ignored.</summary>
    /// <param name="folder">The folder.</param>
    /// <param name="shape">The model's shape as its tensors have it; heads are not used.</param>
    /// <param name="warnings">Receives steps of the preprocessing that this program takes otherwise.</param>
    /// <exception cref="InputException">A file is damaged, of another kind of model, or contradicts the
    /// tensors.</exception>
    public static ClipFacts Read(string folder, ClipConfig shape, ICollection<string> warnings)
    {
        ClipFacts facts = new();
        string path = PathIn(folder);
        if (File.Exists(path))
            facts = ReadModel(path, shape);
        path = Path.Combine(folder, PreprocessorFileName);
        if (File.Exists(path))
        {
            using JsonDocument document = JsonInput.Read(path, LongestFile);
            return ReadPreprocessor(new JsonSection(path, "", document.RootElement), shape, facts, warnings);
        }
        path = Path.Combine(folder, ProcessorFileName);
        if (!File.Exists(path))
            return facts;
        using JsonDocument processor = JsonInput.Read(path, LongestFile);
        return ReadPreprocessor(new JsonSection(path, "", processor.RootElement).Below("image_processor"), shape,
            facts, warnings);
    }

    private static ClipFacts ReadModel(string path, ClipConfig shape)
    {
        using JsonDocument document = JsonInput.Read(path, LongestFile);
        var root = new JsonSection(path, "", document.RootElement);
        if (root.Text("model_type") is { } type)
        {
            if (type != "clip")
                throw new InputException($"{path}: model_type: expected 'clip', found {ForeignText.Quote(type)}; this "
                    + "program runs no other");
        }
        else if (!TowerKeys.Any(key => root.Find(key, out _)))
        {
            // It is another program's, or the settings of a run of this one.
            return new ClipFacts();
        }
        JsonSection vision = root.Below("vision_config", "vision_config_dict"),
            text = root.Below("text_config", "text_config_dict");
        root.Check("projection_dim", shape.EmbedSize);
        vision.CheckSide("image_size", shape.ImageSize);
        vision.Check("patch_size", shape.PatchSize);
        vision.Check("hidden_size", shape.VisionWidth);
        vision.Check("intermediate_size", shape.VisionHidden);
        vision.Check("num_hidden_layers", shape.VisionLayers);
        vision.Check("num_channels", 3);
        text.Check("hidden_size", shape.TextWidth);
        text.Check("intermediate_size", shape.TextHidden);
        text.Check("num_hidden_layers", shape.TextLayers);
        text.Check("vocab_size", shape.VocabularySize);
        text.Check("max_position_embeddings", shape.ContextLength);
        // A value that is left out has Hugging Face's default.
        Activation activation = ReadActivation(vision);
        float epsilon = vision.Number("layer_norm_eps") ?? LayerNorm.DefaultEpsilon;
        if (ReadActivation(text) != activation
            || (text.Number("layer_norm_eps") ?? LayerNorm.DefaultEpsilon) != epsilon)
            throw new InputException($"{path}: hidden_act and layer_norm_eps differ between the two towers; "
                + "this program runs only models where they are the same");
        return new ClipFacts
        {
            VisionHeads = vision.Whole("num_attention_heads") ?? 12,
            TextHeads = text.Whole("num_attention_heads") ?? 8,
            Activation = activation,
            LayerNormEpsilon = epsilon,
        };
    }

    private static Activation ReadActivation(JsonSection section)
    {
        if (section.Text("hidden_act") is not { } name)
            return Activation.QuickGelu;
        return Activations.All.FirstOrDefault(entry => entry.Name == name)?.Activation
            ?? throw section.Wrong("hidden_act",
            string.Join(" or ", Activations.All.Select(entry => $"'{entry.Name}'")), ForeignText.Quote(name));
    }

    private static ClipFacts ReadPreprocessor(JsonSection root, ClipConfig shape, ClipFacts facts,
        ICollection<string> warnings)
    {
        // Older files have a number here, newer ones {"height": …, "width": …}.
        if (root.Find("crop_size", out JsonElement crop) && crop.ValueKind == JsonValueKind.Object)
            CheckSides(root.Below("crop_size"), shape);
        else
            root.Check("crop_size", shape.ImageSize);
        const int Bicubic = 3;
        if (root.Whole("resample") is { } filter && filter != Bicubic)
            warnings.Add($"{root.Path}: resample is {filter}, and pictures are resized here by bicubic interpolation "
                + $"({Bicubic})");
        int? side = root.Find("size", out JsonElement size) && size.ValueKind == JsonValueKind.Object
            ? root.Below("size").Whole("shortest_edge") : root.Whole("size");
        if (side is { } pixels && pixels != shape.ImageSize)
            warnings.Add($"{root.Path}: size is {pixels}, and pictures are resized here to {shape.ImageSize} before "
                + "their center is taken");
        CheckRescaling(root);
        if (root.Find("do_normalize", out _) && !root.Flag("do_normalize"))
            return facts with { Mean = new ChannelValues(0, 0, 0), Std = new ChannelValues(1, 1, 1) };
        return facts with { Mean = root.Channels("image_mean"), Std = root.Channels("image_std") };
    }

    private static void CheckSides(JsonSection sides, ClipConfig shape)
    {
        sides.Check("height", shape.ImageSize);
        sides.Check("width", shape.ImageSize);
    }

    private static void CheckRescaling(JsonSection root)
    {
        if (root.Find("do_rescale", out _) && !root.Flag("do_rescale"))
            throw root.Wrong("do_rescale", "true, for pixels are taken from 0 to 1", "false");
        if (root.Number("rescale_factor") is { } factor && Math.Abs(factor * byte.MaxValue - 1) > 1e-4f)
            throw root.Wrong("rescale_factor", "1/255, for pixels are taken from 0 to 1", $"{factor}");
    }
}
