using System.Text.Json;
using System.Text.Json.Serialization;

namespace Cliper.Server;

/// <summary>A request of the Open Inference Protocol, version 2.</summary>
/// <param name="Id">A name that the answer gives back; null for none.</param>
/// <param name="Inputs">The tensors.</param>
/// <param name="Outputs">The tensors that are asked for; null for all.</param>
internal sealed record InferRequest(string? Id, IReadOnlyList<InferInput?>? Inputs,
    IReadOnlyList<InferOutputName?>? Outputs);

/// <summary>A tensor of a request.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Datatype">Its element type.</param>
/// <param name="Shape">Its dimensions.</param>
/// <param name="Data">Its elements, row by row.</param>
internal sealed record InferInput(string? Name, string? Datatype, IReadOnlyList<long>? Shape,
    [property: JsonConverter(typeof(ByteTensorConverter))] byte[]? Data);

/// <summary>A tensor that is asked for.</summary>
/// <param name="Name">Its name.</param>
internal sealed record InferOutputName(string? Name);

/// <summary>An answer of the Open Inference Protocol.</summary>
/// <param name="ModelName">The model.</param>
/// <param name="ModelVersion">The program's version.</param>
/// <param name="Id">The request's name; null for none.</param>
/// <param name="Outputs">The tensors.</param>
internal sealed record InferAnswer(string ModelName, string ModelVersion, string? Id,
    IReadOnlyList<InferOutput> Outputs);

/// <summary>A tensor of an answer.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Datatype">Its element type.</param>
/// <param name="Shape">Its dimensions.</param>
/// <param name="Data">Its elements, row by row.</param>
internal sealed record InferOutput(string Name, string Datatype, IReadOnlyList<long> Shape, JsonElement Data);

/// <summary>The server, as the Open Inference Protocol describes it.</summary>
internal sealed record ServerDescription(string Name, string Version, IReadOnlyList<string> Extensions);

/// <summary>A model, as the Open Inference Protocol describes it.</summary>
internal sealed record ModelDescription(string Name, IReadOnlyList<string> Versions, string Platform,
    IReadOnlyList<TensorDescription> Inputs, IReadOnlyList<TensorDescription> Outputs,
    ModelParameters Parameters);

/// <summary>Facts on the model that the protocol has no place for.</summary>
internal sealed record ModelParameters(string Method, IReadOnlyList<string> Classes, IReadOnlyList<string> Notes);

/// <summary>A tensor; a dimension of -1 is free.</summary>
internal sealed record TensorDescription(string Name, string Datatype, IReadOnlyList<long> Shape);

/// <summary>Whether the server or a model is ready.</summary>
internal sealed record Readiness(bool Ready);

/// <summary>Reads bytes that are written as numbers, in one list or in nested ones.</summary>
internal sealed class ByteTensorConverter : JsonConverter<byte[]>
{
    /// <inheritdoc/>
    public override byte[] Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
    {
        if (reader.TokenType != JsonTokenType.StartArray)
            throw new JsonException("data is no array");
        using var bytes = new MemoryStream();
        for (int depth = 1; depth > 0;)
        {
            if (!reader.Read())
                throw new JsonException("data has no end");
            switch (reader.TokenType)
            {
                case JsonTokenType.StartArray:
                    depth++;
                    break;
                case JsonTokenType.EndArray:
                    depth--;
                    break;
                case JsonTokenType.Number when reader.TryGetByte(out byte value):
                    bytes.WriteByte(value);
                    break;
                default:
                    throw new JsonException("data has an element that is no whole number from 0 to 255");
            }
        }
        return bytes.ToArray();
    }

    /// <inheritdoc/>
    public override void Write(Utf8JsonWriter writer, byte[] value, JsonSerializerOptions options) =>
        throw new NotSupportedException();
}
