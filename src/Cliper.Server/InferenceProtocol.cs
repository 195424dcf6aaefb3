using System.Reflection;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Cliper.Model;
using Cliper.Model.Images;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;

namespace Cliper.Server;

/// <summary>
/// The Open Inference Protocol, version 2 (KServe): tensors in, tensors out. The pixels are those of faces; no face is
/// looked for in them.
/// </summary>
internal static class InferenceProtocol
{
    private const string Pixels = "pixels", Probabilities = "probabilities", Expression = "expression",
        Descriptor = "descriptor", NameOfRoute = "name";

    private static readonly string Version = typeof(InferenceProtocol).Assembly
        .GetCustomAttribute<AssemblyInformationalVersionAttribute>()!.InformationalVersion;

    /// <summary>Maps the endpoints below <c>/v2</c>.</summary>
    public static void Map(IEndpointRouteBuilder routes, RequestGuard guard, RecognitionService service,
        CliperServerOptions options)
    {
        routes.MapGet("/v2", guard.Open("v2", http => WriteAsync(http, new ServerDescription("cliper-gpu", Version, []),
            ServerJson.Default.ServerDescription)));
        routes.MapGet("/v2/health/live", guard.Open("live", http =>
            WriteAsync(http, new Readiness(true), ServerJson.Default.Readiness)));
        routes.MapGet("/v2/health/ready", guard.Open("ready", http => WriteReadyAsync(http, service)));
        routes.MapGet("/v2/models/{name}", guard.Closed("model", async http =>
            await WriteAsync(http, Describe((await ModelOf(http, service, http.RequestAborted).ConfigureAwait(false))
                .Model), ServerJson.Default.ModelDescription).ConfigureAwait(false)));
        routes.MapGet("/v2/models/{name}/ready", guard.Closed("ready", async http =>
        {
            await ModelOf(http, service, http.RequestAborted).ConfigureAwait(false);
            await WriteReadyAsync(http, service).ConfigureAwait(false);
        }));
        routes.MapPost("/v2/models/{name}/infer", guard.ForAnswers("infer", call =>
            InferAsync(service, options, call)));
    }

    private static async Task InferAsync(RecognitionService service, CliperServerOptions options, Call call)
    {
        ReadOnlyMemory<byte> body = await call.ReadAsync(options.MaxBodyBytes).ConfigureAwait(false);
        ExpressionRecognizer recognizer = await ModelOf(call.Http, service, call.Cancellation).ConfigureAwait(false);
        InferRequest request = RequestOf(body.Span);
        IReadOnlyList<FoundFaces> faces = await service.Finder.RunAsync(() => FacesOf(request, recognizer),
            call.Cancellation).ConfigureAwait(false);
        IReadOnlyList<Recognition> answers = await service.AskAsync(faces, call.Cancellation).ConfigureAwait(false);
        RecognizedFace[] all = [.. answers.Select(answer => answer.Faces[0])];
        InferOutput[] outputs = [.. OutputsOf(all, recognizer.Model.Classes)
            .Where(output => request.Outputs?.Any(asked => asked?.Name == output.Name) != false)];
        await WriteAsync(call.Http, new InferAnswer(recognizer.Model.Name, Version, request.Id, outputs),
            ServerJson.Default.InferAnswer).ConfigureAwait(false);
    }

    private static InferRequest RequestOf(ReadOnlySpan<byte> body)
    {
        InferRequest? request;
        try
        {
            request = JsonSerializer.Deserialize(body, ServerJson.Default.InferRequest);
        }
        catch (JsonException failure)
        {
            throw Wrong(failure.Message);
        }
        string[] known = [Probabilities, Expression, Descriptor];
        return request?.Outputs?.FirstOrDefault(asked => !known.Contains(asked?.Name)) is { } unknown
            ? throw Wrong($"there is no output '{unknown.Name}'; expected some of {string.Join(", ", known)}")
            : request ?? throw Wrong("it is null");
    }

