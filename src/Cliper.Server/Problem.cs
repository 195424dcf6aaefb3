using System.Text.Json;
using System.Text.Json.Serialization;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.WebUtilities;

namespace Cliper.Server;

/// <summary>A problem document (RFC 9457).</summary>
/// <param name="Title">The meaning of the status code.</param>
/// <param name="Status">The status code.</param>
/// <param name="Detail">The finding, what was expected, and the remedy.</param>
internal sealed record Problem(string Title, int Status, string Detail)
{
    private const string ContentType = "application/problem+json";

    // When a place in the queue may be free again.
    private const string RetryAfterSeconds = "1";

    /// <summary>The same text, where clients of the Open Inference Protocol look for it.</summary>
    [JsonPropertyName("error")]
    public string Error => Detail;

    /// <summary>Answers with a problem, unless an answer has begun.</summary>
    public static async Task WriteAsync(HttpContext http, int status, string detail)
    {
        if (http.Response.HasStarted)
            return;
        http.Response.StatusCode = status;
        http.Response.ContentType = ContentType;
        if (status == StatusCodes.Status503ServiceUnavailable)
            http.Response.Headers.RetryAfter = RetryAfterSeconds;
        byte[] body = JsonSerializer.SerializeToUtf8Bytes(
            new Problem(ReasonPhrases.GetReasonPhrase(status), status, detail), ServerJson.Default.Problem);
        http.Response.ContentLength = body.Length;
        await http.Response.Body.WriteAsync(body, http.RequestAborted).ConfigureAwait(false);
    }
}
