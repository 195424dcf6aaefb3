using System.Buffers;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using Cliper.Model;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;

namespace Cliper.Server;

/// <summary>The endpoints that answer pictures with expressions.</summary>
public static class CliperEndpoints
{
    private const string Json = "application/json", FacesQuery = "faces";

    // The answers are JSON and say so, and no browser takes them for anything else.
    private static readonly JsonWriterOptions Relaxed = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>
    /// Maps the endpoints: <c>/v1/predict</c>, <c>/v2/…</c> (Open Inference Protocol), <c>/healthz/…</c>,
    /// <c>/metrics</c>, <c>/openapi/v1.json</c> and the page <c>/</c>. The services need an
    /// <see cref="ExpressionRecognizer"/>: <see cref="CliperServices.AddCliper"/> adds it.
    /// </summary>
    /// <param name="routes">The application, or a group of it.</param>
    /// <param name="options">Limits, token and batches; null for the usual.</param>
    /// <returns>The routes.</returns>
    /// <exception cref="InvalidOperationException">There is no recognizer among the services.</exception>
    public static IEndpointRouteBuilder MapCliper(this IEndpointRouteBuilder routes,
        CliperServerOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(routes);
        if (!routes.ServiceProvider.GetRequiredService<IServiceProviderIsService>()
            .IsService(typeof(ExpressionRecognizer)))
            throw new InvalidOperationException(
                $"there is no {nameof(ExpressionRecognizer)} among the services: add one with AddCliper()");
        Map(routes, options ?? new CliperServerOptions());
        return routes;
    }

    /// <summary>Maps the endpoints.</summary>
    /// <returns>The model behind them.</returns>
    internal static RecognitionService Map(IEndpointRouteBuilder routes, CliperServerOptions options)
    {
        var service = new RecognitionService(routes.ServiceProvider, options);
        var guard = new RequestGuard(service, options, routes.ServiceProvider);
        routes.MapPost("/v1/predict", guard.ForAnswers("predict", call => PredictAsync(service, options, call)));
        InferenceProtocol.Map(routes, guard, service, options);
        routes.MapGet("/healthz/live", guard.Open("live", http => WriteTextAsync(http, "live\n")));
        routes.MapGet("/healthz/ready", guard.Open("ready", http => service.IsReady ? WriteTextAsync(http, "ready\n")
            : throw new RequestException(StatusCodes.Status503ServiceUnavailable, "the model is not ready")));
        routes.MapGet("/metrics", guard.Closed("metrics", http =>
            WriteTextAsync(http, service.Metrics.Write(service.Admission.Requests), ServerMetrics.ContentType)));
        routes.MapGet("/openapi/v1.json", guard.Open("openapi", http => WriteAsync(http, Json, Page.OpenApi)));
        if (options.HasPage)
            routes.MapGet("/", guard.Open("page", http =>
            {
                http.Response.Headers.ContentSecurityPolicy = Page.SecurityPolicy;
                return WriteAsync(http, "text/html; charset=utf-8", Page.For(service.Model));
            }));
        return service;
    }

    /// <summary>Answers with bytes.</summary>
    internal static Task WriteAsync(HttpContext http, string contentType, ReadOnlyMemory<byte> body)
    {
        http.Response.ContentType = contentType;
        http.Response.ContentLength = body.Length;
        return http.Response.Body.WriteAsync(body, http.RequestAborted).AsTask();
    }

    /// <summary>Answers with JSON.</summary>
    internal static Task WriteJsonAsync(HttpContext http, Action<Utf8JsonWriter> write)
    {
        var body = new ArrayBufferWriter<byte>();
        using (var json = new Utf8JsonWriter(body, Relaxed))
            write(json);
        return WriteAsync(http, Json, body.WrittenMemory);
    }

    private static Task WriteTextAsync(HttpContext http, string text, string contentType = "text/plain") =>
        WriteAsync(http, contentType, Encoding.UTF8.GetBytes(text));

    private static async Task PredictAsync(RecognitionService service, CliperServerOptions options, Call call)
    {
        FaceSelection? faces = FacesOf(call.Http.Request.Query[FacesQuery]);
        ReadOnlyMemory<byte> body = await call.ReadAsync(options.MaxBodyBytes).ConfigureAwait(false);
        IReadOnlyList<Upload> pictures = await RequestBody.PicturesAsync(call.Http.Request.ContentType, body,
            call.Cancellation).ConfigureAwait(false);
        ExpressionRecognizer recognizer = await service.RecognizerAsync(call.Cancellation).ConfigureAwait(false);
        IReadOnlyList<Looked> found = await service.Finder.FindAsync(recognizer, pictures, faces, call.Cancellation)
            .ConfigureAwait(false);
        if (found.All(picture => picture.Refusal is not null))
            throw found[0].Refusal!;
        var answers = new Queue<Recognition>(await service.AskAsync([.. found.Select(picture => picture.Faces)
            .OfType<FoundFaces>()], call.Cancellation).ConfigureAwait(false));
        await WriteJsonAsync(call.Http, json => recognizer.WriteJson(json, [.. found.Select(picture =>
            picture.Refusal is { } refusal ? new Recognition(picture.Name, 0, 0, []) { Problem = refusal.Message }
            : answers.Dequeue())])).ConfigureAwait(false);
    }

    private static FaceSelection? FacesOf(string? text) => text switch
    {
        null => null,
        "all" => FaceSelection.All,
        "largest" => FaceSelection.Largest,
        "none" => FaceSelection.None,
        _ => throw new RequestException(StatusCodes.Status400BadRequest,
            $"{FacesQuery} is '{text}'; expected all, largest or none"),
    };
}
