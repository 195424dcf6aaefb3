using System.Buffers.Binary;
using System.Text.Json.Nodes;
using Cliper.Autograd;
using Cliper.Kernels.Cpu;
using Cliper.Model.Checkpoints;
using Cliper.Model.Clip;
using Cliper.Model.Images;
using Cliper.Model.Inference;
using Cliper.Model.Prompts;
using Cliper.Model.Text;
using Cliper.Model.Weights;

namespace Cliper.Model.Tests.Weights;

/// <summary>Checkpoints whose metadata or names do not fit their tensors, and what conversions keep of sound
/// ones.</summary>
public sealed class CheckpointMetadataTests : TemporaryFolder
{
    private static readonly int Rounds = Fuzzing.Rounds(1000);

    private static readonly string[] Whole = ["", "null", "[]", "{}", "\"x\"", "-1", "0", "1e30", "1e-30", "NaN",
        "[null]"];

    private static readonly string[] Leaves = ["null", "-1", "0", "1", "3", "1.5", "2000000000", "1e30", "\"x\"", "[]",
        "{}", "true"];

    private static readonly BpeVocabulary Vocabulary = BpeTrainer.Train(["a happy face"], 520, ["happy"]);

    private static readonly ClipConfig Config = new()
    {
        ImageSize = 4,
        PatchSize = 2,
        VisionWidth = 4,
        VisionLayers = 1,
        VisionHeads = 2,
        TextWidth = 4,
        TextLayers = 1,
        TextHeads = 2,
        VocabularySize = Vocabulary.Count,
        ContextLength = 8,
        EmbedSize = 3,
    };

    private readonly CpuDevice _device = new(1);

    /// <summary>In memory where that can be had: thousands of files are written.</summary>
    protected override string Parent => Directory.Exists("/dev/shm") ? "/dev/shm" : base.Parent;

    [OneTimeTearDown]
    public void EndDevice() => _device.Dispose();

    /// <summary>Writes a checkpoint, and gives its header and what follows it.</summary>
    private (JsonObject Header, byte[] Data) Write(string name, bool learned, Dictionary<string, string>? more = null)
    {
        using ClipWeights weights = ClipWeights.Random(Config, 1);
        IPromptLearner prompts = learned
            ? Metd.Random(_device, 2, 2, Config.TextWidth, new DescriptorPrompt([1, 2, 3, 3, 4, 5], 2, 2), 1)
            : new FixedPrompts([[[1, 2, 5], [1, 5]], [[1, 3, 5], [2, 5]]]);
        using var model = new CliperModel(new ClipModel(_device, weights), prompts, ["happy", "sad"])
        {
            AnswerTemperature = 2,
        };
        Checkpoint.Save(In(name), model, new CheckpointInfo(1, "test", ""), TensorType.F32, progress: null, more);
        byte[] bytes = File.ReadAllBytes(In(name));
        int length = (int)BinaryPrimitives.ReadInt64LittleEndian(bytes);
        return (JsonNode.Parse(bytes.AsSpan(8, length))!.AsObject(), bytes[(8 + length)..]);
    }

    private void Write(string name, byte[] header, byte[] data)
    {
        var bytes = new byte[8 + header.Length + data.Length];
        BinaryPrimitives.WriteInt64LittleEndian(bytes, header.Length);
        header.CopyTo(bytes, 8);
        data.CopyTo(bytes, 8 + header.Length);
        File.WriteAllBytes(In(name), bytes);
    }

    /// <summary>Reads a checkpoint and answers with it: null, or the sentence by which it is refused.</summary>
    private string? Answer(string name, string what)
    {
        try
        {
            using Predictor predictor = Predictor.Load(In(name), _device);
            Prediction answer = predictor.Predict([new RgbImage(4, 4, new byte[48])])[0];
            Assert.That(answer.Probabilities, Has.All.InRange(0, 1), what);
            return null;
        }
        catch (InputException refusal)
        {
            Assert.That(refusal.Message, Does.Not.Contain("\n"), what);
            return refusal.Message;
        }
        catch (Exception failure) when (failure is not AssertionException)
        {
            throw new AssertionException($"{what}: {failure}");
        }
    }

