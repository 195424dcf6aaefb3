using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using Cliper.Model;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;

namespace Cliper.Server.Tests;

/// <summary>The habits that all endpoints share, and the endpoints in the host of somebody else.</summary>
public sealed class EndpointsTests
{
    private RunningServer _server = null!;

    [OneTimeSetUp]
    public async Task Start() => _server = await RunningServer.StartAsync();

    [OneTimeTearDown]
    public async Task Stop() => await _server.DisposeAsync();

    [TestCase("/"), TestCase("/v1/predict"), TestCase("/metrics"), TestCase("/nothing")]
    public async Task EveryAnswer_HasTheSecurityHeaders_AndNoneOfCors(string path)
    {
        using HttpResponseMessage answer = await _server.Client.GetAsync(path);

        string[] headers = [.. answer.Headers.Select(header => header.Key)];
        Assert.That(headers, Is.SupersetOf(new[] { "X-Content-Type-Options", "X-Frame-Options", "Referrer-Policy",
            "Content-Security-Policy", "Cross-Origin-Resource-Policy" }));
        Assert.That(headers, Has.None.StartsWith("Access-Control").And.None.EqualTo("Server"));
    }

    [Test]
    public async Task AQuestionOfCors_IsNotAnswered()
    {
        using var request = new HttpRequestMessage(HttpMethod.Options, "/v1/predict");
        request.Headers.Add("Origin", "https://example.org");
        request.Headers.Add("Access-Control-Request-Method", "POST");

        using HttpResponseMessage answer = await _server.Client.SendAsync(request);

        Assert.That(answer.StatusCode, Is.EqualTo(HttpStatusCode.MethodNotAllowed));
        Assert.That(answer.Headers.Select(header => header.Key), Has.None.StartsWith("Access-Control"));
    }

    [TestCase("GET", "/nothing", 404), TestCase("PUT", "/v1/predict", 405), TestCase("GET", "/v1/predict", 405)]
    public async Task WhatIsNotThere_IsAProblemDocument(string method, string path, int status)
    {
        using HttpResponseMessage answer = await _server.Client.SendAsync(new(new HttpMethod(method), path));

        await answer.ProblemAsync(status);
    }

    [TestCase("localhost", 200), TestCase("127.0.0.1:99", 200), TestCase("[::1]", 200)]
    [TestCase("rebound.example.org", 421), TestCase("127.0.0.1.example.org", 421)]
    public async Task AtALoopbackAddress_OnlyLocalNamesAreAnswered(string host, int status)
    {
        await using NetworkStream stream = await _server.OpenAsync(
            $"GET /healthz/live HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        using var reader = new StreamReader(stream, Encoding.Latin1);

        Assert.That(await reader.ReadLineAsync(), Does.StartWith($"HTTP/1.1 {status} "));
    }

    [Test]
    public async Task Metrics_HaveEveryMeasure()
    {
        (await _server.PredictAsync(RunningServer.Pictures[0])).Dispose();

        using HttpResponseMessage answer = await _server.Client.GetAsync("/metrics");
        string text = await answer.Content.ReadAsStringAsync();

        Assert.That(answer.Content.Headers.ContentType?.ToString(), Does.StartWith("text/plain; version=0.0.4"));
        Assert.That(text, Does.Match("""cliper_requests_total\{endpoint="predict",code="200"\} [1-9]""")
            .And.Match("""cliper_request_duration_seconds_bucket\{le="\+Inf"\} [1-9]""")
            .And.Match("cliper_batch_faces_sum [1-9]").And.Match("cliper_queue_depth 0")
            .And.Match("cliper_faces_total [1-9]").And.Match("cliper_pictures_total [1-9]"));
        foreach (string line in text.TrimEnd('\n').Split('\n'))
            Assert.That(line, Does.Match(
                """^(# (HELP|TYPE) \w+ .+|\w+(\{\w+="[^"]*"(,\w+="[^"]*")*\})? -?[0-9.]+(E-?\d+)?)$"""));
    }

    [Test]
    public async Task TheDescription_HasExactlyTheEndpoints()
    {
        JsonElement document = await (await _server.Client.GetAsync("/openapi/v1.json")).JsonAsync();
        WebApplicationBuilder builder = WebApplication.CreateSlimBuilder();
        builder.Services.AddCliper("drawn-faces");
        await using WebApplication application = builder.Build();
        application.MapCliper();

        string[] mapped = [.. ((IEndpointRouteBuilder)application).DataSources.SelectMany(source => source.Endpoints)
            .Cast<RouteEndpoint>().Select(endpoint => endpoint.Metadata.GetMetadata<HttpMethodMetadata>()!
                .HttpMethods.Single().ToLowerInvariant() + " " + endpoint.RoutePattern.RawText)];

        Assert.That(document.GetProperty("openapi").GetString(), Is.EqualTo("3.1.0"));
        Assert.That(document.GetProperty("paths").EnumerateObject().SelectMany(path => path.Value.EnumerateObject()
            .Where(method => method.Name is "get" or "post").Select(method => $"{method.Name} {path.Name}")),
            Is.EquivalentTo(mapped));
    }

    [Test]
    public async Task MapCliper_WorksInAGroupOfAnotherHost()
    {
        WebApplicationBuilder builder = WebApplication.CreateSlimBuilder();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        builder.Services.AddCliper("drawn-faces");
        await using WebApplication application = builder.Build();
        application.MapGet("/", () => "mine");
        application.MapGroup("/faces").MapCliper(new CliperServerOptions { HasPage = false });
        await application.StartAsync();
        using var client = new HttpClient { BaseAddress = new Uri(application.Urls.Single()) };

        using HttpResponseMessage answer = await client.PostAsync("/faces/v1/predict",
            new ByteArrayContent(RunningServer.Pictures[0]));

        Assert.That((await answer.JsonAsync()).Probabilities(), Has.Length.EqualTo(1));
        Assert.That(await client.GetStringAsync("/"), Is.EqualTo("mine"));
        Assert.That((await client.GetAsync("/faces/")).StatusCode, Is.EqualTo(HttpStatusCode.NotFound));
        await application.StopAsync();
    }

    [Test]
    public async Task MapCliper_WithoutARecognizer_SaysWhatIsMissing()
    {
        await using WebApplication application = WebApplication.CreateSlimBuilder().Build();

        Assert.That(() => application.MapCliper(),
            Throws.InvalidOperationException.With.Message.Contains("AddCliper()"));
    }

    [Test]
    public async Task AModelThatIsMissing_EndsTheStart() => Assert.That(async () => await ServerHost.StartAsync(
        IPAddress.Loopback, 0, () => throw new InputException("no model"), new CliperServerOptions()),
        Throws.TypeOf<InputException>().With.Message.EqualTo("no model"));
}
