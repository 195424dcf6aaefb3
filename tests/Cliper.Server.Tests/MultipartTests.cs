using System.Net;
using System.Text;
using System.Text.Json;

namespace Cliper.Server.Tests;

/// <summary>Multipart bodies that no browser sends.</summary>
public sealed class MultipartTests
{
    private RunningServer _server = null!;

    [OneTimeSetUp]
    public async Task Start() => _server = await RunningServer.StartAsync();

    [OneTimeTearDown]
    public async Task Stop() => await _server.DisposeAsync();

    [TestCase("multipart/form-data", "")]
    [TestCase("multipart/form-data; boundary=", "")]
    [TestCase("multipart/form-data; boundary=\"\"", "")]
    [TestCase("multipart/form-data; boundary=x", "")]
    [TestCase("multipart/form-data; boundary=x", "--x--\r\n")]
    [TestCase("multipart/form-data; boundary=x", "--x\r\n")]
    [TestCase("multipart/form-data; boundary=x", "--x\r\nno header\r\n\r\n--x--")]
    [TestCase("multipart/form-data; boundary=x",
        "--x\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.png\"\r\n\r\ncut off")]
    [TestCase("multipart/form-data; boundary=x",
        "--x\r\nContent-Disposition: form-data; name=\"url\"\r\n\r\nhttp://127.0.0.1/a.png\r\n--x--\r\n")]
    [TestCase("multipart/mixed; boundary=x", "--y\r\n\r\n--y--")]
    public async Task AMalformedBody_Is400(string type, string body)
    {
        using HttpResponseMessage answer = await SendAsync(type, body);

        Assert.That(await answer.ProblemAsync(400), Does.StartWith("the multipart body is malformed: "));
    }

    [Test]
    public async Task ALongBoundary_Is400()
    {
        using HttpResponseMessage answer = await SendAsync($"multipart/form-data; boundary={new string('b', 71)}", "");

        Assert.That(await answer.ProblemAsync(400), Does.Contain("71 characters, expected 1 to 70"));
    }

    [Test]
    public async Task ManyHeadersOfAPart_Are400()
    {
        string headers = string.Concat(Enumerable.Range(0, 1000).Select(i => $"X-{i}: {new string('h', 100)}\r\n"));

        using HttpResponseMessage answer = await SendAsync("multipart/form-data; boundary=x",
            $"--x\r\n{headers}\r\n\r\n--x--\r\n");

        Assert.That(await answer.ProblemAsync(400), Does.StartWith("the multipart body is malformed: "));
    }

    [TestCase("", "image")]
    [TestCase(" ", "image")]
    [TestCase("../../etc/passwd", "../../etc/passwd")]
    [TestCase("a\u0001b\u0000c.png", "abc.png")]
    [TestCase("<script>.png", "<script>.png")]
    public async Task AFileName_IsGivenBackAndNothingElse(string given, string name)
    {
        JsonElement document = await (await SendPictureAsync(given)).JsonAsync();

        Assert.That(document.GetProperty("results")[0].GetProperty("file").GetString(), Is.EqualTo(name));
    }

    [Test]
    public async Task ALongFileName_IsCut()
    {
        JsonElement document = await (await SendPictureAsync(new string('n', 5000))).JsonAsync();

        Assert.That(document.GetProperty("results")[0].GetProperty("file").GetString(), Has.Length.EqualTo(255));
    }

    [Test]
    public async Task TwoThousandParts_AreAnsweredOrRefused_AndTheServerGoesOn()
    {
        string part = "--x\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a\"\r\n\r\nGIF89a\r\n";

        using HttpResponseMessage answer = await SendAsync("multipart/form-data; boundary=x",
            string.Concat(Enumerable.Repeat(part, 2000)) + "--x--\r\n");

        await answer.ProblemAsync(422);
        Assert.That((await SendPictureAsync("a.png")).StatusCode, Is.EqualTo(HttpStatusCode.OK));
    }

    private Task<HttpResponseMessage> SendPictureAsync(string name) => SendAsync("multipart/form-data; boundary=x",
        $"--x\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{name}\"\r\n\r\n"
        + Encoding.Latin1.GetString(RunningServer.Pictures[0]) + "\r\n--x--\r\n");

    private async Task<HttpResponseMessage> SendAsync(string type, string body)
    {
        var content = new ByteArrayContent(Encoding.Latin1.GetBytes(body));
        content.Headers.TryAddWithoutValidation("Content-Type", type);
        return await _server.Client.PostAsync("/v1/predict", content);
    }
}
