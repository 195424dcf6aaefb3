using System.Text.Json;
using Cliper.Autograd;
using Cliper.Kernels.Cpu;
using Cliper.Model.Clip;
using Cliper.Model.Weights;

namespace Cliper.Model.Tests.Weights;

/// <summary>
/// Archives with the layout of OpenAI's ViT-B-32.pt: the same names, types, records and attributes, numbers of our own.
/// </summary>
public sealed class OpenAIArchiveTests : TemporaryFolder
{
    private const string RealWeights = "CLIPER_CLIP_B32";

    /// <summary>The real layout takes 350 MB; most of it stays a hole.</summary>
    private const int Numbers = 251;

    [Test]
    public void TheRealLayoutLoadsCompletely()
    {
        string index = SharedFiles.OrIgnore("fixtures/openai-ViT-B-32.pt.index.json");
        ClipConfig config = AssertLoads(index);
        Assert.That(config, Is.EqualTo(new ClipConfig
        {
            ImageSize = 224,
            PatchSize = 32,
            VisionWidth = 768,
            VisionLayers = 12,
            VisionHeads = 12,
            TextWidth = 512,
            TextLayers = 12,
            TextHeads = 8,
            VocabularySize = 49408,
            EmbedSize = 512,
        }));
    }

    /// <summary>The real layout with two blocks and smaller sizes.</summary>
    [Test]
    public void ASmallOneOfTheSameLayoutLoadsCompletely()
    {
        ClipConfig config = AssertLoads(Small);
        Assert.That((config.VisionHeads, config.TextHeads, config.ImageSize), Is.EqualTo((2, 1, 12)));
    }

    [Test]
    public void HeadsThatDifferBetweenBlocksAreAnError()
    {
        string index = File.ReadAllText(Small).Replace("""1.attn.num_heads": {"value": 2}""",
            """1.attn.num_heads": {"value": 4}""");
        File.WriteAllText(In("index.json"), index);
        WriteArchive(In("clip.pt"), In("index.json"));
        Assert.That(() => ClipWeights.Load(In("clip.pt")),
            Throws.TypeOf<InputException>().With.Message.Contains("num_heads").And.Message.Contains("'2', '4'"));
    }

    private static string Small => Path.Combine(SharedFiles.Root, "tests", "checkpoints", "openai-layout.json");

    private ClipConfig AssertLoads(string index)
    {
        string path = In("clip.pt");
        Dictionary<string, (int Number, long Elements)> written = WriteArchive(path, index);
        using ClipWeights weights = ClipWeights.Load(path);
        Assert.That(weights.Names, Is.EquivalentTo(written.Keys.Where(name => !ClipTensors.IsRedundant(name))));
        foreach (string name in weights.Names)
        {
            (int number, long elements) = written[name];
            float[] values = weights.Values(name);
            Assert.That(values, Has.Length.EqualTo(elements), name);
            Assert.That(values.Take(Numbers), Is.EqualTo(Enumerable.Range(0, values.Length).Take(Numbers)
                .Select(i => (float)((number + i) % Numbers))), name);
            Assert.That(values.AsSpan(Math.Min(Numbers, values.Length)).ContainsAnyExcept(0f), Is.False, name);
        }
        return weights.Config;
    }

    /// <summary>Writes an archive of modules within modules, and says which number each tensor begins with.</summary>
    private static Dictionary<string, (int Number, long Elements)> WriteArchive(string path, string index)
    {
        using JsonDocument document = JsonDocument.Parse(File.ReadAllText(index));
        var written = new Dictionary<string, (int, long)>();
        var root = new SortedDictionary<string, object>(StringComparer.Ordinal);
        foreach (JsonProperty property in document.RootElement.EnumerateObject())
        {
            SortedDictionary<string, object> at = root;
            string[] names = property.Name.Split('.');
            foreach (string name in names[..^1])
                at = (SortedDictionary<string, object>)(at.TryGetValue(name, out object? below) ? below
                    : at[name] = new SortedDictionary<string, object>(StringComparer.Ordinal));
            at[names[^1]] = property.Value;
        }
        var pickle = new PickleWriter().Start();
        WriteModule(pickle, root);
        using var archive = new ArchiveWriter(path);
        archive.Add("ViT-B-32/data.pkl", pickle.Code(".").Bytes);
        int count = 0;
        foreach (JsonProperty property in document.RootElement.EnumerateObject())
            if (property.Value.TryGetProperty("path", out JsonElement record))
            {
                int number = count++, size = SizeOf(property.Value);
                long bytes = property.Value.GetProperty("end").GetInt64();
                written[property.Name] = (number, bytes / size);
                archive.Add(record.GetString()!, bytes, stream =>
                {
                    for (int i = 0; i < Math.Min(Numbers, bytes / size); i++)
                        stream.Write(Bytes((number + i) % Numbers, size));
                    stream.SetLength(stream.Position + Math.Max(0, bytes - Numbers * size));
                    stream.Position = stream.Length;
                });
            }
        archive.Add("ViT-B-32/code/__torch__.py", "class M(Module): pass"u8.ToArray());
        return written;
    }

