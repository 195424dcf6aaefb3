using System.Net;
using System.Text;
using System.Text.Json;
using Cliper.Model;
using Cliper.Model.Images;

namespace Cliper.Server.Tests;

/// <summary>The Open Inference Protocol, version 2.</summary>
public sealed class InferenceProtocolTests
{
    private const string Infer = "/v2/models/drawn-faces/infer";

    private RunningServer _server = null!;

    [OneTimeSetUp]
    public async Task Start() => _server = await RunningServer.StartAsync();

    [OneTimeTearDown]
    public async Task Stop() => await _server.DisposeAsync();

    [Test]
    public async Task ServerAndModel_DescribeThemselves()
    {
        JsonElement server = await GetAsync("/v2"), model = await GetAsync("/v2/models/drawn-faces");

        Assert.That(server.GetProperty("name").GetString(), Is.EqualTo("cliper-gpu"));
        Assert.That(model.GetProperty("inputs")[0].GetRawText(),
            Is.EqualTo("""{"name":"pixels","datatype":"UINT8","shape":[-1,-1,-1,3]}"""));
        Assert.That(model.GetProperty("outputs").EnumerateArray().Select(output =>
            output.GetProperty("name").GetString()), Is.EqualTo(new[] { "probabilities", "expression", "descriptor" }));
        Assert.That(model.GetProperty("parameters").GetProperty("classes").GetArrayLength(), Is.EqualTo(7));
    }

    [TestCase("/v2/health/live"), TestCase("/v2/health/ready"), TestCase("/v2/models/drawn-faces/ready")]
    public async Task Health_IsReady(string path) =>
        Assert.That((await GetAsync(path)).GetProperty("ready").GetBoolean());

    [TestCase("/v2/models/other"), TestCase("/v2/models/other/ready")]
    public async Task AnotherModel_Is404(string path)
    {
        using HttpResponseMessage answer = await _server.Client.GetAsync(path);

        Assert.That(await answer.ProblemAsync(404), Is.EqualTo("there is no model 'other'; expected drawn-faces"));
    }

    [TestCase(false), TestCase(true)]
    public async Task Pixels_GetTheLibrarysAnswers_FlatOrNested(bool nested)
    {
        using ExpressionRecognizer library = RunningServer.Load();
        RgbImage[] images = [.. RunningServer.Pictures.Take(3).Select(picture =>
            ImageCodec.Instance.Decode(picture, "picture"))];
        string data = string.Join(',', images.Select(image => nested ? $"[[{string.Join(',', image.Pixels)}]]"
            : string.Join(',', image.Pixels)));

        JsonElement answer = await (await SendAsync(Request("[3,48,48,3]", data, "\"id\":\"q\","))).JsonAsync();

        Recognition[] expected = [.. images.Select(image => library.Recognize(image))];
        Assert.That((answer.GetProperty("model_name").GetString(), answer.GetProperty("id").GetString()),
            Is.EqualTo(("drawn-faces", "q")));
        JsonElement outputs = answer.GetProperty("outputs");
        Assert.That(outputs[0].GetProperty("shape").GetRawText(), Is.EqualTo("[3,7]"));
        Assert.That(outputs[0].GetProperty("data").EnumerateArray().Select(value => value.GetSingle()),
            Is.EqualTo(expected.SelectMany(image => image.Faces[0].Probabilities.Values)).Within(1e-5));
        Assert.That(outputs[1].GetProperty("data").EnumerateArray().Select(value => value.GetString()),
            Is.EqualTo(expected.Select(image => image.Faces[0].Expression)));
        Assert.That(outputs[2].GetProperty("data").EnumerateArray().Select(value => value.GetInt32()),
            Is.EqualTo(expected.Select(image => image.Faces[0].Descriptor)));
    }

    [Test]
    public async Task AnOutputThatIsNamed_ComesAlone()
    {
        JsonElement answer = await (await SendAsync(Request("[1,1,1,3]", "1,2,3",
            "\"outputs\":[{\"name\":\"expression\"}],"))).JsonAsync();

        Assert.That(answer.GetProperty("outputs").EnumerateArray().Single().GetProperty("datatype").GetString(),
            Is.EqualTo("BYTES"));
    }

    [TestCase("no json"), TestCase("null"), TestCase("{}"), TestCase("[]"), TestCase("{\"inputs\":[]}")]
    [TestCase("{\"inputs\":[null]}")]
    [TestCase("{\"inputs\":[{\"name\":\"pixels\",\"datatype\":\"FP32\",\"shape\":[1,1,1,3],\"data\":[1,2,3]}]}")]
    [TestCase("{\"inputs\":[{\"name\":\"x\",\"datatype\":\"UINT8\",\"shape\":[1,1,1,3],\"data\":[1,2,3]}]}")]
    public async Task WhatIsNoRequest_Is400(string body)
    {
        using HttpResponseMessage answer = await SendAsync(body);

        Assert.That(await answer.ProblemAsync(400), Does.StartWith("the request is malformed: "));
    }

    [TestCase("[1,1,1,3]", "1,2"), TestCase("[1,1,1,3]", "1,2,256"), TestCase("[1,1,1,3]", "1,2,-3")]
    [TestCase("[1,1,1,3]", "1,2,3.5"), TestCase("[1,1,3]", "1,2,3"), TestCase("[0,1,1,3]", "")]
    [TestCase("[1,1,1,4]", "1,2,3,4"), TestCase("[-1,-1,1,3]", "1,2,3")]
    [TestCase("[4611686018427387904,4,1,3]", "1,2,3"), TestCase("[1,1,1,3]", "\"AAAA\"")]
    public async Task AShapeThatIsNotTheDatas_Is400(string shape, string data)
    {
        using HttpResponseMessage answer = await SendAsync(Request(shape, data, ""));

        Assert.That(await answer.ProblemAsync(400), Does.StartWith("the request is malformed: "));
        Assert.That((await answer.JsonAsync()).GetProperty("error").GetString(), Is.Not.Empty);
    }

    private static string Request(string shape, string data, string more) => $$"""
        {{{more}}"inputs":[{"name":"pixels","datatype":"UINT8","shape":{{shape}},"data":[{{data}}]}]}
        """;

    private Task<HttpResponseMessage> SendAsync(string body) =>
        _server.Client.PostAsync(Infer, new StringContent(body, Encoding.UTF8, "application/json"));

    private async Task<JsonElement> GetAsync(string path)
    {
        using HttpResponseMessage answer = await _server.Client.GetAsync(path);
        Assert.That(answer.StatusCode, Is.EqualTo(HttpStatusCode.OK));
        return await answer.JsonAsync();
    }
}
