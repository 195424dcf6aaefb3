using Cliper.Model;
using Cliper.Model.Tests.Weights;
using Cliper.Model.Weights;

namespace Cliper.Cli.Tests;

/// <summary>The commands on weights, on checkpoints that PyTorch wrote.</summary>
public sealed class WeightsTests
{
    private static readonly string Archive = Path.Combine(Checkout.Root, "tests", "checkpoints", "clip-micro.pt");

    private string _folder = "";

    [SetUp]
    public void MakeFolder() => _folder = Directory.CreateTempSubdirectory("cliper-weights-").FullName;

    [TearDown]
    public void RemoveFolder() => Directory.Delete(_folder, recursive: true);

    private string In(string name) => Path.Combine(_folder, name);

    [Test]
    public void AnArchiveIsDescribed()
    {
        ProgramRun run = ProgramRun.InProcess("weights", "inspect", Archive);

        Assert.That((run.ExitCode, run.Error), Is.EqualTo((0, "")));
        Snapshot.Matches("weights-inspect.txt", run.Out.Replace(Checkout.Root, "CHECKOUT"));
    }

    [Test]
    public void AnArchiveIsOneDocument()
    {
        ProgramRun run = ProgramRun.InProcess("weights", "inspect", Archive, "--json");

        Assert.That((run.ExitCode, run.Error), Is.EqualTo((0, "")));
        Assert.That(run.Json.GetProperty("architecture").GetString(), Is.EqualTo("CLIP ViT 48x2/6, 18 pixels"));
        Assert.That(run.Json.GetProperty("naming").GetString(), Is.EqualTo("openai"));
        Assert.That(run.Json.GetProperty("format").GetString(), Is.EqualTo("TorchScript archive"));
        Assert.That(run.Json.GetProperty("config").GetProperty("visionHeads").GetInt32(), Is.EqualTo(3));
        Assert.That(run.Json.GetProperty("types").GetProperty("F16").GetInt32(), Is.Positive);
        Assert.That(run.Json.GetProperty("tensors").GetArrayLength(), Is.EqualTo(65));
        Assert.That(run.Json.GetProperty("values").GetProperty("transformer.resblocks.0.attn.num_heads").GetString(),
            Is.EqualTo("2"));
    }

    [Test]
    public void WhatIsNoClipIsDescribedToo()
    {
        ProgramRun run = ProgramRun.InProcess("weights", "inspect", Path.Combine(Checkout.Root, "tests", "checkpoints",
            "training.pt"), "--json");

        Assert.That((run.ExitCode, run.Error), Is.EqualTo((0, "")));
        Assert.That(run.Json.GetProperty("architecture").ValueKind, Is.EqualTo(System.Text.Json.JsonValueKind.Null));
        Assert.That(run.Json.GetProperty("reason").GetString(), Does.Contain("no CLIP weights"));
        Assert.That(run.Json.GetProperty("parameters").GetInt64(), Is.EqualTo(29), "three times 9, and two steps");
        Assert.That(run.Json.GetProperty("values").GetProperty("epoch").GetString(), Is.EqualTo("3"));
    }

    [Test]
    public void AConversionLoadsAsTheSameModel([Values("keep", "openai", "huggingface")] string naming,
        [Values("f32", "f16", "bf16")] string type)
    {
        ProgramRun run = ProgramRun.InProcess("weights", "convert", Archive, "--out", In("x.safetensors"), "--naming",
            naming, "--type", type, "--json");

        Assert.That((run.ExitCode, run.Error), Is.EqualTo((0, "")));
        Assert.That(run.Json.GetProperty("naming").GetString(), Is.EqualTo(naming == "huggingface" ? naming
            : "openai"));
        using ClipWeights expected = ClipWeights.Load(Archive), converted = ClipWeights.Load(In("x.safetensors"));
        Assert.That(converted.Config, Is.EqualTo(expected.Config));
        foreach (string name in expected.Names)
            Assert.That(converted.Values(name), Is.EqualTo(expected.Values(name).Select(value => Rounded(value, name))),
                name);
        Assert.That(ProgramRun.InProcess("weights", "verify", In("x.safetensors")).ExitCode, Is.Zero);

        float Rounded(float value, string name) => name == "logit_scale" ? value : type switch
        {
            "f16" => (float)(Half)value,
            // The archive's numbers are far from overflow, and none is NaN.
            "bf16" => BitConverter.UInt32BitsToSingle((uint)(BitConverter.SingleToUInt32Bits(value) + 0x7fffu
                + (BitConverter.SingleToUInt32Bits(value) >> 16 & 1)) & 0xffff0000u),
            _ => value,
        };
    }

