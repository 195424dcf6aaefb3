using System.Text.Json.Serialization;

namespace Cliper.Server;

/// <summary>The JSON of requests and answers, made at compile time.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(Problem))]
[JsonSerializable(typeof(InferRequest))]
[JsonSerializable(typeof(InferAnswer))]
[JsonSerializable(typeof(ServerDescription))]
[JsonSerializable(typeof(ModelDescription))]
[JsonSerializable(typeof(Readiness))]
internal sealed partial class ServerJson : JsonSerializerContext;
