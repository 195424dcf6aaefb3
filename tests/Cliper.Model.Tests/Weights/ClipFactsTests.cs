using System.Text.Json.Nodes;
using Cliper.Autograd;
using Cliper.Kernels.Cpu;
using Cliper.Kernels.Operations;
using Cliper.Model.Clip;
using Cliper.Model.Weights;

namespace Cliper.Model.Tests.Weights;

/// <summary>Facts that the shapes of tensors do not tell: where they are found, and what is said when they are
/// assumed.</summary>
public sealed class ClipFactsTests : TemporaryFolder
{
    private static readonly ChannelValues Half = new(.5f, .5f, .5f);

    /// <summary>Heads of 80 and MLPs that are not four times as wide, as OpenCLIP's large towers have.</summary>
    private static readonly ClipConfig Config = new()
    {
        ImageSize = 8,
        PatchSize = 4,
        VisionWidth = 160,
        VisionLayers = 1,
        VisionMlpWidth = 697,
        VisionHeads = 2,
        TextWidth = 64,
        TextLayers = 1,
        TextHeads = 4,
        VocabularySize = 9,
        ContextLength = 5,
        EmbedSize = 3,
        Activation = Activation.Gelu,
        Mean = Half,
        Std = Half,
    };

    private static ClipConfig Usual => Config with { VisionWidth = 128, VisionMlpWidth = null, TextHeads = 1 };

    private static JsonObject OpenClip() => new()
    {
        ["model_cfg"] = new JsonObject
        {
            ["embed_dim"] = 3,
            ["vision_cfg"] = new JsonObject
            {
                ["image_size"] = 8,
                ["layers"] = 1,
                ["width"] = 160,
                ["head_width"] = 80,
                // 160 times this is 697.92, and OpenCLIP cuts the fraction off.
                ["mlp_ratio"] = 4.362,
                ["patch_size"] = 4,
            },
            ["text_cfg"] = new JsonObject
            {
                ["context_length"] = 5,
                ["vocab_size"] = 9,
                ["width"] = 64,
                ["heads"] = 4,
                ["layers"] = 1,
            },
        },
        ["preprocess_cfg"] = new JsonObject
        {
            ["mean"] = new JsonArray(.5, .5, .5),
            ["std"] = new JsonArray(.5, .5, .5),
        },
    };

    /// <summary>Tensors alone, without a word on what they do not tell.</summary>
    private string WriteBare(ClipConfig config, string name, ClipNaming naming = ClipNaming.OpenAI)
    {
        using ClipWeights weights = ClipWeights.Random(config, 1);
        var writer = new SafeTensorsWriter();
        weights.AddTo(writer, naming);
        writer.Write(In(name));
        return In(name);
    }

    private void WriteOpenClip(JsonObject configuration) =>
        File.WriteAllText(In("open_clip_config.json"), configuration.ToJsonString());

    [Test]
    public void OpenClipsConfiguration_GivesAllFacts(
        [Values("open_clip_model.safetensors", "model.safetensors", "renamed.safetensors")] string name,
        [Values] bool folder)
    {
        string path = WriteBare(Config, name);
        WriteOpenClip(OpenClip());
        if (folder && name == "renamed.safetensors")
            Assert.Ignore("a folder has its weights under one of the known names");

        using ClipWeights weights = ClipWeights.Load(folder ? Folder : path);

        Assert.That(weights.Config, Is.EqualTo(Config));
        Assert.That(weights.Warnings, Is.Empty);
    }

    [Test]
    public void OpenClipsConfiguration_WithoutEntries_HasOpenClipsDefaults()
    {
        WriteBare(Usual with { TextWidth = 512 }, "open_clip_model.safetensors");
        File.WriteAllText(In("open_clip_config.json"), """{"vision_cfg":{},"text_cfg":{},"quick_gelu":true}""");

        using ClipWeights weights = ClipWeights.Load(Folder);

        Assert.That((weights.Config.VisionHeads, weights.Config.TextHeads, weights.Config.Activation,
            weights.Config.Mean), Is.EqualTo((2, 8, Activation.QuickGelu, ClipConfig.ClipMean)));
        Assert.That(weights.Warnings, Is.Empty);
    }