    [Test]
    public void WhatIsNoClipKeepsItsNames()
    {
        string source = Path.Combine(Checkout.Root, "tests", "checkpoints", "training.pt");

        ProgramRun run = ProgramRun.InProcess("weights", "convert", source, "--out", In("x.safetensors"), "--prefix",
            "state_dict.");
        ProgramRun asClip = ProgramRun.InProcess("weights", "convert", source, "--out", In("y.safetensors"),
            "--naming", "openai");
        ProgramRun nothing = ProgramRun.InProcess("weights", "convert", source, "--out", In("y.safetensors"),
            "--prefix", "nothing.");

        Assert.That((run.ExitCode, run.Error), Is.EqualTo((0, "")));
        Assert.That(run.Out, Does.Contain("no CLIP").And.Contain("2 tensors"));
        using TensorSource written = TensorSource.Open(In("x.safetensors")), expected = TensorSource.Open(source);
        Assert.That(written.Tensors.Keys, Is.EquivalentTo(new[] { "weight", "bias" }));
        Assert.That(written.ReadFloats("weight"), Is.EqualTo(expected.ReadFloats("state_dict.weight")));
        Assert.That((asClip.ExitCode, nothing.ExitCode), Is.EqualTo((3, 3)));
        Assert.That(nothing.Error, Does.Contain("no tensors begin with 'nothing.'"));
        Assert.That(In("y.safetensors"), Does.Not.Exist);
    }

    [Test]
    public void IntegersAreKeptAsTheyAre()
    {
        string source = Path.Combine(Checkout.Root, "tests", "checkpoints", "state-dict.pt");

        ProgramRun run = ProgramRun.InProcess("weights", "convert", source, "--out", In("x.safetensors"),
            "--type", "bf16");

        Assert.That((run.ExitCode, run.Error), Is.EqualTo((0, "")));
        using TensorSource written = TensorSource.Open(In("x.safetensors")), expected = TensorSource.Open(source);
        foreach (TensorEntry entry in expected.Tensors.Values.Where(entry =>
            entry.Type is not (TensorType.F32 or TensorType.F16
            or TensorType.BF16 or TensorType.F64)))
        {
            Assert.That(written.Entry(entry.Name).Type, Is.EqualTo(entry.Type), entry.Name);
            Assert.That(written.ReadIntegers(entry.Name), Is.EqualTo(expected.ReadIntegers(entry.Name)), entry.Name);
        }
        Assert.That(written.Entry("transposed").Type, Is.EqualTo(TensorType.BF16));
    }

    [Test]
    public void NumbersThatHalfPrecisionCannotHoldAreAnError()
    {
        var writer = new SafeTensorsWriter();
        writer.Add("big", [3], new[] { 65519f, -65520f, float.PositiveInfinity });
        writer.Write(In("x.safetensors"));

        ProgramRun half = ProgramRun.InProcess("weights", "convert", In("x.safetensors"), "--out", In("y.safetensors"),
            "--type", "f16");
        ProgramRun upper = ProgramRun.InProcess("weights", "convert", In("x.safetensors"), "--out", In("y.safetensors"),
            "--type", "bf16");

        Assert.That((half.ExitCode, half.Out), Is.EqualTo((3, "")));
        Assert.That(half.Error, Does.Contain("'big': 1 of 3 numbers are beyond the range of fp16"));
        Assert.That(upper.ExitCode, Is.Zero);
    }

