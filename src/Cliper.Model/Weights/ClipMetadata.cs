using System.Globalization;
using System.Text.Json;
using Cliper.Kernels.Operations;
using Cliper.Model.Clip;
using Cliper.Model.IO;

namespace Cliper.Model.Weights;

/// <summary>The model's facts in the metadata of a safetensors file, so that one file is enough.</summary>
internal static class ClipMetadata
{
    public const string ActivationKey = "activation", MeanKey = "image_mean", StdKey = "image_std";

    /// <summary>The two parts of <see cref="Heads"/>.</summary>
    public const string VisionHeadsKey = "heads of the image tower", TextHeadsKey = "heads of the text tower";

    private const string Heads = "heads", Epsilon = "layer_norm_epsilon";

    /// <summary>Where a checkpoint of this program has its CLIP's whole configuration.</summary>
    private const string CheckpointConfig = "clip_config";

    /// <summary>Heads that follow from the widths; of a ResNet's pooling, from the width of its stem.</summary>
    private const string UsualHeads = "width/64", UsualHeadsOfResNet = "width*32/64";

    /// <summary>Writes a model's facts, but those that were only assumed.</summary>
    /// <param name="config">The model.</param>
    /// <param name="metadata">Receives them.</param>
    /// <param name="assumed">Keys of facts that nothing has stated.</param>
    public static void Write(ClipConfig config, IDictionary<string, string> metadata,
        IReadOnlySet<string>? assumed = null)
    {
        metadata[Heads] = FormattableString.Invariant($"{config.VisionHeads},{config.TextHeads}");
        metadata[ActivationKey] = config.Activation.ToString();
        metadata[Epsilon] = config.LayerNormEpsilon.ToString(CultureInfo.InvariantCulture);
        metadata[MeanKey] = Join(config.Mean);
        metadata[StdKey] = Join(config.Std);
        // Hugging Face's loader refuses a file without it; "pt" says that the layouts are PyTorch's.
        metadata["format"] = "pt";
        if (assumed is null)
            return;
        foreach (string key in assumed)
            metadata.Remove(key);
        // The entry has both numbers, so that it would state the one that was assumed beside the other.
        if (assumed.Contains(VisionHeadsKey) || assumed.Contains(TextHeadsKey))
            metadata.Remove(Heads);
    }

    /// <summary>Whether a file is a checkpoint of this program, not a CLIP alone.</summary>
    public static bool IsOfCheckpoint(TensorSource source) => source.Metadata.ContainsKey(CheckpointConfig);

    public static ClipFacts Read(TensorSource source)
    {
        if (Text(CheckpointConfig) is { } json)
            return OfCheckpoint(json);
        ClipFacts facts = new();
        if (Text(Heads) is { } heads && heads is not (UsualHeads or UsualHeadsOfResNet))
        {
            string[] parts = heads.Split(',');
            if (parts.Length != 2 || !Whole(parts[0], out int vision) || !Whole(parts[1], out int text))
                throw Wrong(Heads, heads, $"'{UsualHeads}', or the image and the text tower's as in '12,8'");
            facts = facts with { VisionHeads = vision, TextHeads = text };
        }
        if (Text(ActivationKey) is { } name)
            facts = facts with
            {
                Activation = Activations.All.FirstOrDefault(entry =>
                        string.Equals(entry.Activation.ToString(), name,
                            StringComparison.OrdinalIgnoreCase))?.Activation
                    ?? throw Wrong(ActivationKey, name,
                        string.Join(" or ", Activations.All.Select(entry => $"'{entry.Activation}'"))),
            };
        if (Text(Epsilon) is { } epsilon)
            facts = facts with
            {
                LayerNormEpsilon = Number(epsilon, out float value) ? value : throw Wrong(Epsilon, epsilon, "a number"),
            };
        return facts with { Mean = Channels(MeanKey), Std = Channels(StdKey) };

        string? Text(string key) => source.Metadata.GetValueOrDefault(key);

        ClipFacts OfCheckpoint(string json)
        {
            try
            {
                ClipConfig config = ClipConfigJson.Read(json);
                if (config.Faults().FirstOrDefault() is { } fault)
                    throw Wrong(CheckpointConfig, fault, "the configuration of a CLIP");
                return new ClipFacts
                {
                    VisionHeads = config.VisionHeads,
                    TextHeads = config.TextHeads,
                    Activation = config.Activation,
                    LayerNormEpsilon = config.LayerNormEpsilon,
                    Mean = config.Mean,
                    Std = config.Std,
                };
            }
            catch (Exception e) when (e is JsonException or ArgumentException)
            {
                throw Wrong(CheckpointConfig, json, "the configuration of a CLIP as JSON");
            }
        }

        ChannelValues? Channels(string key)
        {
            if (Text(key) is not { } text)
                return null;
            string[] parts = text.Split(',');
            return parts.Length == 3 && Number(parts[0], out float red) && Number(parts[1], out float green)
                && Number(parts[2], out float blue) ? new ChannelValues(red, green, blue)
                : throw Wrong(key, text, "three numbers with commas between them");
        }

        InputException Wrong(string key, string found, string expected) => new(
            $"{source.Path}: metadata '{key}': expected {expected}, found {ForeignText.Quote(found)}; correct the "
                + "file");
    }

    private static bool Whole(string text, out int value) =>
        int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out value) && value > 0;

    private static bool Number(string text, out float value) =>
        float.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out value);

    private static string Join(ChannelValues values) =>
        FormattableString.Invariant($"{values.Red},{values.Green},{values.Blue}");
}