    [TestCase("model_cfg.vision_cfg.width", "320", "width: expected 160")]
    [TestCase("model_cfg.vision_cfg.mlp_ratio", "4.0", "mlp_ratio: expected 697/160")]
    [TestCase("model_cfg.vision_cfg.image_size", "[8,16]", "image_size: expected 8")]
    [TestCase("model_cfg.vision_cfg.head_width", "50", "VisionWidth 160 is not a multiple of VisionHeads 3")]
    [TestCase("model_cfg.vision_cfg.head_width", "0", "head_width")]
    [TestCase("model_cfg.vision_cfg.timm_model_name", "\"convnext_base\"", "timm")]
    [TestCase("model_cfg.vision_cfg.no_ln_pre", "true", "CLIPA")]
    [TestCase("model_cfg.vision_cfg.pool_type", "\"avg\"", "'avg'")]
    [TestCase("model_cfg.vision_cfg.attentional_pool", "true", "CoCa")]
    [TestCase("model_cfg.vision_cfg.act_kwargs", "{\"approximate\":\"tanh\"}", "activation")]
    [TestCase("model_cfg.vision_cfg.norm_kwargs", "{\"eps\":1e-6}", "norm_kwargs")]
    [TestCase("model_cfg.text_cfg.hf_model_name", "\"xlm-roberta-base\"", "XLM-RoBERTa")]
    [TestCase("model_cfg.text_cfg.no_causal_mask", "true", "causal")]
    [TestCase("model_cfg.text_cfg.pool_type", "\"last\"", "pooling")]
    [TestCase("model_cfg.text_cfg.context_length", "77", "context_length: expected 5")]
    [TestCase("model_cfg.multimodal_cfg", "{\"heads\":8}", "CoCa")]
    [TestCase("model_cfg.init_logit_bias", "-10", "SigLIP")]
    [TestCase("model_cfg.quick_gelu", "\"yes\"", "true or false")]
    [TestCase("preprocess_cfg.mean", "[0.5]", "mean: expected three numbers")]
    [TestCase("preprocess_cfg.mean", "[122.7,116.7,104.1]", "pixels from 0 to 1")]
    [TestCase("preprocess_cfg.size", "16", "size: expected 8")]
    public void OpenClipsConfiguration_OfAnotherModel_IsRefused(string key, string value, string says)
    {
        WriteBare(Config, "open_clip_model.safetensors");
        JsonObject configuration = OpenClip(), at = configuration;
        string[] path = key.Split('.');
        foreach (string part in path[..^1])
            at = at[part]!.AsObject();
        at[path[^1]] = JsonNode.Parse(value);
        WriteOpenClip(configuration);

        Assert.That(() => ClipWeights.Load(Folder), Throws.TypeOf<InputException>().With.Message.Contains(says));
    }

    [Test]
    public void ConfigurationOfAnotherModelBesideAFile_IsNotFollowed_AndSaid()
    {
        string path = WriteBare(Usual, "mine.safetensors");
        WriteOpenClip(OpenClip());

        using ClipWeights weights = ClipWeights.Load(path);

        Assert.That(weights.Warnings, Has.Count.EqualTo(2));
        Assert.That(weights.Warnings[1], Does.Contain("open_clip_config.json is not that of").And.Contain("width"));
    }

    [Test]
    public void HuggingFacesConfiguration_BesideOpenAIsNames_IsFollowed()
    {
        string path = WriteBare(Usual, "mine.safetensors");
        File.WriteAllText(In("config.json"), """
            {"model_type":"clip","vision_config":{"num_attention_heads":4,"hidden_act":"gelu"},
            "text_config":{"num_attention_heads":2,"hidden_act":"gelu"}}
            """);
        File.WriteAllText(In("preprocessor_config.json"), """{"image_mean":[0.5,0.5,0.5],"image_std":[0.5,0.5,0.5]}""");

        using ClipWeights weights = ClipWeights.Load(path);

        Assert.That(weights.Config, Is.EqualTo(Usual with { VisionHeads = 4, TextHeads = 2 }));
        Assert.That(weights.Warnings, Is.Empty);
    }

