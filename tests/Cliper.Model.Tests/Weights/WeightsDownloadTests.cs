using System.Text;
using Cliper.Model.Clip;
using Cliper.Model.Weights;

namespace Cliper.Model.Tests.Weights;

/// <summary>Downloads from a hub on this machine that does all that goes wrong on the way from the real one.</summary>
public sealed class WeightsDownloadTests : TemporaryFolder
{
    private const string Weights = "model.safetensors";

    private static readonly string Snapshot = Path.Combine("models--openai--clip-micro", "snapshots",
        FaultyServer.Commit);

    private FaultyServer _server = null!;

    [SetUp]
    public void StartServer()
    {
        _server = new FaultyServer();
        ClipConfig config = new()
        {
            ImageSize = 4,
            PatchSize = 2,
            VisionWidth = 64,
            VisionLayers = 1,
            VisionHeads = 1,
            TextWidth = 64,
            TextLayers = 1,
            TextHeads = 1,
            VocabularySize = 9,
            ContextLength = 5,
            EmbedSize = 3,
        };
        using (ClipWeights weights = ClipWeights.Random(config, 1))
            weights.Save(In("made"), ClipNaming.HuggingFace);
        _server.Files[Weights] = File.ReadAllBytes(In("made"));
        _server.Large.Add(Weights);
        _server.Files["config.json"] =
            Encoding.UTF8.GetBytes(
            """{"vision_config":{"num_attention_heads":1},"text_config":{"num_attention_heads":1}}""");
        _server.Files["README.md"] = [1];
        _server.Files["tf_model.h5"] = new byte[1000];
    }

    [TearDown]
    public void StopServer() => _server.Dispose();

    private string Cache => In("cache");

    private WeightsDownload Downloader() => new(_server.Address, Cache, TimeSpan.FromMilliseconds(1))
    {
        Patience =
        TimeSpan.FromSeconds(1)
    };

    private DownloadResult Download(IProgress<DownloadProgress>? progress = null)
    {
        using WeightsDownload download = Downloader();
        return download.Run(FaultyServer.Model, progress: progress);
    }

    private void AssertWhole(DownloadResult result)
    {
        Assert.That(result.Folder, Is.EqualTo(Path.Combine(Cache, Snapshot)));
        foreach (string name in new[] { Weights, "config.json" })
        {
            string path = Path.Combine(result.Folder, name);
            Assert.That(File.ReadAllBytes(path), Is.EqualTo(_server.Files[name]));
            Assert.That(new FileInfo(path).LinkTarget, Is.EqualTo($"../../blobs/{_server.Checksum(name)}"));
        }
        Assert.That(File.ReadAllText(Path.Combine(Cache, "models--openai--clip-micro", "refs", "main")),
            Is.EqualTo(FaultyServer.Commit));
        Assert.That(Directory.GetFiles(Cache, "*.incomplete", SearchOption.AllDirectories), Is.Empty);
        ClipWeights.Load(result.Folder).Dispose();
    }

    [Test]
    public void WhatIsNeededIsFetchedOnceIntoTheCachesLayout()
    {
        var reports = new Reports();
        DownloadResult result = Download(reports);
        AssertWhole(result);
        Assert.That(result.Files, Is.EqualTo(new[] { "config.json", Weights }));
        long bytes = _server.Files[Weights].Length + _server.Files["config.json"].Length;
        Assert.That(result.Fetched, Is.EqualTo(bytes));
        Assert.That(reports.All[^1], Is.EqualTo(new DownloadProgress(Weights, bytes, bytes)));
        Assert.That(reports.All.Select(report => report.Done), Is.Ordered);

        int before = _server.Requests.Count;
        result = Download();
        AssertWhole(result);
        Assert.That((result.Fetched, _server.Requests.Count - before), Is.EqualTo((0L, 1)),
            "only the list is asked for again");
    }

    private sealed class Reports : IProgress<DownloadProgress>
    {
        public List<DownloadProgress> All { get; } = [];

