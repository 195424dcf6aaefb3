using System.Net;
using Cliper.Model;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Cliper.Server;

/// <summary>
/// A server of its own with the endpoints and nothing else. It reads no configuration of the environment and no file
/// of settings.
/// </summary>
public sealed class ServerHost : IAsyncDisposable
{
    private const int MostConnections = 1024;

    // Longer than a request may take, so that a stop answers all that was taken.
    private static readonly TimeSpan StopTime = TimeSpan.FromSeconds(15), HeadersTime = TimeSpan.FromSeconds(10);

    private readonly WebApplication _application;

    private ServerHost(WebApplication application) => _application = application;

    /// <summary>Where the server listens.</summary>
    public Uri Address => new(_application.Services.GetRequiredService<IServer>().Features
        .Get<IServerAddressesFeature>()!.Addresses.First());

    /// <summary>Starts a server and loads its model.</summary>
    /// <param name="address">The address that it listens at. At a loopback address it answers requests to local names
    /// alone, so that no web page reaches it under a name of its own.</param>
    /// <param name="port">The port; 0 for a free one.</param>
    /// <param name="load">Loads the model.</param>
    /// <param name="options">Limits, token and batches.</param>
    /// <param name="log">Adds where messages go; null for nowhere.</param>
    /// <returns>The server, which is ready.</returns>
    /// <exception cref="InputException">The model is missing or damaged.</exception>
    /// <exception cref="IOException">The port is in use, or the address is not this machine's.</exception>
    public static async Task<ServerHost> StartAsync(IPAddress address, int port, Func<ExpressionRecognizer> load,
        CliperServerOptions options, Action<ILoggingBuilder>? log = null)
    {
        ArgumentNullException.ThrowIfNull(options);
        WebApplicationBuilder builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions
        {
            ApplicationName = typeof(ServerHost).Assembly.GetName().Name,
            ContentRootPath = AppContext.BaseDirectory,
        });
        log?.Invoke(builder.Logging);
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;
            kestrel.Limits.MaxConcurrentConnections = MostConnections;
            kestrel.Limits.RequestHeadersTimeout = HeadersTime;
            kestrel.Listen(address, port, listen => listen.Protocols = HttpProtocols.Http1);
        });
        builder.Services.AddRoutingCore().AddSingleton(_ => load());
        // The caller says when to stop; signals are its own.
        builder.Services.AddSingleton<IHostLifetime, NoLifetime>();
        builder.Services.Configure<HostOptions>(host => host.ShutdownTimeout = StopTime);
        WebApplication application = builder.Build();
        application.Use((http, next) =>
        {
            SecurityHeaders.AddTo(http.Response);
            return next(http);
        });
        if (IPAddress.IsLoopback(address))
            application.Use((http, next) => IsLocal(http.Request.Host.Host) ? next(http)
                : Problem.WriteAsync(http, StatusCodes.Status421MisdirectedRequest,
                    "this server listens on this machine alone and answers to localhost"));
        application.Use(ExplainAsync);
        application.UseRouting();
        RecognitionService service = CliperEndpoints.Map(application, options);
        Task<ExpressionRecognizer> loading = service.RecognizerAsync(CancellationToken.None);
        try
        {
            await application.StartAsync().ConfigureAwait(false);
            await loading.ConfigureAwait(false);
        }
        catch
        {
            await Task.WhenAny(loading).ConfigureAwait(false);
            await application.DisposeAsync().ConfigureAwait(false);
            throw;
        }
        return new ServerHost(application);
    }

    /// <summary>Takes no further requests, answers those that were taken, and ends.</summary>
    public Task StopAsync() => _application.StopAsync();

    /// <inheritdoc/>
    public ValueTask DisposeAsync() => _application.DisposeAsync();

    /// <summary>Gives the answers of the routing (404, 405) a problem document.</summary>
    private static async Task ExplainAsync(HttpContext http, RequestDelegate next)
    {
        await next(http).ConfigureAwait(false);
        if (http.Response is { HasStarted: false, ContentType: null })
            switch (http.Response.StatusCode)
            {
                case StatusCodes.Status404NotFound:
                    await Problem.WriteAsync(http, StatusCodes.Status404NotFound,
                        "there is nothing here; /openapi/v1.json lists what there is").ConfigureAwait(false);
                    break;
                case StatusCodes.Status405MethodNotAllowed:
                    await Problem.WriteAsync(http, StatusCodes.Status405MethodNotAllowed,
                        $"{http.Request.Method} is not for this; expected {http.Response.Headers.Allow}")
                        .ConfigureAwait(false);
                    break;
            }
    }

    private static bool IsLocal(string host) => host.Equals("localhost", StringComparison.OrdinalIgnoreCase)
        || IPAddress.TryParse(host.Trim('[', ']'), out IPAddress? address) && IPAddress.IsLoopback(address);

    private sealed class NoLifetime : IHostLifetime
    {
        public Task WaitForStartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    }
}