    [Test]
    public void VerifyNamesEveryFault()
    {
        using (ClipWeights weights = ClipWeights.Load(Archive))
        {
            Dictionary<string, float[]> values = weights.Names.ToDictionary(name => name, weights.Values);
            values["ln_final.bias"][3] = float.NaN;
            values["visual.proj"][0] = float.NegativeInfinity;
            using ClipWeights broken = ClipWeights.From(weights.Config, values);
            broken.Save(In("x.safetensors"));
        }

        ProgramRun text = ProgramRun.InProcess("weights", "verify", In("x.safetensors"));
        ProgramRun json = ProgramRun.InProcess("weights", "verify", In("x.safetensors"), "--json");
        ProgramRun sound = ProgramRun.InProcess("weights", "verify", Archive);

        Assert.That((text.ExitCode, text.Out), Is.EqualTo((3, "")));
        Assert.That(text.Error,
            Does.Contain("'ln_final.bias': 1 of 32 numbers are not finite").And.Contain("'visual.proj': 1 of"));
        Assert.That((json.ExitCode, json.Json.GetProperty("sound").GetBoolean(), json.Json.GetProperty("faults")
            .GetArrayLength()),
            Is.EqualTo((3, false, 2)));
        Assert.That((sound.ExitCode, sound.Error), Is.EqualTo((0, "")));
        Assert.That(sound.Out, Does.Contain("sound: CLIP ViT 48x2/6, 18 pixels, 65 tensors"));
    }

    [Test]
    public void VerifyChecksTheRecordsOfAnArchive()
    {
        byte[] bytes = File.ReadAllBytes(Archive);
        bytes[bytes.Length / 2] ^= 1;
        File.WriteAllBytes(In("x.pt"), bytes);

        ProgramRun run = ProgramRun.InProcess("weights", "verify", In("x.pt"));

        Assert.That((run.ExitCode, run.Out), Is.EqualTo((3, "")));
        Assert.That(run.Error, Does.Contain("is damaged: its checksum is"));
    }

    [Test]
    public void InspectAndVerify_TakeWhatPredictTakes()
    {
        Directory.CreateDirectory(In("run/checkpoints"));
        File.Copy(ShippedModels.Cliper, In("run/checkpoints/model.safetensors"));

        ProgramRun run = ProgramRun.InProcess("weights", "inspect", In("run"), "--json");
        ProgramRun shipped = ProgramRun.InProcess("weights", "inspect", "drawn-faces", "--json");
        ProgramRun verified = ProgramRun.InProcess("weights", "verify", "drawn-faces");
        Directory.Delete(In("run/checkpoints"), recursive: true);
        Directory.CreateDirectory(In("run/checkpoints"));
        ProgramRun empty = ProgramRun.InProcess("weights", "inspect", In("run"));

        Assert.That((run.ExitCode, run.Error, shipped.ExitCode, shipped.Error, verified.ExitCode),
            Is.EqualTo((0, "", 0, "", 0)));
        Assert.That(run.Json.GetProperty("path").GetString(), Is.EqualTo(In("run/checkpoints/model.safetensors")));
        Assert.That(run.Json.GetProperty("config").GetRawText(),
            Is.EqualTo(shipped.Json.GetProperty("config").GetRawText()));
        Assert.That((empty.ExitCode, empty.Error.Contains("holds no checkpoints/model.safetensors")),
            Is.EqualTo((3, true)));
    }

    [Test]
    public void WeightsMayBeARunOrAShippedModelsName()
    {
        Directory.CreateDirectory(In("run/checkpoints"));
        File.Copy(ShippedModels.Clip, In("run/checkpoints/model.safetensors"));
        File.WriteAllText(In("x.ppm"), "P3 2 2 255 9 9 9 200 9 9 9 200 9 9 9 200");

        byte[] Embed(string weights)
        {
            ProgramRun run = ProgramRun.InProcess("embed", "--weights", weights, "--images", In("x.ppm"), "--out",
                In("e.safetensors"));
            Assert.That(run.ExitCode, Is.Zero, run.Error);
            return File.ReadAllBytes(In("e.safetensors"));
        }

        byte[] expected = Embed(ShippedModels.Clip);
        Assert.That(Embed(In("run")), Is.EqualTo(expected));
        Assert.That(Embed("drawn-faces"), Is.EqualTo(expected));
    }

