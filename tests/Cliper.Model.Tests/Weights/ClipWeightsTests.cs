using System.Text.Json.Nodes;
using Cliper.Autograd;
using Cliper.Kernels.Cpu;
using Cliper.Kernels.Operations;
using Cliper.Model.Clip;
using Cliper.Model.Weights;

namespace Cliper.Model.Tests.Weights;

public sealed class ClipWeightsTests : TemporaryFolder
{
    /// <summary>Widths that are all different, and heads that do not follow from them.</summary>
    private static readonly ClipConfig Small = new()
    {
        ImageSize = 12,
        PatchSize = 4,
        VisionWidth = 6,
        VisionLayers = 2,
        VisionHeads = 3,
        TextWidth = 10,
        TextLayers = 1,
        TextHeads = 2,
        VocabularySize = 17,
        ContextLength = 9,
        EmbedSize = 7,
        Activation = Activation.Gelu,
        LayerNormEpsilon = 1e-6f,
        Mean = new ChannelValues(.1f, .2f, .3f),
        Std = new ChannelValues(.4f, .5f, .6f),
    };

    private static readonly ClipConfig Usual = Small with
    {
        VisionWidth = 64,
        VisionHeads = 1,
        TextWidth = 128,
        TextHeads = 2,
        Activation = Activation.QuickGelu,
        LayerNormEpsilon = LayerNorm.DefaultEpsilon,
        Mean = ClipConfig.ClipMean,
        Std = ClipConfig.ClipStd,
    };

    /// <summary>Every element another number of few enough bits for every type: none can be mistaken for its
    /// neighbor.</summary>
    private static ClipWeights Make(ClipConfig config)
    {
        int next = 0;
        return ClipWeights.From(config, ClipTensors.List(config).ToDictionary(tensor => tensor.Name,
            tensor => Enumerable.Range(0, (int)tensor.Shape.Count).Select(_ => next++ % 251 / 4f).ToArray()));
    }

    private static void AssertSame(ClipWeights loaded, ClipWeights expected)
    {
        Assert.That(loaded.Config, Is.EqualTo(expected.Config));
        Assert.That(loaded.Names, Is.EqualTo(expected.Names));
        foreach (string name in expected.Names)
        {
            Assert.That(loaded.ShapeOf(name), Is.EqualTo(expected.ShapeOf(name)), name);
            Assert.That(loaded.Values(name), Is.EqualTo(expected.Values(name)), name);
        }
    }

    [Test]
    public void WhatWasSavedIsLoaded([Values] ClipNaming naming,
        [Values(TensorType.F32, TensorType.F16, TensorType.BF16)] TensorType type)
    {
        using ClipWeights weights = Make(Small);
        weights.Save(In("x"), naming, type, new Dictionary<string, string> { ["note"] = "from a test" });
        using ClipWeights loaded = ClipWeights.Load(In("x"));
        AssertSame(loaded, weights);
        Assert.That(loaded.Metadata["note"], Is.EqualTo("from a test"));
    }

    [Test]
    public void HuggingFaceSplitsAndTransposes()
    {
        using ClipWeights weights = Make(Small);
        weights.Save(In("x"), ClipNaming.HuggingFace);
        using TensorSource file = TensorSource.Open(In("x"));
        float[] qkv = weights.Values("transformer.resblocks.0.attn.in_proj_weight");
        float[] projection = weights.Values("text_projection"), stored = file.ReadFloats("text_projection.weight");
        Assert.Multiple(() =>
        {
            Assert.That(file.ReadFloats("text_model.encoder.layers.0.self_attn.k_proj.weight"),
                Is.EqualTo(qkv[100..200]));
            Assert.That(file.Entry("text_projection.weight").Shape, Is.EqualTo(new long[] { 7, 10 }));
            Assert.That(stored[3 * 10 + 8], Is.EqualTo(projection[8 * 7 + 3]));
            Assert.That(file.Tensors.Keys, Has.Some.EqualTo("vision_model.pre_layrnorm.weight")
                .And.Some.EqualTo("vision_model.encoder.layers.1.mlp.fc2.bias").And.Some.EqualTo(
                "text_model.final_layer_norm.bias")
                .And.Some.EqualTo("vision_model.encoder.layers.1.self_attn.out_proj.bias"));
        });
    }

