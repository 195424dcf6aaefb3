using System.Buffers.Binary;
using System.Text;
using Cliper.Model.Clip;
using Cliper.Model.IO;
using Cliper.Model.Text;
using Cliper.Model.Weights;

namespace Cliper.Model.Tests.Weights;

/// <summary>
/// Files changed at random: each is read, or refused with an <see cref="InputException"/>, and never takes memory or
/// time out of proportion nor writes a file. Every case repeats from its number. CLIPER_FUZZ_ROUNDS=100000 changes each
/// as many times.
/// </summary>
public sealed class FuzzTests : TemporaryFolder
{
    private static readonly int Rounds = Fuzzing.Rounds(3000);

    // The largest of the files is below 100 kB; reading takes a small multiple of that, whatever the file claims.
    private const long MostBytes = 32 << 20;

    // Reading takes about a millisecond; the rest is for the collector and the compiler.
    private static readonly TimeSpan MostTime = TimeSpan.FromSeconds(10);

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
        VocabularySize = 9,
        ContextLength = 5,
        EmbedSize = 3,
    };

    /// <summary>In memory where that can be had: thousands of files are written.</summary>
    protected override string Parent => Directory.Exists("/dev/shm") ? "/dev/shm" : base.Parent;

    [Test]
    public void SafeTensors()
    {
        using (ClipWeights weights = ClipWeights.Random(Config, 1))
            weights.Save(In("whole"));
        byte[] whole = File.ReadAllBytes(In("whole"));
        int header = (int)BinaryPrimitives.ReadInt64LittleEndian(whole);
        Fuzz(whole, 8 + header, "x", path =>
        {
            using TensorSource source = TensorSource.Open(path);
            foreach (string name in source.Tensors.Keys)
                _ = TensorSource.IsFloating(source.Entry(name).Type) ? source.ReadFloats(name).Length
                    : source.ReadIntegers(name).Length;
        });
    }

    [Test]
    public void SafeTensorsWithAHeaderOfTheRightLength()
    {
        using (ClipWeights weights = ClipWeights.Random(Config, 1))
            weights.Save(In("whole"));
        byte[] whole = File.ReadAllBytes(In("whole"));
        int length = (int)BinaryPrimitives.ReadInt64LittleEndian(whole);
        byte[] data = whole[(8 + length)..];
        // The length is made to fit, so that the changes reach the JSON and the checks behind it, up to those of a
        // CLIP's tensors.
        Fuzz(whole[8..(8 + length)], length, "x", path => ClipWeights.Load(path).Dispose(), header =>
        {
            var bytes = new byte[8 + header.Length + data.Length];
            BinaryPrimitives.WriteInt64LittleEndian(bytes, header.Length);
            header.CopyTo(bytes, 8);
            data.CopyTo(bytes, 8 + header.Length);
            return bytes;
        });
    }

    private static byte[] Made(string name) =>
        File.ReadAllBytes(Path.Combine(SharedFiles.Root, "tests", "checkpoints", name));

    private static void ReadAll(string path)
    {
        using TensorSource source = TensorSource.Open(path);
        foreach (TensorEntry entry in source.Tensors.Values)
            _ = TensorSource.IsFloating(entry.Type) ? source.ReadFloats(entry.Name).Length
                : source.ReadIntegers(entry.Name).Length;
        _ = source.DamagedRecords().Count();
    }

    [Test]
    public void PyTorchArchive([Values("state-dict.pt", "training.pt")] string name)
    {
        byte[] whole = Made(name);
        Fuzz(whole, whole.Length, "x", ReadAll);
    }

    [Test]
    public void PyTorchLegacy()
    {
        byte[] whole = Made("legacy.pt");
        Fuzz(whole, whole.Length, "x", ReadAll);
    }

    // In an archive that is sound, without checksums, so that the changes reach the instructions and what is built by
    // them.
    [Test]
    public void Pickle([Values("state-dict.pt", "protocol-4.pt", "clip-micro.pt")] string name)
    {
        File.WriteAllBytes(In("made"), Made(name));
        Dictionary<string, byte[]> records;
        using (var file = new ReadOnlyFile(In("made")))
            records = ZipDirectory.Read(file).Values.Where(entry => entry.Stored && !entry.Name.Contains("/code/"))
                .ToDictionary(entry => entry.Name, entry => file.Read(entry.Start, (int)entry.Length));
        string pickle = records.Keys.Single(record => record.EndsWith("/data.pkl", StringComparison.Ordinal));
        Fuzz(records[pickle], records[pickle].Length, "x", ReadAll, changed =>
        {
            using (var archive = new ArchiveWriter(In("archive")))
                foreach ((string record, byte[] bytes) in records)
                    archive.Add(record, record == pickle ? changed : bytes);
            return File.ReadAllBytes(In("archive"));
        });
    }

    [Test]
    public void PyTorchShardIndex()
    {
        foreach (string name in new[] { "pytorch_model-00001-of-00002.bin", "pytorch_model-00002-of-00002.bin" })
            File.WriteAllBytes(In(name), Made(name));
        byte[] index = Made("pytorch_model.bin.index.json");
        Fuzz(index, index.Length, "pytorch_model.bin.index.json", ReadAll);
    }

    [Test]
    public void ShardIndex()
    {
        foreach (string name in new[] { "a", "b" })
        {
            var writer = new SafeTensorsWriter();
            writer.Add(name, [2], new float[2]);
            writer.Write(In(name + ".safetensors"));
        }
        byte[] index =
            Encoding.UTF8.GetBytes(
            """{"metadata":{"total_size":16},"weight_map":{"a":"a.safetensors","b":"b.safetensors"}}""");
        Fuzz(index, index.Length, "model.safetensors.index.json", path => TensorSource.Open(path).Dispose());
    }

    [Test]
    public void Configuration()
    {
        using (ClipWeights weights = ClipWeights.Random(Config, 1))
        {
            var writer = new SafeTensorsWriter();
            weights.AddTo(writer, ClipNaming.HuggingFace);
            writer.Write(In("model.safetensors"));
        }
        byte[] config = Encoding.UTF8.GetBytes("""
            {"model_type":"clip","projection_dim":3,"text_config":{"hidden_size":4,"num_attention_heads":2,"hidden_act":"gelu"},
            "vision_config":{"hidden_size":4,"num_attention_heads":2,"hidden_act":"gelu","layer_norm_eps":1e-5,"image_size":4}}
            """);
        Fuzz(config, config.Length, "config.json", _ => ClipWeights.Load(Folder).Dispose());
    }

    [Test]
    public void OpenClipConfiguration()
    {
        using (ClipWeights weights = ClipWeights.Random(Config, 1))
        {
            var writer = new SafeTensorsWriter();
            weights.AddTo(writer);
            writer.Write(In("open_clip_model.safetensors"));
        }
        byte[] config = Encoding.UTF8.GetBytes("""
            {"model_cfg":{"embed_dim":3,"quick_gelu":true,"vision_cfg":{"image_size":4,"layers":1,"head_width":2},
            "text_cfg":{"heads":2,"layers":1,"norm_kwargs":{}}},"preprocess_cfg":{"mean":[0.5,0.5,0.5],"size":[4,4]}}
            """);
        Fuzz(config, config.Length, "open_clip_config.json", _ => ClipWeights.Load(Folder).Dispose());
    }

    [Test]
    public void VocabularyAndMerges()
    {
        BpeVocabulary vocabulary = BpeTrainer.Train(["a happy face, a sad face", "a happy face"], 540, ["happy"]);
        vocabulary.Save(Folder);
        byte[] tokens = File.ReadAllBytes(In("vocab.json")), merges = File.ReadAllBytes(In("merges.txt"));
        Fuzz(merges, merges.Length, "merges.txt", _ =>
            new ClipTokenizer(BpeVocabulary.Load(Folder)).Encode("a happy sad face", 77, true));
        File.WriteAllBytes(In("merges.txt"), merges);
        Fuzz(tokens, tokens.Length, "vocab.json", _ =>
            new ClipTokenizer(BpeVocabulary.Load(Folder)).Encode("a happy sad face", 77, true));
    }

    [Test]
    public void MergesAlone()
    {
        byte[] merges = Encoding.UTF8.GetBytes("#version: 0.2\nh a\np p\nha pp\nhapp y</w>\ns ad</w>\na d</w>\n"[..40]);
        Fuzz(merges, merges.Length, "merges.txt", path =>
            new ClipTokenizer(BpeVocabulary.Load(path)).Encode("a happy sad face", 77, true));
    }

    private void Fuzz(byte[] whole, int end, string name, Action<string> read, Func<byte[], byte[]>? finish = null)
    {
        string path = In(name);
        int accepted = 0;
        string[]? files = null;
        long before = GC.GetTotalAllocatedBytes(true);
        for (int round = 0; round < Rounds; round++)
        {
            byte[] changed = Fuzzing.Mutate(whole, end, new Random(round));
            File.WriteAllBytes(path, finish?.Invoke(changed) ?? changed);
            files ??= Directory.GetFileSystemEntries(Folder);
            long start = GC.GetAllocatedBytesForCurrentThread();
            TimeSpan began = Environment.CpuUsage.TotalTime;
            try
            {
                read(path);
                accepted++;
            }
            catch (InputException)
            {
            }
            catch (Exception e)
            {
                Assert.Fail($"round {round}: {e}");
            }
            Assert.That(GC.GetAllocatedBytesForCurrentThread() - start, Is.LessThan(MostBytes),
                $"bytes taken in round {round}");
            // The processor's time: the machine may be busy with something else.
            Assert.That(Environment.CpuUsage.TotalTime - began, Is.LessThan(MostTime), $"time taken in round {round}");
        }
        Assert.That(Directory.GetFileSystemEntries(Folder), Is.EquivalentTo(files!), "nothing is written");
        TestContext.Out.WriteLine($"{Rounds} files, {accepted} still sound, "
            + $"{(GC.GetTotalAllocatedBytes(true) - before) / Rounds / 1024} KiB each");
        // Some changes do no harm (other bytes of a weight, other letters of a name), most do; all or none would show a
        // broken test.
        Assert.That(accepted, Is.LessThan(Rounds));
    }
}