    private static FoundFaces[] FacesOf(InferRequest request, ExpressionRecognizer recognizer)
    {
        if (request.Inputs is not [{ Name: Pixels, Datatype: "UINT8", Data: { } data, Shape: { } shape }])
            throw Wrong($"expected one input {Pixels} of datatype UINT8 with its shape and data");
        // The bytes bound the sizes, so that no product of them is too large.
        if (shape is not [> 0, > 0, > 0, 3] || shape.Any(size => size > data.Length)
            || (Int128)shape[0] * shape[1] * shape[2] * shape[3] != data.Length)
            throw Wrong($"the shape is [{string.Join(", ", shape)}] and the data has {data.Length} elements; expected "
                + "[N, height, width, 3] and their product");
        (int count, int height, int width) = ((int)shape[0], (int)shape[1], (int)shape[2]);
        return [.. data.Chunk(data.Length / count).Select((pixels, at) =>
            recognizer.Find(new RgbImage(width, height, pixels), $"{at}", FaceSelection.None))];
    }

    private static InferOutput[] OutputsOf(RecognizedFace[] faces, IReadOnlyList<string> classes) =>
    [
        Output(Probabilities, "FP32", [faces.Length, classes.Count], json =>
        {
            foreach (RecognizedFace face in faces)
                foreach (string name in classes)
                    json.WriteNumberValue(face.Probabilities[name]);
        }),
        Output(Expression, "BYTES", [faces.Length], json =>
        {
            foreach (RecognizedFace face in faces)
                json.WriteStringValue(face.Expression);
        }),
        Output(Descriptor, "INT64", [faces.Length], json =>
        {
            foreach (RecognizedFace face in faces)
                json.WriteNumberValue(face.Descriptor);
        }),
    ];

    private static InferOutput Output(string name, string datatype, long[] shape, Action<Utf8JsonWriter> write)
    {
        using var bytes = new MemoryStream();
        using (var json = new Utf8JsonWriter(bytes))
        {
            json.WriteStartArray();
            write(json);
            json.WriteEndArray();
        }
        using var data = JsonDocument.Parse(bytes.GetBuffer().AsMemory(0, (int)bytes.Length));
        return new InferOutput(name, datatype, shape, data.RootElement.Clone());
    }

    private static ModelDescription Describe(RecognizerModel model) => new(model.Name, [Version], "cliper",
        [new(Pixels, "UINT8", [-1, -1, -1, 3])],
        [new(Probabilities, "FP32", [-1, model.Classes.Count]), new(Expression, "BYTES", [-1]),
            new(Descriptor, "INT64", [-1])],
        new ModelParameters(model.Method, model.Classes, model.Notes));

    private static async Task<ExpressionRecognizer> ModelOf(HttpContext http, RecognitionService service,
        CancellationToken cancellation)
    {
        ExpressionRecognizer recognizer = await service.RecognizerAsync(cancellation).ConfigureAwait(false);
        string? name = http.GetRouteValue(NameOfRoute) as string;
        return name == recognizer.Model.Name ? recognizer : throw new RequestException(StatusCodes.Status404NotFound,
            $"there is no model '{name}'; expected {recognizer.Model.Name}");
    }

    private static Task WriteReadyAsync(HttpContext http, RecognitionService service)
    {
        bool isReady = service.IsReady;
        if (!isReady)
            http.Response.StatusCode = StatusCodes.Status503ServiceUnavailable;
        return WriteAsync(http, new Readiness(isReady), ServerJson.Default.Readiness);
    }

    private static Task WriteAsync<T>(HttpContext http, T value, JsonTypeInfo<T> type) =>
        CliperEndpoints.WriteJsonAsync(http, json => JsonSerializer.Serialize(json, value, type));

    private static RequestException Wrong(string reason) =>
        new(StatusCodes.Status400BadRequest, $"the request is malformed: {reason}");
}