    [Test]
    public void WithoutAStatementHeadsFollowFromTheWidths([Values] ClipNaming naming)
    {
        using ClipWeights weights = Make(Usual);
        var writer = new SafeTensorsWriter();
        weights.AddTo(writer, naming);
        // Such integers stand in OpenAI's and in older Hugging Face files.
        writer.Add("input_resolution", [], new long[] { 12 });
        writer.Add("vision_model.embeddings.position_ids", [1, 10], new long[10]);
        if (naming == ClipNaming.HuggingFace)
            writer.Write(In("x"));
        else
        {
            writer = new SafeTensorsWriter();
            weights.AddTo(writer);
            writer.Add("context_length", [], new long[] { 9 });
            writer.Write(In("x"));
        }
        using ClipWeights loaded = ClipWeights.Load(In("x"));
        AssertSame(loaded, weights);
    }

    [Test]
    public void HeadsThatDoNotFollowHaveToBeStated()
    {
        using ClipWeights weights = Make(Small);
        var writer = new SafeTensorsWriter();
        weights.AddTo(writer);
        writer.Write(In("x"));
        Assert.That(() => ClipWeights.Load(In("x")), Throws.TypeOf<InputException>().With.Message.Contains("heads"));
        writer.Metadata["heads"] = "4,2";
        writer.Write(In("x"));
        Assert.That(() => ClipWeights.Load(In("x")),
            Throws.TypeOf<InputException>().With.Message.Contains("not a multiple of VisionHeads 4"));
        writer.Metadata["heads"] = "two,2";
        writer.Write(In("x"));
        Assert.That(() => ClipWeights.Load(In("x")), Throws.TypeOf<InputException>().With.Message.Contains("'two,2'"));
        writer.Metadata["heads"] = "2,5";
        writer.Write(In("x"));
        using ClipWeights loaded = ClipWeights.Load(In("x"));
        Assert.That((loaded.Config.VisionHeads, loaded.Config.TextHeads), Is.EqualTo((2, 5)));
    }

    [Test]
    public void AllThatIsWrongStandsInOneError()
    {
        using ClipWeights weights = Make(Small);
        var writer = new SafeTensorsWriter();
        foreach (string name in weights.Names)
            if (name is not ("ln_final.bias" or "logit_scale"))
            {
                int[] shape = weights.ShapeOf(name).ToArray();
                if (name == "visual.transformer.resblocks.1.mlp.c_fc.weight")
                    Array.Reverse(shape);
                writer.Add(name, shape, weights.Values(name));
            }
        writer.Add("head.weight", [1], new float[1]);
        writer.Add("transformer.resblocks.2000000000.x", [1], new float[1]);
        writer.Write(In("x"));
        string message = Assert.Throws<InputException>(() => ClipWeights.Load(In("x"))).Message;
        // Five of each kind are named, and all are counted.
        Assert.That(message,
            Does.Contain(In("x")).And.Contain("missing (14): transformer.resblocks.1.ln_1.weight, ")
            .And.Contain(", and 9 more; unexpected (2): 'head.weight', 'transformer.resblocks.2000000000.x'; of "
            + "another shape or type (1): visual.transformer.resblocks.1.mlp.c_fc.weight (expected [24, 6], found F32 "
            + "[6, 24])"));
        Assert.That(message, Does.Not.Contain("logit_scale"));
    }

    [TestCase("visual.conv1.weight")]
    [TestCase("visual.positional_embedding")]
    [TestCase("token_embedding.weight")]
    [TestCase("text_projection")]
    public void AMissingTensorThatTheShapeNeedsIsListedWithTheOthers(string name)
    {
        using ClipWeights weights = Make(Small);
        var writer = new SafeTensorsWriter();
        foreach (string other in weights.Names.Where(other => other != name && other != "ln_final.bias"))
            writer.Add(other, weights.ShapeOf(other).ToArray(), weights.Values(other));
        writer.Write(In("x"));
        Assert.That(() => ClipWeights.Load(In("x")),
            Throws.TypeOf<InputException>().With.Message.Contains(name).And.Message.Contains("ln_final.bias"));
    }

