using System.Diagnostics;
using System.Security.Cryptography;
using System.Text;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Cliper.Server;

/// <summary>A request that waits for an answer of the model.</summary>
/// <param name="Http">The request and its answer.</param>
/// <param name="Place">Its place among the requests that are taken.</param>
/// <param name="Cancellation">Canceled when the client is gone, or the time is up.</param>
internal sealed record Call(HttpContext Http, Admission.Place Place, CancellationToken Cancellation)
{
    /// <summary>Whether the body has been read: who is slow is the client before, and the server after.</summary>
    public bool HasBody { get; private set; }

    /// <summary>The body of the request.</summary>
    /// <exception cref="RequestException">It is too large.</exception>
    public async Task<ReadOnlyMemory<byte>> ReadAsync(int most)
    {
        ReadOnlyMemory<byte> body = await RequestBody.ReadAsync(Http.Request, Place, most, Cancellation)
            .ConfigureAwait(false);
        HasBody = true;
        return body;
    }
}

/// <summary>
/// Stands before every endpoint: sets the security headers, asks for the token, takes or refuses the request, ends it
/// in time, and turns whatever goes wrong into a problem document.
/// </summary>
/// <param name="service">Counts and takes requests.</param>
/// <param name="options">Token and time.</param>
/// <param name="services">The host's services.</param>
internal sealed class RequestGuard(RecognitionService service, CliperServerOptions options, IServiceProvider services)
{
    private const string Scheme = "Bearer ";

    // The status of a client that is gone, for the metrics: nobody reads it.
    private const int ClientClosedRequest = 499;

    // Hashes have one length, so that their comparison takes the same time for every token.
    private readonly byte[]? _token = options.Token is null ? null : HashOf(options.Token);

    private readonly ILogger _log = services.GetRequiredService<ILoggerFactory>().CreateLogger<RequestGuard>();

    /// <summary>An endpoint that needs no token.</summary>
    /// <param name="name">Its name in the metrics.</param>
    /// <param name="answer">Answers.</param>
    public RequestDelegate Open(string name, Func<HttpContext, Task> answer) =>
        http => RunAsync(http, name, isOpen: true, answer);

    /// <summary>An endpoint that needs the token, if there is one.</summary>
    /// <param name="name">Its name in the metrics.</param>
    /// <param name="answer">Answers.</param>
    public RequestDelegate Closed(string name, Func<HttpContext, Task> answer) =>
        http => RunAsync(http, name, isOpen: false, answer);

    /// <summary>An endpoint that asks the model: it needs the token, a place and an answer in time.</summary>
    /// <param name="name">Its name in the metrics.</param>
    /// <param name="answer">Answers.</param>
    public RequestDelegate ForAnswers(string name, Func<Call, Task> answer) => async http =>
    {
        long began = Stopwatch.GetTimestamp();
        await RunAsync(http, name, isOpen: false, _ => AnswerAsync(http, answer),
            () => Stopwatch.GetElapsedTime(began)).ConfigureAwait(false);
    };

    private async Task AnswerAsync(HttpContext http, Func<Call, Task> answer)
    {
        using Admission.Place place = service.Admission.Enter();
        using var end = CancellationTokenSource.CreateLinkedTokenSource(http.RequestAborted);
        end.CancelAfter(options.TimeOut);
        var call = new Call(http, place, end.Token);
        try
        {
            await answer(call).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (!http.RequestAborted.IsCancellationRequested)
        {
            string time = FormattableString.Invariant($"within {options.TimeOut.TotalSeconds:0.###} s");
            throw call.HasBody
                ? new RequestException(StatusCodes.Status504GatewayTimeout, $"there was no answer {time}")
                : new RequestException(StatusCodes.Status408RequestTimeout, $"the body did not come {time}");
        }
    }

    private async Task RunAsync(HttpContext http, string name, bool isOpen, Func<HttpContext, Task> answer,
        Func<TimeSpan>? time = null)
    {
        SecurityHeaders.AddTo(http.Response);
        try
        {
            if (!isOpen && !HasToken(http.Request))
            {
                http.Response.Headers.WWWAuthenticate = "Bearer";
                throw new RequestException(StatusCodes.Status401Unauthorized,
                    "this server needs its token: Authorization: Bearer TOKEN");
            }
            await answer(http).ConfigureAwait(false);
        }
        catch (RequestException refusal)
        {
            await Problem.WriteAsync(http, refusal.Status, refusal.Message).ConfigureAwait(false);
        }
        catch (BadHttpRequestException refusal)
        {
            await Problem.WriteAsync(http, refusal.StatusCode, refusal.Message).ConfigureAwait(false);
        }
        catch (Exception) when (http.RequestAborted.IsCancellationRequested)
        {
            http.Response.StatusCode = ClientClosedRequest;
        }
        catch (Exception failure)
        {
            ServerLog.RequestFailed(_log, name, failure);
            await Problem.WriteAsync(http, StatusCodes.Status500InternalServerError,
                "the server failed at this request; its log says why").ConfigureAwait(false);
        }
        service.Metrics.Answered(name, http.Response.StatusCode, time?.Invoke());
    }

    private bool HasToken(HttpRequest request)
    {
        if (_token is null)
            return true;
        string given = request.Headers.Authorization.ToString();
        return given.StartsWith(Scheme, StringComparison.OrdinalIgnoreCase)
            && CryptographicOperations.FixedTimeEquals(HashOf(given[Scheme.Length..].Trim()), _token);
    }

    private static byte[] HashOf(string token) => SHA256.HashData(Encoding.UTF8.GetBytes(token));
}
