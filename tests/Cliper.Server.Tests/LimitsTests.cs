using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Cliper.Server.Tests;

/// <summary>Every limit has its answer, and the server goes on afterwards.</summary>
public sealed class LimitsTests
{
    private static readonly CliperServerOptions Usual = new();

    [Test]
    public async Task ABodyThatSaysItIsTooLarge_Is413BeforeItIsRead()
    {
        await using RunningServer server = await RunningServer.StartAsync();
        await using NetworkStream stream = await server.OpenAsync(
            $"POST /v1/predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: {Usual.MaxBodyBytes + 1}\r\n\r\n");

        Assert.That(await FirstLineAsync(stream), Is.EqualTo("HTTP/1.1 413 Payload Too Large"));
        await AssertAnswersAsync(server);
    }

    [TestCase(false), TestCase(true)]
    public async Task ABodyOfNineMegabytes_Is413(bool chunked)
    {
        await using RunningServer server = await RunningServer.StartAsync();
        using var request = new HttpRequestMessage(HttpMethod.Post, "/v1/predict")
        {
            Content = new ByteArrayContent(new byte[9 << 20]),
        };
        request.Headers.TransferEncodingChunked = chunked;

        using HttpResponseMessage answer = await server.Client.SendAsync(request);

        Assert.That(await answer.ProblemAsync(413), Does.Contain("more than 8 MiB"));
        await AssertAnswersAsync(server);
    }

    [Test]
    public async Task APictureOfTooManyPixels_Is422BeforeItIsDecoded()
    {
        await using RunningServer server = await RunningServer.StartAsync();

        using HttpResponseMessage answer = await server.PredictAsync(PngHeader(5001, 5000));
        using HttpResponseMessage allowed = await server.PredictAsync(PngHeader(5000, 5000));

        Assert.That(await answer.ProblemAsync(422), Does.Contain("5001 x 5000 pixels"));
        Assert.That(await allowed.ProblemAsync(422), Does.Contain("truncated"), "it was decoded");
    }

    [Test]
    public async Task APictureThatIsCutOff_Is422()
    {
        await using RunningServer server = await RunningServer.StartAsync();
        byte[] picture = RunningServer.Pictures[0];

        using HttpResponseMessage answer = await server.PredictAsync(picture[..(picture.Length / 2)]);

        Assert.That(await answer.ProblemAsync(422), Does.StartWith("image: the picture is"));
    }

    [TestCase("hello"), TestCase(""), TestCase("http://127.0.0.1/picture.jpg"), TestCase("<svg/>")]
    public async Task WhatIsNoPicture_Is415(string body)
    {
        await using RunningServer server = await RunningServer.StartAsync();

        using HttpResponseMessage answer = await server.PredictAsync(Encoding.UTF8.GetBytes(body));

        Assert.That(await answer.ProblemAsync(415),
            Is.EqualTo("image: not a JPEG, PNG, WebP, BMP or GIF picture"));
    }

    [Test]
    public async Task AFullQueue_Is503WithRetryAfter_AndIsFreeAgainAfterwards()
    {
        var detector = new HeldDetector();
        await using RunningServer server = await RunningServer.StartAsync(Usual with { MaxRequests = 1 }, detector);
        Task<HttpResponseMessage> first = server.PredictAsync(RunningServer.Pictures[0]);
        Assert.That(detector.Came.Wait(TimeSpan.FromSeconds(30)));

        using HttpResponseMessage refused = await server.PredictAsync(RunningServer.Pictures[0]);
        detector.Let.Set();
        using HttpResponseMessage answered = await first;

        Assert.That(await refused.ProblemAsync(503), Does.Contain("the queue is full"));
        Assert.That(refused.Headers.RetryAfter?.Delta, Is.EqualTo(TimeSpan.FromSeconds(1)));
        Assert.That(answered.StatusCode, Is.EqualTo(HttpStatusCode.OK));
        await AssertAnswersAsync(server);
    }

    [Test]
    public async Task BodiesThatAreTooLargeTogether_Are503()
    {
        await using RunningServer server = await RunningServer.StartAsync(Usual with { MaxPendingBytes = 10_000 });

        using HttpResponseMessage answer = await server.PredictAsync(new byte[10_001]);

        Assert.That(await answer.ProblemAsync(503), Does.Contain("the queue is full"));
        await AssertAnswersAsync(server);
    }

    [Test]
    public async Task ABodyThatDoesNotCome_Is408()
    {
        await using RunningServer server = await RunningServer.StartAsync(
            Usual with { TimeOut = TimeSpan.FromSeconds(0.3) });
        await using NetworkStream stream = await server.OpenAsync(
            "POST /v1/predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\nhalf");

        Assert.That(await FirstLineAsync(stream), Is.EqualTo("HTTP/1.1 408 Request Timeout"));
    }

