using System.Net;
using System.Net.Http.Headers;

namespace Cliper.Server.Tests;

/// <summary>The bearer token, and what a stranger gets without it.</summary>
public sealed class TokenTests
{
    private const string Token = "correct horse";

    private RunningServer _server = null!;

    [OneTimeSetUp]
    public async Task Start() => _server = await RunningServer.StartAsync(new CliperServerOptions { Token = Token });

    [OneTimeTearDown]
    public async Task Stop() => await _server.DisposeAsync();

    [TestCase(null), TestCase("Bearer wrong"), TestCase("Bearer"), TestCase("Bearer "), TestCase("Basic correct horse")]
    [TestCase("Bearer correct hors"), TestCase("Bearer correct horse2"), TestCase("correct horse")]
    public async Task WithoutTheToken_ThereIs401(string? authorization)
    {
        foreach ((HttpMethod method, string path) in new[] { (HttpMethod.Post, "/v1/predict"),
            (HttpMethod.Get, "/metrics"), (HttpMethod.Get, "/v2/models/drawn-faces"),
            (HttpMethod.Post, "/v2/models/drawn-faces/infer") })
        {
            using HttpResponseMessage answer = await SendAsync(method, path, authorization);

            Assert.That(await answer.ProblemAsync(401), Does.Contain("Authorization: Bearer TOKEN"), path);
            Assert.That(answer.Headers.WwwAuthenticate, Is.EqualTo(new[] { new AuthenticationHeaderValue("Bearer") }));
        }
    }

    [TestCase("Bearer correct horse"), TestCase("bearer  correct horse")]
    public async Task WithTheToken_ThereIsAnAnswer(string authorization)
    {
        using HttpResponseMessage answer = await SendAsync(HttpMethod.Post, "/v1/predict", authorization);

        Assert.That(answer.StatusCode, Is.EqualTo(HttpStatusCode.OK));
    }

    [TestCase("/healthz/live"), TestCase("/healthz/ready"), TestCase("/v2/health/ready"), TestCase("/openapi/v1.json")]
    [TestCase("/")]
    public async Task WhatTellsNothing_NeedsNoToken(string path)
    {
        using HttpResponseMessage answer = await SendAsync(HttpMethod.Get, path, null);

        Assert.That(answer.StatusCode, Is.EqualTo(HttpStatusCode.OK));
    }

    private Task<HttpResponseMessage> SendAsync(HttpMethod method, string path, string? authorization)
    {
        var request = new HttpRequestMessage(method, path);
        if (method == HttpMethod.Post)
            request.Content = new ByteArrayContent(RunningServer.Pictures[0]);
        if (authorization is not null)
            request.Headers.TryAddWithoutValidation("Authorization", authorization);
        return _server.Client.SendAsync(request);
    }
}
