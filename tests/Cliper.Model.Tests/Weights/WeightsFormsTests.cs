using System.Text.Json;
using Cliper.Kernels.Operations;
using Cliper.Model.Clip;
using Cliper.Model.Weights;

namespace Cliper.Model.Tests.Weights;

/// <summary>
/// CLIP weights in the forms in which they come: a training's checkpoint, PyTorch's files, a local cache.
/// </summary>
public sealed class WeightsFormsTests : TemporaryFolder
{
    private const string Model = "openai/clip-micro", Commit = "0123456789abcdef0123456789abcdef01234567";

    private static readonly string[] CacheVariables = ["HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_HOME",
        "XDG_CACHE_HOME"];

    private readonly Dictionary<string, string?> _environment = [];

    [SetUp]
    public void ForgetTheCache()
    {
        foreach (string name in CacheVariables)
        {
            _environment[name] = Environment.GetEnvironmentVariable(name);
            Environment.SetEnvironmentVariable(name, null);
        }
    }

    [TearDown]
    public void RestoreTheCache()
    {
        foreach ((string name, string? value) in _environment)
            Environment.SetEnvironmentVariable(name, value);
    }

    private static readonly ClipConfig Config = new()
    {
        ImageSize = 4,
        PatchSize = 2,
        VisionWidth = 64,
        VisionLayers = 1,
        VisionHeads = 1,
        TextWidth = 128,
        TextLayers = 2,
        TextHeads = 2,
        VocabularySize = 9,
        ContextLength = 5,
        EmbedSize = 3,
    };

    private static void AssertSame(ClipWeights loaded, ClipWeights expected)
    {
        Assert.That(loaded.Config, Is.EqualTo(expected.Config));
        foreach (string name in expected.Names)
            Assert.That(loaded.Values(name), Is.EqualTo(expected.Values(name)), name);
    }

    [Test]
    public void AnArchiveThatPyTorchWroteIsTheModelItWasMadeOf()
    {
        using ClipWeights loaded = ClipWeights.Load(Path.Combine(SharedFiles.Root, "tests", "checkpoints",
            "clip-micro.pt")),
            golden = ClipWeights.Load(Path.Combine(SharedFiles.Root, "tests", "golden",
            "clip_micro.weights.safetensors"));
        Assert.That(loaded.Config, Is.EqualTo(golden.Config));
        foreach (string name in golden.Names)
            Assert.That(loaded.Values(name), Is.EqualTo(golden.Values(name).Select(value =>
                golden.ShapeOf(name).Rank > 1 && !name.Contains("embedding") ? (float)(Half)value : value)), name);
    }

    [Test]
    public void TheModelInATrainingsCheckpointIsFound([Values("state_dict.", "state_dict.module.",
        "model.")] string prefix,
        [Values] ClipNaming naming)
    {
        using ClipWeights weights = ClipWeights.Random(Config, 1);
        var writer = new SafeTensorsWriter();
        var inner = new SafeTensorsWriter();
        weights.AddTo(inner, naming);
        inner.Write(In("inner"));
        using (var source = new SafeTensors(In("inner")))
            foreach (TensorEntry entry in source.Tensors.Values)
                writer.Add(prefix + entry.Name, [.. entry.Shape.Select(size => (int)size)],
                    source.ReadFloats(entry.Name));
        writer.Add("optimizer.state.0.exp_avg", [1], new float[1]);
        writer.Write(In("x"));
        using ClipWeights loaded = ClipWeights.Load(In("x"));
        AssertSame(loaded, weights);
        Assert.That(loaded.Naming, Is.EqualTo(naming));
    }

    [Test]
    public void OfTwoModelsOneHasToBeNamed()
    {
        using ClipWeights weights = ClipWeights.Random(Config, 1), average = ClipWeights.Random(Config, 2);
        var writer = new SafeTensorsWriter();
        foreach (string name in weights.Names)
        {
            writer.Add("model." + name, weights.ShapeOf(name).ToArray(), weights.Values(name));
            writer.Add("ema." + name, weights.ShapeOf(name).ToArray(), average.Values(name));
        }
        writer.Write(In("x"));
        Assert.That(() => ClipWeights.Load(In("x")), Throws.TypeOf<InputException>()
            .With.Message.Contains("2 CLIPs").And.Message.Contains("'ema.', 'model.'")
            .And.Property(nameof(InputException.Remedy)).EqualTo(Remedy.ExtractOneClip));
        using ClipWeights loaded = ClipWeights.Load(In("x"), "ema.");
        AssertSame(loaded, average);
        Assert.That(() => ClipWeights.Load(In("x"), "state."), Throws.TypeOf<InputException>());
    }