        public void Report(DownloadProgress value) => All.Add(value);
    }

    [Test]
    public void ADroppedConnectionIsGoneOnWith()
    {
        // Seven drops in a row are more than the attempts without progress.
        int step = _server.Files[Weights].Length / 8 + 1;
        _server.Fault = (name, bytes, from) => name != Weights ? null
            : FaultyServer.Right(bytes, from) is var whole && whole.Body.Length > step
            ? whole with { Body = whole.Body[..step], Length = whole.Body.Length } : null;
        DownloadResult result = Download();
        AssertWhole(result);
        Assert.That(result.Fetched, Is.EqualTo(_server.Files[Weights].Length + _server.Files["config.json"].Length),
            "nothing twice");
        Assert.That(_server.Requests.Count(request => request.Contains(" from ")), Is.EqualTo(7));
    }

    [Test]
    public void AConnectionThatFallsSilentIsGoneOnWith()
    {
        bool silent = true;
        _server.Fault = (name, bytes, from) =>
        {
            if (name != Weights || !silent)
                return null;
            silent = false;
            return new FaultyServer.Answer("200 OK", bytes[..1000], bytes.Length, Stall: true);
        };
        AssertWhole(Download());
        Assert.That(_server.Requests, Has.Some.EndsWith("from 1000"));
    }

    [Test]
    public void AServerThatIsBusyIsAskedAgain()
    {
        int left = 3;
        _server.Fault = (name, _, _) => name == Weights && left-- > 0
            ? new FaultyServer.Answer("503 Service Unavailable", []) : null;
        AssertWhole(Download());
    }

    [Test]
    public void AServerThatCannotGoOnIsReadFromTheBeginning()
    {
        bool first = true;
        _server.Fault = (name, bytes, from) =>
        {
            if (name != Weights)
                return null;
            (bool drop, first) = (first, false);
            return new FaultyServer.Answer("200 OK", drop ? bytes[..1000] : bytes, bytes.Length);
        };
        AssertWhole(Download());
    }

    [Test]
    public void AnotherCallGoesOnWhereTheFirstFailed()
    {
        _server.Fault = (name, bytes, from) => name == Weights ? new FaultyServer.Answer(from is null ? "200 OK"
            : "503 Busy", bytes[..5000],
            from is null ? bytes.Length : null) : null;
        InputException error = Assert.Throws<InputException>(() => Download())!;
        Assert.That(error.Message,
            Does.Contain(Weights).And.Contain("5 attempts").And.Contain("goes on where it stopped"));
        Assert.That(new FileInfo(Blob(Weights) + ".incomplete").Length, Is.EqualTo(5000));
        Assert.That(Path.Combine(Cache, "models--openai--clip-micro", "refs", "main"), Does.Not.Exist,
            "half a model has no name");
        _server.Fault = null;
        DownloadResult result = Download();
        AssertWhole(result);
        Assert.That(result.Fetched, Is.EqualTo(_server.Files[Weights].Length - 5000));
    }

    [Test]
    public void ACanceledDownloadIsGoneOnWith()
    {
        using var cancellation = new CancellationTokenSource();
        _server.Fault = (name, bytes, from) => name == Weights ? new FaultyServer.Answer("200 OK", bytes[..5000],
            bytes.Length, Stall: true) : null;
        using (WeightsDownload download = Downloader())
            Assert.That(() => download.Run(FaultyServer.Model, progress: new Cancel(cancellation),
                cancellation: cancellation.Token),
                Throws.InstanceOf<OperationCanceledException>());
        Assert.That(new FileInfo(Blob(Weights) + ".incomplete").Length, Is.EqualTo(5000));
        _server.Fault = null;
        AssertWhole(Download());
    }

    private sealed class Cancel(CancellationTokenSource source) : IProgress<DownloadProgress>
    {
        public void Report(DownloadProgress value)
        {
            if (value.File == Weights && value.Done >= 5000)
                source.Cancel();
        }
    }