    [Test]
    public void NothingStated_IsAssumedAndSaid_AndNotWrittenAsKnown()
    {
        string path = WriteBare(Usual, "open_clip_model.safetensors");

        using ClipWeights weights = ClipWeights.Load(path);
        weights.Save(In("copy.safetensors"));
        using ClipWeights copy = ClipWeights.Load(In("copy.safetensors"));

        Assert.That(weights.Config, Is.EqualTo(Usual with
        {
            Activation = Activation.QuickGelu,
            Mean = ClipConfig.ClipMean,
            Std = ClipConfig.ClipStd,
        }));
        Assert.That(weights.Warnings.Single(), Does.StartWith(path + ": ").And.EndsWith(
            "assumed: 2 heads of 64 in the image tower, 1 heads of 64 in the text tower, the activation QuickGelu, "
            + "OpenAI's mean, OpenAI's standard deviation"));
        Assert.That(copy.Warnings.Single(), Does.Contain("the activation QuickGelu"));
        Assert.That(copy.Metadata.Keys, Is.EquivalentTo(new[] { "format", "layer_norm_epsilon" }));
    }

    [Test]
    public void HeadsOfOneTowerAssumed_AreNotWrittenForEither(
        [Values(ClipMetadata.VisionHeadsKey, ClipMetadata.TextHeadsKey)] string assumed)
    {
        var metadata = new Dictionary<string, string>();
        ClipMetadata.Write(Usual, metadata);
        Assert.That(metadata["heads"], Is.EqualTo("2,1"));

        ClipMetadata.Write(Usual, metadata, new HashSet<string> { assumed });

        Assert.That(metadata, Does.Not.ContainKey("heads"));
    }

    [Test]
    public void AnotherProgramsConfiguration_BesideHuggingFacesNames_IsIgnored()
    {
        WriteBare(Usual with { VisionWidth = 256 }, "model.safetensors", ClipNaming.HuggingFace);
        File.WriteAllText(In("config.json"), """{"recipe":"dfew","hidden_act":"gelu","projection_dim":7}""");

        using ClipWeights weights = ClipWeights.Load(Folder);

        Assert.That((weights.Config.VisionHeads, weights.Config.TextHeads), Is.EqualTo((4, 1)));
        Assert.That(weights.Warnings.Single(), Does.Contain("4 heads of 64 in the image tower"));
    }

    [Test]
    public void StatedFacts_HoldAgainstTheFile_AndAreKept()
    {
        string path = WriteBare(Config, "open_clip_model.safetensors");
        JsonObject configuration = OpenClip();
        configuration["model_cfg"]!["quick_gelu"] = true;
        WriteOpenClip(configuration);
        var stated = new ClipStatement
        {
            Activation = "gelu",
            Heads = "5,2",
            Mean = "0.1,0.2,0.3",
            Std = "0.4,0.5,0.6",
        };

        using ClipWeights weights = ClipWeights.Load(path, stated: stated);
        weights.Save(In("copy"));
        using ClipWeights copy = ClipWeights.Load(In("copy"));

        Assert.That(weights.Config, Is.EqualTo(Config with
        {
            VisionHeads = 5,
            TextHeads = 2,
            Mean = new ChannelValues(.1f, .2f, .3f),
            Std = new ChannelValues(.4f, .5f, .6f),
        }));
        Assert.That(copy.Config, Is.EqualTo(weights.Config));
        Assert.That(copy.Warnings, Is.Empty);
    }

    [TestCase("relu", "", "", "", "activation is 'relu'; expected gelu or quick-gelu")]
    [TestCase("", "0", "", "", "heads is '0'")]
    [TestCase("", "1,2,3", "", "", "at most two numbers")]
    [TestCase("", "", "0.5,0.5", "", "mean is '0.5,0.5'")]
    [TestCase("", "", "", "0.5,0.5,0", "std is '0.5,0.5,0'")]
    public void AStatementThatIsNone_IsRefused(string activation, string heads, string mean, string std, string says) =>
        Assert.That(() => new ClipStatement { Activation = activation, Heads = heads, Mean = mean, Std = std }.Check(),
            Throws.TypeOf<SettingsException>().With.Message.Contains(says));

