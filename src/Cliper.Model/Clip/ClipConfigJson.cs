using System.Text.Json;
using System.Text.Json.Serialization;
using Cliper.Model.IO;

namespace Cliper.Model.Clip;

/// <summary>The JSON of a <see cref="ClipConfig"/> in a checkpoint's metadata.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
[JsonSerializable(typeof(ClipConfig))]
internal sealed partial class ClipConfigJson : JsonSerializerContext
{
    // The required properties are never taken from it.
    private static readonly ClipConfig Defaults = new()
    {
        ImageSize = 0,
        VisionWidth = 0,
        VisionHeads = 0,
        TextWidth = 0,
        TextLayers = 0,
        TextHeads = 0,
        VocabularySize = 0,
        EmbedSize = 0,
    };

    /// <summary>The configuration as JSON.</summary>
    public static string Write(ClipConfig config) => JsonSerializer.Serialize(config, Default.ClipConfig);

    /// <summary>The configuration in JSON; what it leaves out is as in <see cref="ClipConfig"/>.</summary>
    /// <exception cref="JsonException">The text is no configuration.</exception>
    /// <exception cref="ArgumentException">A property stands there twice.</exception>
    public static ClipConfig Read(string text) => DefaultedJson.Read(text, Default.ClipConfig, Defaults);
}