    [Test]
    public void AssumedFacts_AreSaid_AndStatedOnesHold()
    {
        using (ClipWeights weights = ClipWeights.Load(Archive))
        {
            var writer = new SafeTensorsWriter();
            weights.AddTo(writer);
            writer.Metadata["heads"] = "3,2";
            writer.Write(In("x.safetensors"));
        }
        string[] stated = ["--activation", "gelu", "--mean", "0.5,0.5,0.5", "--std", "0.5,0.5,0.5"];

        ProgramRun text = ProgramRun.InProcess("weights", "inspect", In("x.safetensors"));
        ProgramRun json = ProgramRun.InProcess("weights", "inspect", In("x.safetensors"), "--json");
        ProgramRun sure = ProgramRun.InProcess(["weights", "inspect", In("x.safetensors"), "--json", .. stated]);
        ProgramRun kept = ProgramRun.InProcess(["weights", "convert", In("x.safetensors"), "--out", In("y.safetensors"),
            .. stated]);
        ProgramRun wrong = ProgramRun.InProcess("weights", "inspect", Archive, "--activation", "relu");
        ProgramRun model = ProgramRun.InProcess("predict", "x.png", "--model", "drawn-faces", "--heads", "2");

        Assert.That(text.Error, Does.Contain("warning: ").And.Contain("assumed: the activation QuickGelu, OpenAI's "
            + "mean, OpenAI's standard deviation; --activation, --heads, --mean and --std state it"));
        Assert.That(json.Json.GetProperty("warnings").GetArrayLength(), Is.EqualTo(1));
        Assert.That((sure.ExitCode, sure.Error, sure.Json.GetProperty("warnings").GetArrayLength()),
            Is.EqualTo((0, "", 0)));
        Assert.That((sure.Json.GetProperty("config").GetProperty("activation").GetString(),
            sure.Json.GetProperty("config").GetProperty("mean")[2].GetSingle()), Is.EqualTo(("Gelu", .5f)));
        Assert.That((kept.ExitCode, kept.Error), Is.EqualTo((0, "")));
        using ClipWeights converted = ClipWeights.Load(In("y.safetensors"));
        Assert.That((converted.Config.Activation, converted.Config.Std.Blue),
            Is.EqualTo((Cliper.Kernels.Operations.Activation.Gelu, .5f)));
        Assert.That((wrong.ExitCode, wrong.Error.Contains("activation is 'relu'")), Is.EqualTo((2, true)));
        Assert.That((model.ExitCode, model.Error.Contains("are for CLIP weights")), Is.EqualTo((2, true)));
    }

    [Test]
    public void Embed_WithStatedFacts_ComputesAsTheConvertedFile()
    {
        using (ClipWeights weights = ClipWeights.Load(Archive))
        {
            var writer = new SafeTensorsWriter();
            weights.AddTo(writer);
            writer.Metadata["heads"] = "3,2";
            writer.Write(In("bare.safetensors"));
        }
        using (ClipWeights gelu = ClipWeights.Load(In("bare.safetensors"), stated: new ClipStatement
        {
            Activation = "gelu",
            Mean = "0.5,0.5,0.5",
            Std = "0.5,0.5,0.5",
        }))
            gelu.Save(In("gelu.safetensors"));
        byte[] pixels = [.. Enumerable.Range(0, 3 * 18 * 18).Select(i => (byte)(i * 37 % 251))];
        File.WriteAllBytes(In("x.ppm"), [.. "P6 18 18 255\n"u8, .. pixels]);

        ProgramRun assumed = Embed("bare.safetensors", "a");
        ProgramRun stated = Embed("bare.safetensors", "b", "--activation", "gelu", "--mean", "0.5,0.5,0.5", "--std",
            "0.5,0.5,0.5");
        ProgramRun known = Embed("gelu.safetensors", "c");

        Assert.That((assumed.ExitCode, stated.ExitCode, known.ExitCode), Is.EqualTo((0, 0, 0)), assumed.Error);
        Assert.That(assumed.Json.GetProperty("warnings")[0].GetString(), Does.Contain("the activation QuickGelu"));
        Assert.That(stated.Json.GetProperty("warnings").GetArrayLength(), Is.Zero);
        Assert.That(Features("b"), Is.EqualTo(Features("c")));
        Assert.That(Features("a"), Is.Not.EqualTo(Features("c")));

        ProgramRun Embed(string weights, string output, params string[] options) =>
            ProgramRun.InProcess(["embed", "--weights", In(weights), "--images", In("x.ppm"), "--out",
                In(output + ".out"), "--json", .. options]);

        float[] Features(string output)
        {
            using TensorSource file = TensorSource.Open(In(output + ".out"));
            return file.ReadFloats("image_features");
        }
    }