    // Widths, blocks and heads as OpenAI's paper and OpenCLIP's model_configs have them.
    [TestCase("ViT-S", 384, 12, 1536, 6, 384, 12, 6)]
    [TestCase("ViT-M", 512, 12, 2048, 8, 512, 12, 8)]
    [TestCase("ViT-B", 768, 12, 3072, 12, 512, 12, 8)]
    [TestCase("ViT-B-plus", 896, 12, 3584, 14, 640, 12, 10)]
    [TestCase("ViT-L", 1024, 24, 4096, 16, 768, 12, 12)]
    [TestCase("ViT-H", 1280, 32, 5120, 16, 1024, 24, 16)]
    [TestCase("ViT-g", 1408, 40, 6144, 16, 1024, 24, 16)]
    [TestCase("ViT-bigG", 1664, 48, 8192, 16, 1280, 32, 20)]
    [TestCase("ViT-e", 1792, 56, 15360, 16, 1280, 36, 20)]
    public void PublishedShapes_TellTheirHeads(string name, int width, int layers, int hidden, int heads, int textWidth,
        int textLayers, int textHeads)
    {
        ClipConfig shape = Config with
        {
            VisionWidth = width,
            VisionLayers = layers,
            VisionMlpWidth = hidden,
            TextWidth = textWidth,
            TextLayers = textLayers,
        };
        Assert.That((Architectures.NameOf(shape), Architectures.VisionHeads(shape), Architectures.TextHeads(shape)),
            Is.EqualTo((name, heads, textHeads)));
        Assert.That(Architectures.UsualActivation(shape),
            Is.EqualTo(name is "ViT-B" or "ViT-L" ? Activation.QuickGelu : Activation.Gelu));
    }

    [TestCase("""{"image_processor":{"image_mean":[0.5,0.5,0.5],"image_std":[0.5,0.5,0.5]}}""", .5f, 0)]
    [TestCase("""{"image_processor":{"do_normalize":false,"image_mean":[0.5,0.5,0.5]}}""", 0, 0)]
    [TestCase("""{"image_processor":{"image_mean":[0.5,0.5,0.5],"image_std":[0.5,0.5,0.5],"resample":2}}""", .5f, 1)]
    [TestCase("""{"image_processor":{"image_mean":[0.5,0.5,0.5],"image_std":[0.5,0.5,0.5],"size":10}}""", .5f, 1)]
    [TestCase("""{"image_processor":{"image_mean":[0,0,0],"image_std":[1,1,1],"size":{"shortest_edge":10}}}""", 0, 1)]
    public void NewerPreprocessors_AreRead(string processor, float mean, int warnings)
    {
        WriteBare(Usual, "model.safetensors", ClipNaming.HuggingFace);
        File.WriteAllText(In("config.json"),
            """{"vision_config":{"num_attention_heads":2},"text_config":{"num_attention_heads":1}}""");
        File.WriteAllText(In("processor_config.json"), processor);

        using ClipWeights weights = ClipWeights.Load(Folder);

        Assert.That(weights.Config.Mean.Red, Is.EqualTo(mean));
        Assert.That(weights.Warnings, Has.Count.EqualTo(warnings));
    }

    // transformers lets text_config_dict, which older versions wrote, win over text_config.
    [Test]
    public void OlderKeys_WinOverNewerOnes_AsInTransformers()
    {
        WriteBare(Usual, "model.safetensors", ClipNaming.HuggingFace);
        File.WriteAllText(In("config.json"), """
            {"vision_config":{"num_attention_heads":4,"hidden_act":"quick_gelu"},
            "text_config":{"num_attention_heads":1},
            "vision_config_dict":{"num_attention_heads":2,"hidden_act":"gelu"},"text_config_dict":{"hidden_act":"gelu"}}
            """);

        using ClipWeights weights = ClipWeights.Load(Folder);

        Assert.That((weights.Config.VisionHeads, weights.Config.Activation), Is.EqualTo((2, Activation.Gelu)));
        Assert.That(weights.Warnings.Single(), Does.Contain("OpenAI's mean"), "nothing says how pixels are normalized");
    }

