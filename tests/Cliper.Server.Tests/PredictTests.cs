using System.Text.Json;
using Cliper.Model;

namespace Cliper.Server.Tests;

/// <summary>The answers of <c>/v1/predict</c> beside those of the library.</summary>
public sealed class PredictTests
{
    // Batches of different sizes sum in different orders; 32 and more of fp32's last digits lie below.
    private const double Tolerance = 1e-5;

    private RunningServer _server = null!;
    private ExpressionRecognizer _library = null!;

    [OneTimeSetUp]
    public async Task Start() => (_server, _library) = (await RunningServer.StartAsync(), RunningServer.Load());

    [OneTimeTearDown]
    public async Task Stop()
    {
        await _server.DisposeAsync();
        _library.Dispose();
    }

    [Test]
    public async Task AnImage_GetsTheDocumentOfTheLibrary()
    {
        using HttpResponseMessage answer = await _server.PredictAsync(RunningServer.Pictures[0]);
        JsonElement document = await answer.JsonAsync();

        using var expected = new MemoryStream();
        using (var json = new Utf8JsonWriter(expected))
            _library.WriteJson(json, [_library.Recognize(RunningServer.Pictures[0]) with { Name = "image" }]);
        JsonElement own = JsonDocument.Parse(expected.ToArray()).RootElement;
        Assert.That(answer.Content.Headers.ContentType?.MediaType, Is.EqualTo("application/json"));
        Assert.That(Without(document), Is.EqualTo(Without(own)));
        AssertSame(document.Probabilities().Single(), own.Probabilities().Single());

        // The members, their order and their texts; numbers have a tolerance of their own.
        static string Without(JsonElement value) => value.ValueKind switch
        {
            JsonValueKind.Object => string.Join(' ', value.EnumerateObject().Select(member =>
                $"{member.Name}:{{{Without(member.Value)}}}")),
            JsonValueKind.Array => $"[{string.Join(' ', value.EnumerateArray().Select(Without))}]",
            JsonValueKind.Number => value.TryGetInt32(out int whole) ? $"{whole}" : "number",
            _ => value.ToString(),
        };
    }

    [Test]
    public async Task SeveralFiles_KeepTheirNamesAndTheirOrder_AndWhatIsNoPictureIsSkipped()
    {
        using HttpResponseMessage answer = await _server.PredictAsync(("b.png", RunningServer.Pictures[1]),
            ("notes.txt", "no picture"u8.ToArray()), ("ä a.png", RunningServer.Pictures[2]));
        JsonElement document = await answer.JsonAsync();

        Assert.That(document.GetProperty("results").EnumerateArray().Select(file =>
            file.GetProperty("file").GetString()), Is.EqualTo(new[] { "b.png", "ä a.png" }));
        JsonElement skipped = document.GetProperty("skipped").EnumerateArray().Single();
        Assert.That(skipped.GetProperty("file").GetString(), Is.EqualTo("notes.txt"));
        Assert.That(skipped.GetProperty("reason").GetString(), Does.Contain("not a JPEG"));
        AssertSame(document.Probabilities()[1], ExpectedOf(2));
    }

    [TestCase("?faces=none", 1, 0)]
    [TestCase("?faces=all", 0, 1)]
    [TestCase("?faces=largest", 0, 1)]
    public async Task TheQuery_SaysWhichFaces(string query, int results, int skipped)
    {
        // The detector of photographs finds no face in a plain picture.
        byte[] plain = Model.Images.ImageCodec.Instance.Encode(new(60, 40, new byte[3 * 60 * 40]),
            Model.Images.ImageFormat.Png);

        using HttpResponseMessage answer = await _server.PredictAsync(plain, query);
        JsonElement document = await answer.JsonAsync();

        Assert.That((document.GetProperty("results").GetArrayLength(), document.GetProperty("skipped")
            .GetArrayLength()), Is.EqualTo((results, skipped)));
        if (skipped > 0)
            Assert.That(document.GetProperty("skipped")[0].GetProperty("reason").GetString(),
                Is.EqualTo("no face found"));
    }

    [Test]
    public async Task ADetectedFace_HasItsBoxAndPoints()
    {
        byte[] photo = await File.ReadAllBytesAsync(Checkout.PathOf("docs/images/happy-baby.jpg"));

        using HttpResponseMessage answer = await _server.PredictAsync(photo, "?faces=all");
        JsonElement face = (await answer.JsonAsync()).GetProperty("results")[0].GetProperty("faces")[0];

        RecognizedFace expected = _library.Recognize([_library.Find(
            Model.Images.ImageCodec.Instance.Decode(photo, "photo"), "photo", FaceSelection.All)])[0].Faces[0];
        Assert.That(face.GetProperty("box").EnumerateArray().Select(value => value.GetInt32()),
            Is.EqualTo(new[] { expected.Box!.Value.X, expected.Box.Value.Y, expected.Box.Value.Width,
                expected.Box.Value.Height }));
        Assert.That(face.GetProperty("points").GetArrayLength(), Is.EqualTo(6));
    }

    [Test]
    public async Task AWrongQuery_IsRefused()
    {
        using HttpResponseMessage answer = await _server.PredictAsync(RunningServer.Pictures[0], "?faces=some");

        Assert.That(await answer.ProblemAsync(400), Is.EqualTo("faces is 'some'; expected all, largest or none"));
    }

    [Test]
    public async Task SixtyFourClients_GetTheLibrarysAnswers()
    {
        const int Clients = 64, Requests = 5;
        Dictionary<string, float>[] expected = [.. RunningServer.Pictures.Select((_, at) => ExpectedOf(at))];

        await Task.WhenAll(Enumerable.Range(0, Clients).Select(async client =>
        {
            for (int request = 0; request < Requests; request++)
            {
                int at = (client + request) % expected.Length;
                using HttpResponseMessage answer = await _server.PredictAsync(RunningServer.Pictures[at]);
                AssertSame((await answer.JsonAsync()).Probabilities().Single(), expected[at]);
            }
        }));

        Assert.That(await _server.MetricAsync("cliper_batch_faces_count"),
            Is.LessThan(await _server.MetricAsync("cliper_faces_total")), "faces were answered together");
        Assert.That(await _server.MetricAsync("cliper_queue_depth"), Is.Zero);
    }

    private Dictionary<string, float> ExpectedOf(int at) =>
        _library.Recognize(RunningServer.Pictures[at]).Faces.Single().Probabilities.ToDictionary();

    private static void AssertSame(Dictionary<string, float> actual, Dictionary<string, float> expected)
    {
        Assert.That(actual.Keys, Is.EqualTo(expected.Keys));
        foreach ((string name, float probability) in expected)
            Assert.That(actual[name], Is.EqualTo(probability).Within(Tolerance), name);
    }
}
