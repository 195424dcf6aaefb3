using System.Text.Json;
using Cliper.Kernels.Operations;
using Cliper.Model.Clip;
using Cliper.Model.IO;

namespace Cliper.Model.Weights;

/// <summary>config.json and preprocessor_config.json of a model in Hugging Face's layout.</summary>
internal static class HuggingFaceConfig
{
    private const string FileName = "config.json", PreprocessorFileName = "preprocessor_config.json";
    private const long LongestFile = 16_000_000;

    /// <summary>
    /// Where the configuration of weights is: in the folder that was opened, or beside a file of Hugging Face's naming;
    /// null for other files, whose neighbors may be anything.
    /// </summary>
    public static string? FolderOf(string path, ClipNaming naming) =>
        Directory.Exists(path) ? path
        : naming == ClipNaming.HuggingFace ? Path.GetDirectoryName(Path.GetFullPath(path))
        : null;

    /// <summary>Reads the facts that the folder's files state beyond the shapes.</summary>
    /// <param name="folder">The folder.</param>
    /// <param name="shape">The model's shape as its tensors have it; heads are not used.</param>
    /// <exception cref="InputException">A file is damaged, of another kind of model, or contradicts the
    /// tensors.</exception>
    public static ClipFacts Read(string folder, ClipConfig shape)
    {
        ClipFacts facts = new();
        string path = Path.Combine(folder, FileName);
        if (File.Exists(path))
            facts = ReadModel(path, shape);
        path = Path.Combine(folder, PreprocessorFileName);
        return File.Exists(path) ? ReadPreprocessor(path, shape, facts) : facts;
    }

    private static ClipFacts ReadModel(string path, ClipConfig shape)
    {
        using JsonDocument document = JsonInput.Read(path, LongestFile);
        var root = new Section(path, "", document.RootElement, default);
        string type = root.Text("model_type") ?? "clip";
        if (type != "clip")
            throw new InputException($"{path}: model_type: expected 'clip', found {ForeignText.Quote(type)}; this "
                + "program runs no other");
        Section vision = root.Below("vision_config", "vision_config_dict"),
            text = root.Below("text_config", "text_config_dict");
        root.Check("projection_dim", shape.EmbedSize);
        vision.Check("image_size", shape.ImageSize);
        vision.Check("patch_size", shape.PatchSize);
        vision.Check("hidden_size", shape.VisionWidth);
        vision.Check("intermediate_size", 4 * shape.VisionWidth);
        vision.Check("num_hidden_layers", shape.VisionLayers);
        vision.Check("num_channels", 3);
        text.Check("hidden_size", shape.TextWidth);
        text.Check("intermediate_size", 4 * shape.TextWidth);
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

    private static Activation ReadActivation(Section section)
    {
        if (section.Text("hidden_act") is not { } name)
            return Activation.QuickGelu;
        return Activations.All.FirstOrDefault(entry => entry.Name == name)?.Activation
            ?? throw section.Wrong("hidden_act",
            string.Join(" or ", Activations.All.Select(entry => $"'{entry.Name}'")), ForeignText.Quote(name));
    }

    private static ClipFacts ReadPreprocessor(string path, ClipConfig shape, ClipFacts facts)
    {
        using JsonDocument document = JsonInput.Read(path, LongestFile);
        var root = new Section(path, "", document.RootElement, default);
        // Older files have a number here, newer ones {"height": …, "width": …}.
        if (root.Find("crop_size", out JsonElement crop) && crop.ValueKind == JsonValueKind.Object)
        {
            var sides = new Section(path, "crop_size.", crop, default);
            sides.Check("height", shape.ImageSize);
            sides.Check("width", shape.ImageSize);
        }
        else
            root.Check("crop_size", shape.ImageSize);
        return facts with { Mean = root.Channels("image_mean"), Std = root.Channels("image_std") };
    }

    /// <summary>An object of the file; where it lacks a value, the object of older files that was merged into
    /// it.</summary>
    private readonly record struct Section(string Path, string Prefix, JsonElement Values, JsonElement Fallback)
    {
        public bool Find(string key, out JsonElement value)
        {
            if (Values.ValueKind != JsonValueKind.Object)
                throw new InputException($"{Path}: {Prefix.TrimEnd('.')}: expected an object; get the file anew");
            bool found = Values.TryGetProperty(key, out value)
                || (Fallback.ValueKind == JsonValueKind.Object && Fallback.TryGetProperty(key, out value));
            return found && value.ValueKind != JsonValueKind.Null;
        }

        public Section Below(string key, string fallback)
        {
            if (!Find(key, out JsonElement values))
                values = JsonElement.Parse("{}");
            Find(fallback, out JsonElement older);
            return new Section(Path, key + ".", values, older);
        }

        public string? Text(string key) => !Find(key, out JsonElement value) ? null
            : value.ValueKind == JsonValueKind.String ? value.GetString()
            : throw Wrong(key, "text", value.ValueKind.ToString());

        public int? Whole(string key) => !Find(key, out JsonElement value) ? null
            : value.ValueKind == JsonValueKind.Number && value.TryGetInt32(out int number) ? number
            : throw Wrong(key, "a whole number", ForeignText.Quote(value.GetRawText()));

        public float? Number(string key) => !Find(key, out JsonElement value) ? null
            : value.ValueKind == JsonValueKind.Number && value.TryGetSingle(out float number) ? number
            : throw Wrong(key, "a number", ForeignText.Quote(value.GetRawText()));

        public ChannelValues? Channels(string key)
        {
            if (!Find(key, out JsonElement value))
                return null;
            var numbers = new float[3];
            if (value.ValueKind != JsonValueKind.Array || value.GetArrayLength() != numbers.Length)
                throw Wrong(key, "three numbers", ForeignText.Quote(value.GetRawText()));
            for (int i = 0; i < numbers.Length; i++)
                if (value[i].ValueKind != JsonValueKind.Number || !value[i].TryGetSingle(out numbers[i]))
                    throw Wrong(key, "three numbers", ForeignText.Quote(value.GetRawText()));
            return new ChannelValues(numbers[0], numbers[1], numbers[2]);
        }

        public void Check(string key, int expected)
        {
            if (Whole(key) is { } found && found != expected)
                throw Wrong(key, $"{expected} as the tensors have it", found.ToString());
        }

        public InputException Wrong(string key, string expected, string found) =>
            new($"{Path}: {Prefix}{key}: expected {expected}, found {found}; get the weights and their configuration "
                + "from one place");
    }
}