    private string Blob(string name) => Path.Combine(Cache, "models--openai--clip-micro", "blobs",
        _server.Checksum(name));

    [Test]
    public void OtherBytesThanPromisedAreThrownAway([Values(Weights, "config.json")] string file)
    {
        _server.Fault = (name, bytes, from) => name == file
            ? FaultyServer.Right([.. bytes[..^1], (byte)(bytes[^1] ^ 1)], from) : null;
        Assert.That(() => Download(),
            Throws.TypeOf<InputException>().With.Message.Contains(file).And.Message.Contains("the checksum is")
            .And.Message.Contains($"expected {_server.Checksum(file)}"));
        Assert.That(Blob(file), Does.Not.Exist);
        Assert.That(Path.Combine(Cache, Snapshot, file), Does.Not.Exist);
        _server.Fault = null;
        AssertWhole(Download());
    }

    [Test]
    public void AFileThatIsShorterThanItsListSaysIsAnError()
    {
        _server.Fault = (name, bytes, from) => name == Weights ? FaultyServer.Right(bytes[..^10], from) : null;
        Assert.That(() => Download(),
            Throws.TypeOf<InputException>().With.Message.Contains(Weights).And.Message.Contains("5 attempts"));
        Assert.That(Blob(Weights), Does.Not.Exist);
    }

    [Test]
    public void AFileThatIsLongerThanItsListSaysIsAnErrorAtOnce()
    {
        // Half a gigabyte is announced; no more is read than shows the lie.
        _server.Fault = (name, bytes, _) => name == Weights
            ? new FaultyServer.Answer("200 OK", [.. bytes, .. new byte[1 << 20]], 1L << 29) : null;
        Assert.That(() => Download(), Throws.TypeOf<InputException>().With.Message.Contains("sends more than"));
        Assert.That(new FileInfo(Blob(Weights) + ".incomplete").Length, Is.Zero);
        _server.Fault = null;
        AssertWhole(Download());
    }

    [Test]
    public void AnotherPartThanAskedForIsAnError()
    {
        _server.Fault = (name, bytes, from) => name != Weights ? null
            : from is null ? new FaultyServer.Answer("200 OK", bytes[..1000], bytes.Length)
            : new FaultyServer.Answer("206 Partial Content", bytes[1001..],
            Headers: $"Content-Range: bytes 1001-{bytes.Length - 1}/{bytes.Length}\r\n");
        Assert.That(() => Download(),
            Throws.TypeOf<InputException>().With.Message.Contains("another part than from byte 1000"));
    }

    [Test]
    public void ShardsOfAnIndexAreFetched()
    {
        byte[] first = Shard("a"), second = Shard("b");
        _server.Files.Remove(Weights);
        _server.Files["model.safetensors.index.json"] =
            Encoding.UTF8.GetBytes("""{"weight_map":{"a":"one.safetensors","b":"two.safetensors"}}""");
        _server.Files["one.safetensors"] = first;
        _server.Files["two.safetensors"] = second;
        DownloadResult result = Download();
        using (TensorSource source = TensorSource.Open(result.Folder))
            Assert.That(source.Tensors.Keys, Is.EquivalentTo(new[] { "a", "b" }));

        _server.Files["model.safetensors.index.json"] =
            Encoding.UTF8.GetBytes("""{"weight_map":{"a":"../../../../x","b":"two.safetensors"}}""");
        Assert.That(() => Download(), Throws.TypeOf<InputException>().With.Message.Contains("not a plain file name"));
        _server.Files["model.safetensors.index.json"] =
            Encoding.UTF8.GetBytes("""{"weight_map":{"a":"three.safetensors"}}""");
        Assert.That(() => Download(),
            Throws.TypeOf<InputException>().With.Message.Contains(
            "'three.safetensors', which the model does not have"));

        byte[] Shard(string name)
        {
            var writer = new SafeTensorsWriter();
            writer.Add(name, [1], new float[1]);
            writer.Write(In(name));
            return File.ReadAllBytes(In(name));
        }
    }