    /// <summary>Every text that differs from a JSON text in one value.</summary>
    private static IEnumerable<string> Altered(string text)
    {
        foreach (string whole in Whole)
            yield return whole;
        JsonNode? root;
        try
        {
            root = JsonNode.Parse(text);
        }
        catch (System.Text.Json.JsonException)
        {
            yield break;
        }
        foreach (string path in Paths(root))
            foreach (string leaf in Leaves)
            {
                JsonNode copy = root!.DeepClone();
                JsonNode at = path.Split('/')[1..^1].Aggregate(copy, (node, key) =>
                    node is JsonArray array ? array[int.Parse(key)]! : node[key]!);
                string last = path.Split('/')[^1];
                if (at is JsonArray items)
                    items[int.Parse(last)] = JsonNode.Parse(leaf);
                else
                    at[last] = JsonNode.Parse(leaf);
                yield return copy.ToJsonString();
            }
    }

    private static IEnumerable<string> Paths(JsonNode? node) => node switch
    {
        JsonObject values => values.SelectMany(pair => Paths(pair.Value).Select(path => $"/{pair.Key}{path}")
            .Append($"/{pair.Key}")).Distinct(),
        JsonArray values => values.SelectMany((value, i) => Paths(value).Select(path => $"/{i}{path}").Append($"/{i}"))
            .Distinct(),
        _ => [],
    };

    [Test]
    public void AnAlteredValue_IsHarmlessOrOneSentence([Values] bool learned)
    {
        (JsonObject header, byte[] data) = Write("whole", learned);
        Assert.That(Answer("whole", "whole"), Is.Null);
        JsonObject metadata = header["__metadata__"]!.AsObject();
        (int refused, int accepted) = (0, 0);
        foreach (string key in metadata.Select(pair => pair.Key).ToArray())
        {
            string value = metadata[key]!.GetValue<string>();
            foreach (string altered in Altered(value))
            {
                metadata[key] = altered;
                Write("x", System.Text.Encoding.UTF8.GetBytes(header.ToJsonString()), data);
                _ = Answer("x", $"{key} = {altered}") is null ? accepted++ : refused++;
            }
            metadata[key] = value;
        }
        TestContext.Out.WriteLine($"{refused} refused, {accepted} harmless");
        Assert.That(refused, Is.GreaterThan(100));
        Assert.That(accepted, Is.Positive, "a frame more, another mean");
    }

    [TestCase("temperature", "0", "'temperature'")]
    [TestCase("temperature", "NaN", "'temperature'")]
    [TestCase("answerTemperature", "-1", "'answerTemperature'")]
    [TestCase("classes", "[\"happy\",\"happy\"]", "'classes'")]
    [TestCase("classes", "[\"happy\",null]", "'classes'")]
    [TestCase("prompt", """{"ids":[1,2,3,3,4,9999],"slotStart":2,"slots":2}""", "id 9999")]
    [TestCase("prompt", """{"ids":[1,2,3,3,4,5],"slotStart":5,"slots":2}""", "2 slots from 5")]
    public void AValueThatCannotBe_IsNamed(string key, string value, string says)
    {
        (JsonObject header, byte[] data) = Write("whole", learned: true);
        header["__metadata__"]![key] = value;
        Write("x", System.Text.Encoding.UTF8.GetBytes(header.ToJsonString()), data);

        Assert.That(Answer("x", key), Does.StartWith(In("x")).And.Contain(says));
    }

    [Test]
    public void AnAlteredConfiguration_IsComparedWithTheTensors()
    {
        (JsonObject header, byte[] data) = Write("whole", learned: true);
        string config = header["__metadata__"]!["clip_config"]!.GetValue<string>();
        header["__metadata__"]!["clip_config"] = config.Replace("\"textWidth\":4", "\"textWidth\":6");
        Write("x", System.Text.Encoding.UTF8.GetBytes(header.ToJsonString()), data);

        Assert.That(Answer("x", "textWidth"), Does.Contain("tensor clip.token_embedding.weight: expected ["
            + $"{Vocabulary.Count}, 6] by the metadata 'clip_config', found [{Vocabulary.Count}, 4]"));
    }