    [Test]
    public void MlpsOfAnyWidth_AreSavedLoadedAndRun([Values] ClipNaming naming)
    {
        ClipConfig config = Config with { TextMlpWidth = 100 };
        using ClipWeights weights = ClipWeights.Random(config, 4);
        weights.Save(In("x"), naming);
        using ClipWeights loaded = ClipWeights.Load(In("x"));
        using var device = new CpuDevice(1);
        using var model = new ClipModel(device, loaded);
        using var tape = new Tape(device, recording: false);
        Tensor images = tape.Own(Tensor.From(device, new float[3 * 8 * 8], new Shape(1, 3, 8, 8)));

        Assert.That(loaded.Config, Is.EqualTo(config));
        Assert.That(loaded.ShapeOf("transformer.resblocks.0.mlp.c_proj.weight"), Is.EqualTo(new Shape(64, 100)));
        Assert.That(model.Vision.Forward(tape, images).Shape, Is.EqualTo(new Shape(1, 3)));
        Assert.That(model.Text.Forward(tape, [[1, 8]]).Shape, Is.EqualTo(new Shape(1, 3)));
    }

    [TestCase(4.6052f, true)]
    [TestCase(100, false)]
    [TestCase(-200, false)]
    public void ALogitScale_IsTheLogarithmOfAScale(float scale, bool sound)
    {
        using var device = new CpuDevice(1);
        using ClipWeights random = ClipWeights.Random(Usual, 3);
        Dictionary<string, float[]> values = random.Names.ToDictionary(name => name, random.Values);
        values["logit_scale"][0] = scale;
        using ClipWeights weights = ClipWeights.From(Usual, values);
        using var model = new ClipModel(device, weights);

        if (sound)
            Assert.That(model.Temperature, Is.EqualTo(.01f).Within(1e-6));
        else
            Assert.That(() => model.Temperature, Throws.TypeOf<InputException>().With.Message.Contains(
                $"logit_scale of the weights is {scale}"));
    }

    [Test]
    public void ScalarsOfOneAxis_AndCustomTextTowers_AreRead()
    {
        using ClipWeights weights = ClipWeights.Random(Usual, 2);
        var writer = new SafeTensorsWriter();
        foreach (string name in weights.Names)
            writer.Add("module." + (ClipModel.IsVision(name) || name == "logit_scale" ? "" : "text.") + name,
                name == "logit_scale" ? [1] : weights.ShapeOf(name).ToArray(), weights.Values(name));
        writer.Add("module.text.attn_mask", [5, 5], new float[25]);
        writer.Write(In("x"));

        using ClipWeights loaded = ClipWeights.Load(In("x"));

        foreach (string name in weights.Names)
            Assert.That(loaded.Values(name), Is.EqualTo(weights.Values(name)), name);
        Assert.That(loaded.ShapeOf("logit_scale").Rank, Is.Zero);
    }

    [Test]
    public void ANumberThatIsNotFinite_IsNamedWhenItIsRead(
        [Values(float.NaN, float.PositiveInfinity, float.NegativeInfinity)] float value,
        [Values("visual.proj", "transformer.resblocks.0.attn.in_proj_weight", "logit_scale")] string name,
        [Values] ClipNaming naming)
    {
        using (ClipWeights sound = ClipWeights.Random(Usual, 3))
        {
            Dictionary<string, float[]> values = sound.Names.ToDictionary(tensor => tensor, sound.Values);
            values[name][^1] = value;
            using ClipWeights broken = ClipWeights.From(Usual, values);
            broken.Save(In("x"), naming);
        }
        using ClipWeights loaded = ClipWeights.Load(In("x"));
        using var device = new CpuDevice(1);

        Assert.That(() => new ClipModel(device, loaded), Throws.TypeOf<InputException>()
            .With.Message.StartsWith(In("x"))
            .And.Message.Contains($"expected finite numbers, found {value} at element "));
    }
}