    [Test]
    public void ADownloadedModelIsFoundByItsName()
    {
        using var server = new FaultyServer();
        using (ClipWeights weights = ClipWeights.Load(Archive))
            weights.Save(In("made"), ClipNaming.HuggingFace);
        server.Files["model.safetensors"] = File.ReadAllBytes(In("made"));
        server.Large.Add("model.safetensors");
        // The first connection drops in the middle, as they do.
        bool drop = true;
        server.Fault = (_, bytes, _) =>
        {
            (bool now, drop) = (drop, false);
            return now ? new FaultyServer.Answer("200 OK", bytes[..(bytes.Length / 2)], bytes.Length) : null;
        };
        (string Name, string Value)[] variables = [("HF_ENDPOINT", server.Address), ("HF_HUB_CACHE", In("cache"))];
        string?[] before = [.. variables.Select(variable => Environment.GetEnvironmentVariable(variable.Name))];
        try
        {
            foreach ((string name, string value) in variables)
                Environment.SetEnvironmentVariable(name, value);
            ProgramRun run = ProgramRun.InProcess("weights", "download", FaultyServer.Model, "--json");
            ProgramRun found = ProgramRun.InProcess("weights", "verify", FaultyServer.Model);
            ProgramRun missing = ProgramRun.InProcess("weights", "verify", "openai/another");

            Assert.That(run.ExitCode, Is.Zero, run.Error);
            Assert.That(run.Error, Does.Contain("model.safetensors: ").And.Contain(" of "));
            Assert.That(run.Json.GetProperty("commit").GetString(), Is.EqualTo(FaultyServer.Commit));
            Assert.That(run.Json.GetProperty("fetched").GetInt64(),
                Is.EqualTo(server.Files["model.safetensors"].Length));
            Assert.That(found.ExitCode, Is.Zero, found.Error);
            Assert.That(missing.ExitCode, Is.EqualTo(3));
            Assert.That(missing.Error, Does.Contain("weights download openai/another"));
        }
        finally
        {
            for (int i = 0; i < variables.Length; i++)
                Environment.SetEnvironmentVariable(variables[i].Name, before[i]);
        }
    }

    // Only the proxy can be reached; that it has no such model is its answer.
    [Test]
    public void AProxyIsAskedForTheHub()
    {
        using var proxy = new FaultyServer();
        ProgramRun run =
            ProgramRun.Shell($"http_proxy={proxy.Address} HF_ENDPOINT=http://hub.invalid HF_HUB_CACHE='{In("cache")}' "
            + "$PROGRAM weights download openai/another");

        Assert.That((run.ExitCode, run.Out), Is.EqualTo((3, "")), run.Error);
        Assert.That(proxy.Requests, Is.Not.Empty);
        Assert.That(proxy.Requests, Has.All.StartsWith("http://hub.invalid/").And.All.Contains("openai/another"));
    }

    [TestCase(3, "no such file", "inspect", "OUT")]
    [TestCase(3, "'torch.nn.modules.linear Linear'", "inspect", "MODULE")]
    [TestCase(3, "no such file", "verify", "OUT")]
    [TestCase(3, "no CLIP weights", "verify", "TRAINING")]
    [TestCase(3, "no such file", "convert", "OUT", "--out", "OUT")]
    [TestCase(2, "--type is 'fp16'; there are f32, f16, bf16", "convert", "MODULE", "--out", "OUT", "--type", "fp16")]
    [TestCase(2, "--naming is 'hugging'", "convert", "MODULE", "--out", "OUT", "--naming", "hugging")]
    [TestCase(2, "no model's name", "download", "clip")]
    public void BadInputIsOneSentence(int exitCode, string message, params string[] args)
    {
        ProgramRun run = ProgramRun.InProcess(["weights", .. args.Select(word => word switch
        {
            "OUT" => In("nothing-here"),
            "MODULE" => Path.Combine(Checkout.Root, "tests", "checkpoints", "module.pt"),
            "TRAINING" => Path.Combine(Checkout.Root, "tests", "checkpoints", "training.pt"),
            _ => word,
        })]);

        Assert.That((run.ExitCode, run.Out), Is.EqualTo((exitCode, "")), run.Error);
        Assert.That(run.Error, Does.Contain(message).And.Not.Contain("   at "));
        Assert.That(Directory.GetFileSystemEntries(_folder), Is.Empty);
    }
}