    [Test]
    public void PositionsThatMakeNoSquareAreAnError()
    {
        using ClipWeights weights = Make(Small);
        var writer = new SafeTensorsWriter();
        foreach (string name in weights.Names)
            if (name == "visual.positional_embedding")
                writer.Add(name, [9, 6], new float[54]);
            else
                writer.Add(name, weights.ShapeOf(name).ToArray(), weights.Values(name));
        writer.Write(In("x"));
        Assert.That(() => ClipWeights.Load(In("x")),
            Throws.TypeOf<InputException>().With.Message.Contains("has 9 rows"));
    }

    [Test]
    public void OtherTensorsAreNoClip()
    {
        var writer = new SafeTensorsWriter();
        writer.Add("bert.weight", [1], new float[1]);
        writer.Write(In("x"));
        Assert.That(() => ClipWeights.Load(In("x")),
            Throws.TypeOf<InputException>().With.Message.Contains("'bert.weight'"));
    }

    private static JsonObject Configuration() => new()
    {
        ["model_type"] = "clip",
        ["projection_dim"] = 7,
        ["vision_config"] = new JsonObject
        {
            ["image_size"] = 12,
            ["patch_size"] = 4,
            ["hidden_size"] = 6,
            ["intermediate_size"] = 24,
            ["num_hidden_layers"] = 2,
            ["num_attention_heads"] = 3,
            ["hidden_act"] = "gelu",
            ["layer_norm_eps"] = 1e-6,
        },
        ["text_config"] = new JsonObject
        {
            ["hidden_size"] = 10,
            ["vocab_size"] = 17,
            ["max_position_embeddings"] = 9,
            ["num_attention_heads"] = 2,
            ["hidden_act"] = "gelu",
            ["layer_norm_eps"] = 1e-6,
        },
    };

    private void WriteFolder(JsonObject configuration, string preprocessor)
    {
        using ClipWeights weights = Make(Small);
        var writer = new SafeTensorsWriter();
        weights.AddTo(writer, ClipNaming.HuggingFace);
        writer.Write(In("model.safetensors"));
        File.WriteAllText(In("config.json"), configuration.ToJsonString());
        File.WriteAllText(In("preprocessor_config.json"), preprocessor);
    }

    [TestCase("12")]
    [TestCase("""{"height":12,"width":12}""")]
    public void AFolderOfHuggingFacesLayoutIsLoaded(string cropSize)
    {
        WriteFolder(Configuration(),
            $$"""{"crop_size":{{cropSize}},"image_mean":[0.1,0.2,0.3],"image_std":[0.4,0.5,0.6],"do_resize":true}""");
        using ClipWeights expected = Make(Small), folder = ClipWeights.Load(Folder),
            file = ClipWeights.Load(In("model.safetensors"));
        AssertSame(folder, expected);
        AssertSame(file, expected);
    }

    [TestCase("projection_dim", "8", "projection_dim")]
    [TestCase("model_type", "\"siglip\"", "siglip")]
    [TestCase("vision_config.image_size", "16", "image_size")]
    [TestCase("vision_config.patch_size", "2", "patch_size")]
    [TestCase("vision_config.hidden_size", "12", "hidden_size")]
    [TestCase("vision_config.num_hidden_layers", "3", "num_hidden_layers")]
    [TestCase("vision_config.intermediate_size", "12", "intermediate_size")]
    [TestCase("vision_config.num_attention_heads", "4", "VisionHeads 4")]
    [TestCase("vision_config.num_attention_heads", "0", "VisionHeads is 0")]
    [TestCase("vision_config.num_attention_heads", "1.5", "whole number")]
    [TestCase("vision_config.num_attention_heads", "\"3\"", "whole number")]
    [TestCase("vision_config.hidden_act", "\"quick_gelu\"", "differ")]
    [TestCase("vision_config.hidden_act", "\"relu\"", "'relu'")]
    [TestCase("vision_config.layer_norm_eps", "[]", "a number")]
    [TestCase("text_config.vocab_size", "18", "vocab_size")]
    [TestCase("text_config.max_position_embeddings", "77", "max_position_embeddings")]
    [TestCase("text_config", "[]", "an object")]
    public void AConfigurationThatContradictsTheTensorsIsAnError(string key, string value, string says)
    {
        JsonObject configuration = Configuration(), at = configuration;
        string[] path = key.Split('.');
        if (path.Length > 1)
            at = configuration[path[0]]!.AsObject();
        at[path[^1]] = JsonNode.Parse(value);
        WriteFolder(configuration, "{}");
        Assert.That(() => ClipWeights.Load(Folder), Throws.TypeOf<InputException>().With.Message.Contains(says));
    }