    private static byte[] Bytes(int value, int size) => size switch
    {
        2 => BitConverter.GetBytes((Half)value),
        4 => BitConverter.GetBytes((float)value),
        _ => BitConverter.GetBytes((long)value),
    };

    private static int SizeOf(JsonElement tensor) => tensor.GetProperty("dtype").GetString() switch
    {
        "float16" => 2,
        "float32" => 4,
        _ => 8,
    };

    private static void WriteModule(PickleWriter pickle, SortedDictionary<string, object> module)
    {
        pickle.Global("__torch__.multimodal.model", "Part").Code(")").Raw(0x81).Code("}(");
        foreach ((string name, object item) in module)
        {
            pickle.Text(name);
            if (item is SortedDictionary<string, object> below)
                WriteModule(pickle, below);
            else if (((JsonElement)item).TryGetProperty("value", out JsonElement value))
                pickle.Number(value.GetInt64());
            else
            {
                var tensor = (JsonElement)item;
                pickle.Tensor(tensor.GetProperty("dtype").GetString() switch
                {
                    "float16" => "HalfStorage",
                    "float32" => "FloatStorage",
                    _ => "LongStorage",
                }, tensor.GetProperty("path").GetString()!.Split('/')[^1],
                    [.. tensor.GetProperty("shape").EnumerateArray().Select(size => size.GetInt64())]);
            }
        }
        pickle.Code("ub");
    }

    /// <summary>
    /// The values that elixir-nx/bumblebee publishes for OpenAI's ViT-B/32 (Apache-2.0), within the tolerance that its
    /// tests have: 1e-4 absolute and 1e-4 relative.
    /// </summary>
    [Test]
    public void TheRealModelGivesThePublishedValues()
    {
        if (Environment.GetEnvironmentVariable(RealWeights) is not { Length: > 0 } path)
        {
            Assert.Ignore($"needs {RealWeights}: OpenAI's ViT-B/32 in any form, such as ViT-B-32.pt, or its name "
                + "openai/clip-vit-base-patch32 after 'cliper-gpu weights download'");
            return;
        }
        using var device = new CpuDevice();
        using ClipWeights weights = ClipWeights.Load(path);
        using var clip = new ClipModel(device, weights);
        using var tape = new Tape(device, recording: false);
        int pixels = 3 * 224 * 224;
        Tensor Gray(params float[] levels) => tape.Own(Tensor.From(device,
            [.. levels.SelectMany(level => Enumerable.Repeat(level, pixels))], new Shape(levels.Length, 3, 224, 224)));

        clip.Vision.Forward(tape, Gray(.5f), (name, value) =>
        {
            if (name == "block.11")
                AssertPublished(name, Rows(value, 1), .3465f, -.3939f, -.5297f, .3588f, -.2529f, -.5606f,
                    .3958f, -.2688f,
                    -.5367f);
            if (name == "ln_post")
                AssertPublished(name, value.ToArray()[1..4], .3602f, .3658f, -.2337f);
        });
        int[] cat = [49406, 320, 1125, 539, 320, 2368, 49407], dog = [49406, 320, 1125, 539, 320, 1929, 49407];
        clip.Text.Forward(tape, [cat], (name, value) =>
        {
            if (name != "ln_final")
                return;
            AssertPublished(name, Rows(value, 1), -.5844f, .3685f, -2.0744f, -.9600f, 1.0018f, -.2415f,
                -.5957f, -.1719f,
                .4689f);
            AssertPublished(name + " at the end", Rows(value, cat.Length - 1)[..3], .1658f, .8876f, 10.6313f);
        });
        float[] logits = clip.LogitsPerImage(tape, clip.Vision.Forward(tape, Gray(.25f, .75f)),
            clip.Text.Forward(tape, [cat, dog])).ToArray();
        // Published a text a row, here a picture a row.
        AssertPublished("logits", [logits[0], logits[2], logits[1], logits[3]], 22.7866f, 22.8397f, 23.2389f, 22.8406f);
    }

    /// <summary>Columns 1 to 3 of three rows of the first sample (fewer at the end) of [N, T, W].</summary>
    private static float[] Rows(Tensor value, int first)
    {
        float[] all = value.ToArray();
        int tokens = value.Shape[1], width = value.Shape[2];
        return [.. Enumerable.Range(first, Math.Min(3, tokens - first)).SelectMany(row =>
            all[(row * width + 1)..(row * width + 4)])];
    }

    private static void AssertPublished(string what, float[] values, params float[] published)
    {
        Assert.That(values, Has.Length.EqualTo(published.Length), what);
        for (int i = 0; i < values.Length; i++)
            Assert.That(values[i], Is.EqualTo(published[i]).Within(1e-4 * (1 + Math.Abs(published[i]))),
                $"{what}[{i}]");
    }
}