    [TestCase("""{"siblings":[]}""", "no commit or list")]
    [TestCase("""{"sha":"../../x","siblings":[]}""", "no commit or list")]
    [TestCase("""{"sha":"0123456789abcdef0123456789abcdef01234567","siblings":5}""", "no commit or list")]
    [TestCase("""{"sha":"0123456789abcdef0123456789abcdef01234567","siblings":[]}""", "has none of model.safetensors")]
    [TestCase("""{"sha":"0123456789abcdef0123456789abcdef01234567","siblings":[1,{"rfilename":2},{"rfilename":"model.safetensors"}]}""", "has none of")]
    [TestCase("""{"sha":"0123456789abcdef0123456789abcdef01234567","siblings":[{"rfilename":"model.safetensors","size":3,"blobId":"../../../../tmp/x"}]}""", "has none of")]
    [TestCase("""{"sha":"0123456789abcdef0123456789abcdef01234567","siblings":[{"rfilename":"../model.safetensors","size":3,"blobId":"0123456789abcdef0123456789abcdef01234567"}]}""", "has none of")]
    [TestCase("""<html>""", "not valid JSON")]
    public void AStrangeListIsAnErrorThatWritesNothing(string list, string says)
    {
        _server.List = _ => list;
        Assert.That(() => Download(), Throws.TypeOf<InputException>().With.Message.Contains(says));
        Assert.That(Cache, Does.Not.Exist);
    }

    [Test]
    public void WhatIsNotThereIsAnError()
    {
        using WeightsDownload download = Downloader();
        Assert.That(() => download.Run("openai/clip-mirco"),
            Throws.TypeOf<InputException>().With.Message.Contains("no such public model")
            .And.Message.Contains(_server.Address));
        foreach (string name in new[] { "clip", "a/b/c", "../x", "a/..", "/etc/passwd", "a/b?c", "" })
            Assert.That(() => download.Run(name),
                Throws.TypeOf<SettingsException>().With.Message.Contains("no model's name"));
        Assert.That(() => download.Run(FaultyServer.Model, "../main"),
            Throws.TypeOf<SettingsException>().With.Message.Contains("revision"));
        Assert.That(() => new WeightsDownload("ftp://x"),
            Throws.TypeOf<SettingsException>().With.Message.Contains("HF_ENDPOINT"));
    }

    [Test]
    public void TwoDownloadsDoNotWriteOneFile()
    {
        Directory.CreateDirectory(Path.GetDirectoryName(Blob(Weights))!);
        using (new FileStream(Blob(Weights) + ".incomplete", FileMode.Create, FileAccess.Write, FileShare.None))
            Assert.That(() => Download(), Throws.TypeOf<IOException>().With.Message.Contains("another download"));
        AssertWhole(Download());
    }

    [Test]
    public void NobodyThereIsAnErrorAfterSomeAttempts()
    {
        string address = _server.Address;
        _server.Dispose();
        using var download = new WeightsDownload(address, Cache, TimeSpan.FromMilliseconds(1));
        Assert.That(() => download.Run(FaultyServer.Model),
            Throws.TypeOf<InputException>().With.Message.Contains("5 attempts")
            .And.Message.Contains("proxy"));
    }

    [Test]
    public void OfflineNothingIsAsked()
    {
        string? before = Environment.GetEnvironmentVariable("HF_HUB_OFFLINE");
        try
        {
            Environment.SetEnvironmentVariable("HF_HUB_OFFLINE", "1");
            Assert.That(() => Downloader(), Throws.TypeOf<SettingsException>().With.Message.Contains("HF_HUB_OFFLINE"));
        }
        finally
        {
            Environment.SetEnvironmentVariable("HF_HUB_OFFLINE", before);
        }
        Assert.That(_server.Requests, Is.Empty);
    }
}