    [TestCase("""{"crop_size":16}""", "crop_size")]
    [TestCase("""{"crop_size":{"height":12,"width":16}}""", "crop_size.width")]
    [TestCase("""{"image_mean":[0.1,0.2]}""", "image_mean")]
    [TestCase("""{"image_std":[0.1,0.2,0]}""", "Std")]
    [TestCase("""{"image_std":[0.1,0.2,"x"]}""", "image_std")]
    [TestCase("[]", "an object")]
    public void APreprocessorConfigurationThatCannotBeIsAnError(string preprocessor, string says)
    {
        WriteFolder(Configuration(), preprocessor);
        Assert.That(() => ClipWeights.Load(Folder), Throws.TypeOf<InputException>().With.Message.Contains(says));
    }

    [Test]
    public void MetadataThatContradictsTheConfigurationIsAnError()
    {
        WriteFolder(Configuration(), "{}");
        using (ClipWeights weights = ClipWeights.From(Small with { VisionHeads = 2 },
            Make(Small) is var made ? made.Names.ToDictionary(name => name, made.Values) : []))
            weights.Save(In("model.safetensors"), ClipNaming.HuggingFace);
        Assert.That(() => ClipWeights.Load(Folder),
            Throws.TypeOf<InputException>().With.Message.Contains("heads of the image tower"));
    }

    [Test]
    public void TensorsOnADeviceHoldTheValues()
    {
        using var device = new CpuDevice();
        using ClipWeights weights = Make(Small);
        using (Tensor tensor = weights.ToTensor(device, "text_projection"))
        {
            Assert.That(tensor.Shape, Is.EqualTo(new Shape(10, 7)));
            Assert.That(tensor.ToArray(), Is.EqualTo(weights.Values("text_projection")));
        }
        Assert.That(device.LiveBytes, Is.Zero);
    }

    [Test]
    public void RandomWeightsHaveOpenAIsDeviationsAndRepeat()
    {
        ClipConfig config = Usual with { VocabularySize = 300, VisionLayers = 3 };
        using ClipWeights weights = ClipWeights.Random(config, 5), again = ClipWeights.Random(config, 5),
            other = ClipWeights.Random(config, 6);
        (string Name, double Deviation)[] expected =
        [
            ("visual.proj", 1 / 8.0),
            ("visual.transformer.resblocks.2.attn.in_proj_weight", 1 / 8.0),
            ("visual.transformer.resblocks.2.attn.out_proj.weight", 1 / (8 * Math.Sqrt(6))),
            ("visual.transformer.resblocks.0.mlp.c_fc.weight", 1 / Math.Sqrt(128)),
            ("visual.transformer.resblocks.0.mlp.c_proj.weight", 1 / (8 * Math.Sqrt(6))),
            ("transformer.resblocks.0.attn.out_proj.weight", 1 / Math.Sqrt(256)),
            ("token_embedding.weight", .02),
            ("positional_embedding", .01),
            ("text_projection", 1 / Math.Sqrt(128)),
        ];
        foreach ((string name, double deviation) in expected)
        {
            float[] values = weights.Values(name);
            // The variance of n normals has a relative deviation of sqrt(2 / n); mean and variance stay within five of
            // theirs.
            double bound = 5 * Math.Sqrt(2.0 / values.Length),
                variance = values.Average(value => (double)value * value);
            Assert.That(variance / (deviation * deviation), Is.EqualTo(1).Within(bound), name);
            Assert.That(values.Average() / deviation, Is.Zero.Within(bound), name);
            Assert.That(again.Values(name), Is.EqualTo(values), name);
            Assert.That(other.Values(name), Is.Not.EqualTo(values), name);
        }
        Assert.That(weights.Values("visual.proj"), Is.Not.EqualTo(weights.Values("visual.class_embedding")));
        Assert.That(weights.Values("ln_final.weight"), Has.All.EqualTo(1));
        Assert.That(weights.Values("visual.ln_pre.bias")
            .Concat(weights.Values("transformer.resblocks.0.attn.in_proj_bias")), Has.All.Zero);
        Assert.That(Math.Exp(weights.Values("logit_scale")[0]), Is.EqualTo(1 / .07).Within(1e-5));
    }
}
