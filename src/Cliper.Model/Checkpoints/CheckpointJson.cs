using System.Text.Json;
using System.Text.Json.Serialization;
using System.Text.Json.Serialization.Metadata;
using Cliper.Model.IO;
using Cliper.Model.Prompts;

namespace Cliper.Model.Checkpoints;

/// <summary>
/// The JSON of a checkpoint's metadata. The code is generated when the program is compiled, so that reading a model
/// takes no reflection: a type that a prompt learner stores has to be named here.
/// </summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
[JsonSerializable(typeof(CheckpointInfo))]
[JsonSerializable(typeof(TrainingState))]
[JsonSerializable(typeof(DescriptorPrompt))]
[JsonSerializable(typeof(ContextPrompts))]
[JsonSerializable(typeof(string[]))]
[JsonSerializable(typeof(int[][][]))]
[JsonSerializable(typeof(int))]
[JsonSerializable(typeof(bool))]
[JsonSerializable(typeof(float))]
internal sealed partial class CheckpointJson : JsonSerializerContext
{
    /// <summary>A value as JSON.</summary>
    /// <exception cref="NotSupportedException">Its type is not named above.</exception>
    public static string Write(object value) => JsonSerializer.Serialize(value, value.GetType(), Default);

    /// <summary>A value from JSON.</summary>
    /// <exception cref="JsonException">The text is no such value.</exception>
    /// <exception cref="NotSupportedException">Its type is not named above.</exception>
    public static T Read<T>(string text) => JsonSerializer.Deserialize(text, TypeInfo<T>())
        ?? throw new JsonException("null");

    /// <summary>Facts about a model; what the JSON leaves out is as in <see cref="CheckpointInfo"/>.</summary>
    /// <exception cref="JsonException">The text has no such facts.</exception>
    public static CheckpointInfo ReadInfo(string text) =>
        DefaultedJson.Read(text, Default.CheckpointInfo, new CheckpointInfo(0, null!, null!));

    private static JsonTypeInfo<T> TypeInfo<T>() => (JsonTypeInfo<T>?)Default.GetTypeInfo(typeof(T))
        ?? throw new NotSupportedException($"{typeof(T)} is not among the types of {nameof(CheckpointJson)}");
}
