using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using Cliper.Kernels.Operations;
using Cliper.Model;
using Cliper.Model.Faces;
using Cliper.Model.Images;

namespace Cliper.Server.Tests;

/// <summary>A server over the model of drawn faces, at a free port of this machine.</summary>
internal sealed class RunningServer : IAsyncDisposable
{
    private readonly ServerHost _host;

    private RunningServer(ServerHost host) =>
        (_host, Client) = (host, new HttpClient { BaseAddress = host.Address, Timeout = TimeSpan.FromMinutes(1) });

    /// <summary>Pictures with different answers: a bright spot at different places.</summary>
    public static byte[][] Pictures { get; } = [.. Enumerable.Range(0, 7).Select(Picture)];

    /// <summary>A client of the server.</summary>
    public HttpClient Client { get; }

    /// <summary>Starts one.</summary>
    /// <param name="options">The limits; null for the usual.</param>
    /// <param name="detector">Finds faces; null for none, each picture is a face.</param>
    public static async Task<RunningServer> StartAsync(CliperServerOptions? options = null,
        IFaceDetector? detector = null) => new(await ServerHost.StartAsync(IPAddress.Loopback, 0, () => Load(detector),
            options ?? new CliperServerOptions()));

    /// <summary>The recognizer that a server has.</summary>
    public static ExpressionRecognizer Load(IFaceDetector? detector = null) => ExpressionRecognizer.Load("drawn-faces",
        new RecognizerOptions { FaceDetector = detector, Faces = detector is null ? null : FaceSelection.All });

    /// <summary>Sends a picture.</summary>
    public Task<HttpResponseMessage> PredictAsync(byte[] body, string query = "") =>
        Client.PostAsync($"/v1/predict{query}", new ByteArrayContent(body));

    /// <summary>Sends files as a form does.</summary>
    public Task<HttpResponseMessage> PredictAsync(params (string Name, byte[] Bytes)[] files)
    {
        var form = new MultipartFormDataContent();
        foreach ((string name, byte[] bytes) in files)
            form.Add(new ByteArrayContent(bytes), "file", name);
        return Client.PostAsync("/v1/predict", form);
    }

    /// <summary>Begins a request by hand.</summary>
    /// <param name="text">All that is sent.</param>
    public async Task<NetworkStream> OpenAsync(string text)
    {
        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp);
        await socket.ConnectAsync(_host.Address.Host, _host.Address.Port);
        var stream = new NetworkStream(socket, ownsSocket: true);
        await stream.WriteAsync(Encoding.Latin1.GetBytes(text));
        return stream;
    }

    /// <summary>A value of the metrics.</summary>
    public async Task<double> MetricAsync(string name)
    {
        string text = await Client.GetStringAsync("/metrics");
        string line = text.Split('\n').Single(line => line.StartsWith(name + " ", StringComparison.Ordinal));
        return double.Parse(line[(name.Length + 1)..], System.Globalization.CultureInfo.InvariantCulture);
    }

    /// <summary>Begins to stop the server.</summary>
    public Task StopAsync() => _host.StopAsync();

    private static byte[] Picture(int number)
    {
        const int Side = 48;
        var pixels = new byte[3 * Side * Side];
        for (int at = 0; at < pixels.Length; at++)
        {
            int across = at / 3 % Side - 6 * number, down = at / 3 / Side - 5 * number;
            pixels[at] = (byte)Math.Max(0, 250 - (at % 3 + 1) * (across * across + down * down));
        }
        return ImageCodec.Instance.Encode(new RgbImage(Side, Side, pixels), ImageFormat.Png);
    }

    public async ValueTask DisposeAsync()
    {
        Client.Dispose();
        await _host.DisposeAsync();
    }
}

/// <summary>A detector that finds all of every picture, when it is let.</summary>
internal sealed class HeldDetector : IFaceDetector
{
    // The warm-up of the server is not held.
    private const int WarmUpSide = 64;

    /// <summary>Set when a picture has come.</summary>
    public ManualResetEventSlim Came { get; } = new();

    /// <summary>Lets the detector answer.</summary>
    public ManualResetEventSlim Let { get; } = new();

    public IReadOnlyList<Face> Find(RgbImage image)
    {
        if (image.Width != WarmUpSide)
        {
            Came.Set();
            Let.Wait(TimeSpan.FromSeconds(30));
        }
        return [new Face(new PixelBox(0, 0, image.Width, image.Height), 1, [])];
    }
}

/// <summary>Readings of answers.</summary>
internal static class Answers
{
    /// <summary>The JSON of an answer.</summary>
    public static async Task<JsonElement> JsonAsync(this HttpResponseMessage answer) =>
        JsonDocument.Parse(await answer.Content.ReadAsByteArrayAsync()).RootElement;

    /// <summary>Asserts that an answer is a problem document, and gives its detail.</summary>
    public static async Task<string> ProblemAsync(this HttpResponseMessage answer, int status)
    {
        Assert.That((int)answer.StatusCode, Is.EqualTo(status), await answer.Content.ReadAsStringAsync());
        Assert.That(answer.Content.Headers.ContentType?.MediaType, Is.EqualTo("application/problem+json"));
        JsonElement problem = await answer.JsonAsync();
        Assert.That(problem.GetProperty("status").GetInt32(), Is.EqualTo(status));
        Assert.That(problem.GetProperty("title").GetString(), Is.Not.Empty);
        return problem.GetProperty("detail").GetString()!;
    }

    /// <summary>The probabilities of the first face of each file of a document.</summary>
    public static Dictionary<string, float>[] Probabilities(this JsonElement document) =>
        [.. document.GetProperty("results").EnumerateArray().Select(file => file.GetProperty("faces")[0]
            .GetProperty("probabilities").EnumerateObject().ToDictionary(member => member.Name,
            member => member.Value.GetSingle()))];
}