    [Test]
    public void AFlippedBitOfTheHeader_IsHarmlessOrOneSentence()
    {
        (JsonObject header, byte[] data) = Write("whole", learned: true);
        byte[] whole = System.Text.Encoding.UTF8.GetBytes(header.ToJsonString());
        for (int round = 0; round < Rounds; round++)
        {
            var random = new Random(round);
            byte[] changed = [.. whole];
            changed[random.Next(changed.Length)] ^= (byte)(1 << random.Next(8));
            Write("x", changed, data);
            Answer("x", $"round {round}");
        }
    }

    [Test]
    public void AWeightThatIsNotFinite_IsNamed()
    {
        (JsonObject header, byte[] data) = Write("whole", learned: true);
        JsonArray offsets = header["clip.visual.proj"]!["data_offsets"]!.AsArray();
        BinaryPrimitives.WriteSingleLittleEndian(data.AsSpan(offsets[0]!.GetValue<int>() + 4), float.NaN);
        Write("x", System.Text.Encoding.UTF8.GetBytes(header.ToJsonString()), data);

        Assert.That(Answer("x", "NaN"), Does.StartWith(
            $"{In("x")}: tensor 'clip.visual.proj': expected finite numbers, found NaN at element 1;"));
    }

    [Test]
    public void AConversionOfARunsModel_KeepsAllThatItIs([Values(TensorType.F32, TensorType.F16)] TensorType type)
    {
        string path = WriteRun();

        WeightsConversion result = WeightsConversion.Convert(path, In("x"), naming: null, type, prefix: null);

        (CliperModel model, CheckpointInfo info) = Checkpoint.Load(In("x"), _device);
        using (model)
        {
            Assert.That(model.Classes, Is.EqualTo(new[] { "happy", "sad" }));
            Assert.That((model.AnswerTemperature, info.Recipe), Is.EqualTo((2f, "test")));
            Assert.That(((Metd)model.Prompts).PromptsPerClass, Is.EqualTo(2));
        }
        Assert.That(result.Warnings, Is.Empty);
        using ClipWeights weights = ClipWeights.Load(In("x"));
        Assert.That(weights.Metadata["origin"], Is.EqualTo("a test"));
        Assert.That(WeightsTokenizer.For(weights, In("x")).Vocabulary.Merges, Is.EqualTo(Vocabulary.Merges));
    }

    [Test]
    public void AConversionToAClipAlone_KeepsTokenizerAndClasses_AndSaysWhatIsLeftOut([Values] ClipNaming naming)
    {
        string path = WriteRun();

        WeightsConversion result = WeightsConversion.Convert(path, In("x"), naming, TensorType.F32, prefix: null);

        Assert.That(result.Warnings.Single(), Does.Contain("descriptors"));
        using ClipWeights weights = ClipWeights.Load(In("x"));
        Assert.That(weights.Config, Is.EqualTo(Config));
        Assert.That(weights.Metadata["classes"], Is.EqualTo("[\"happy\",\"sad\"]"));
        Assert.That(weights.Metadata["origin"], Is.EqualTo("a test"));
        Assert.That(WeightsTokenizer.For(weights, In("x")).Vocabulary.Merges, Is.EqualTo(Vocabulary.Merges));
    }

    /// <summary>A run's folder with a model and its tokenizer; path of the model.</summary>
    private string WriteRun()
    {
        Directory.CreateDirectory(In("run/checkpoints"));
        Directory.CreateDirectory(In("run/tokenizer"));
        Write("run/checkpoints/model.safetensors", learned: true, new() { ["origin"] = "a test" });
        Vocabulary.Save(In("run/tokenizer"));
        return In("run/checkpoints/model.safetensors");
    }
}