    [Test]
    public async Task AnAnswerThatDoesNotCome_Is504()
    {
        var detector = new HeldDetector();
        await using RunningServer server = await RunningServer.StartAsync(
            Usual with { TimeOut = TimeSpan.FromSeconds(0.3) }, detector);
        Task<HttpResponseMessage> first = server.PredictAsync(RunningServer.Pictures[0]);

        using HttpResponseMessage second = await server.PredictAsync(RunningServer.Pictures[1]);
        detector.Let.Set();
        using HttpResponseMessage answer = await first;

        Assert.That(await answer.ProblemAsync(504), Is.EqualTo("there was no answer within 0.3 s"));
        Assert.That(await second.ProblemAsync(504), Does.Contain("0.3 s"));
    }

    [Test]
    public async Task AClientThatGoesAway_LeavesItsPlace()
    {
        var detector = new HeldDetector();
        await using RunningServer server = await RunningServer.StartAsync(null, detector);
        using var cancel = new CancellationTokenSource();
        Task<HttpResponseMessage> gone = server.Client.PostAsync("/v1/predict",
            new ByteArrayContent(RunningServer.Pictures[0]), cancel.Token);
        Assert.That(detector.Came.Wait(TimeSpan.FromSeconds(30)));

        await cancel.CancelAsync();
        Assert.That(async () => await gone, Throws.InstanceOf<OperationCanceledException>());
        detector.Let.Set();

        await AssertAnswersAsync(server);
        for (int wait = 0; await server.MetricAsync("cliper_queue_depth") > 0 && wait < 100; wait++)
            await Task.Delay(50);
        Assert.That(await server.MetricAsync("cliper_queue_depth"), Is.Zero);
    }

    [Test]
    public async Task AStop_AnswersWhatIsTaken()
    {
        var detector = new HeldDetector();
        RunningServer server = await RunningServer.StartAsync(null, detector);
        Task<HttpResponseMessage> taken = server.PredictAsync(RunningServer.Pictures[0]);
        Assert.That(detector.Came.Wait(TimeSpan.FromSeconds(30)));

        Task stop = server.StopAsync();
        await Task.Delay(200);
        Assert.That(stop.IsCompleted, Is.False, "it waits for the answer");
        detector.Let.Set();
        using HttpResponseMessage answer = await taken;
        await stop;

        Assert.That(answer.StatusCode, Is.EqualTo(HttpStatusCode.OK));
        Assert.That((await answer.JsonAsync()).GetProperty("results").GetArrayLength(), Is.EqualTo(1));
        Assert.That(async () => await server.OpenAsync(""), Throws.InstanceOf<SocketException>());
        await server.DisposeAsync();
    }

    private static async Task AssertAnswersAsync(RunningServer server)
    {
        using HttpResponseMessage answer = await server.PredictAsync(RunningServer.Pictures[0], "?faces=none");
        Assert.That(answer.StatusCode, Is.EqualTo(HttpStatusCode.OK));
    }

    private static async Task<string?> FirstLineAsync(Stream stream)
    {
        using var reader = new StreamReader(stream, Encoding.Latin1, leaveOpen: true);
        return await reader.ReadLineAsync().WaitAsync(TimeSpan.FromSeconds(30));
    }

    /// <summary>A PNG of a size, without its pixels.</summary>
    private static byte[] PngHeader(int width, int height)
    {
        var bytes = new List<byte> { 0x89, (byte)'P', (byte)'N', (byte)'G', 13, 10, 26, 10 };
        var header = new byte[13];
        BinaryPrimitives.WriteInt32BigEndian(header, width);
        BinaryPrimitives.WriteInt32BigEndian(header.AsSpan(4), height);
        (header[8], header[9]) = (8, 0);
        Add("IHDR", header);
        Add("IDAT", [0x78, 0x9C]);
        return [.. bytes];

        void Add(string type, byte[] data)
        {
            byte[] part = [.. Encoding.ASCII.GetBytes(type), .. data];
            var number = new byte[4];
            BinaryPrimitives.WriteInt32BigEndian(number, data.Length);
            bytes.AddRange(number);
            bytes.AddRange(part);
            BinaryPrimitives.WriteUInt32BigEndian(number, Crc(part));
            bytes.AddRange(number);
        }

        static uint Crc(byte[] data)
        {
            uint crc = uint.MaxValue;
            foreach (byte value in data)
            {
                crc ^= value;
                for (int bit = 0; bit < 8; bit++)
                    crc = (crc & 1) != 0 ? crc >> 1 ^ 0xEDB88320 : crc >> 1;
            }
            return ~crc;
        }
    }
}