    [Test]
    public void ACheckpointOfThisProgramHoldsItsWholeConfiguration()
    {
        // Heads that do not follow from the widths, and all else that tensors do not say.
        ClipConfig config = Config with
        {
            VisionHeads = 4,
            Activation = Activation.Gelu,
            LayerNormEpsilon = 1e-6f,
            Mean = new ChannelValues(.1f, .2f, .3f),
        };
        using ClipWeights weights = ClipWeights.Random(config, 3);
        var writer = new SafeTensorsWriter();
        foreach (string name in weights.Names)
            writer.Add("clip." + name, weights.ShapeOf(name).ToArray(), weights.Values(name));
        writer.Add("metd.vectors", [1], new float[1]);
        writer.Metadata["clip_config"] = JsonSerializer.Serialize(config, JsonSerializerOptions.Web);
        writer.Write(In("x"));
        using (ClipWeights loaded = ClipWeights.Load(In("x")))
            AssertSame(loaded, weights);
        writer.Metadata["clip_config"] = """{"imageSize":""";
        writer.Write(In("x"));
        Assert.That(() => ClipWeights.Load(In("x")),
            Throws.TypeOf<InputException>().With.Message.Contains("'clip_config'"));
    }

    private static void MakeSnapshot(string cache)
    {
        string folder = Path.Combine(cache, "models--openai--clip-micro"),
            snapshot = Path.Combine(folder, "snapshots", Commit);
        Directory.CreateDirectory(Path.Combine(folder, "blobs"));
        Directory.CreateDirectory(Path.Combine(folder, "refs"));
        Directory.CreateDirectory(snapshot);
        using ClipWeights weights = ClipWeights.Random(Config, 4);
        weights.Save(Path.Combine(folder, "blobs", "abc"), ClipNaming.HuggingFace);
        File.CreateSymbolicLink(Path.Combine(snapshot, "model.safetensors"), "../../blobs/abc");
        File.WriteAllText(Path.Combine(snapshot, "config.json"),
            """{"vision_config":{"num_attention_heads":1},"text_config":{"num_attention_heads":2}}""");
        File.WriteAllText(Path.Combine(folder, "refs", "main"), Commit + "\n");
    }

    [Test]
    public void AModelsNameIsFoundInTheCache([Values("HF_HUB_CACHE", "HF_HOME", "XDG_CACHE_HOME")] string variable)
    {
        Environment.SetEnvironmentVariable(variable, Folder);
        string cache = variable switch
        {
            "HF_HOME" => In("hub"),
            "XDG_CACHE_HOME" => In("huggingface/hub"),
            _ => Folder,
        };
        MakeSnapshot(cache);
        using ClipWeights expected = ClipWeights.Random(Config, 4);
        foreach (string path in new[] { Model, Path.Combine(cache, "models--openai--clip-micro"),
            Path.Combine(cache, "models--openai--clip-micro", "snapshots", Commit) })
        {
            using ClipWeights loaded = ClipWeights.Load(path);
            AssertSame(loaded, expected);
        }
        // Configuration beside the link counts, not beside what it points to.
        File.WriteAllText(Path.Combine(cache, "models--openai--clip-micro", "snapshots", Commit, "config.json"),
            """{"model_type":"siglip"}""");
        Assert.That(() => ClipWeights.Load(Model), Throws.TypeOf<InputException>().With.Message.Contains("siglip"));
    }

    [Test]
    public void WhatIsNotInTheCacheIsAnErrorThatSaysHowToGetIt()
    {
        Environment.SetEnvironmentVariable("HF_HUB_CACHE", Folder);
        Assert.That(() => ClipWeights.Load(Model),
            Throws.TypeOf<InputException>().With.Message.Contains("no such file or folder")
            .And.Message.Contains(Folder).And.Message.Contains($"weights download {Model}"));
        MakeSnapshot(Folder);
        File.WriteAllText(In("models--openai--clip-micro/refs/main"), "../../../etc");
        Directory.CreateDirectory(In("models--openai--clip-micro/snapshots/other"));
        Assert.That(() => ClipWeights.Load(Model),
            Throws.TypeOf<InputException>().With.Message.Contains("none of the 2 snapshots"));
        Directory.Delete(In("models--openai--clip-micro/snapshots"), recursive: true);
        Assert.That(() => ClipWeights.Load(Model),
            Throws.TypeOf<InputException>().With.Message.Contains("none of the 0 snapshots"));
    }
}
