using System.Formats.Tar;
using System.IO.Compression;
using System.Text.Json;
using Cliper.Autograd;
using Cliper.Kernels.Cpu;
using Cliper.Kernels.Operations;
using Cliper.Model.Checkpoints;
using Cliper.Model.Clip;
using Cliper.Model.Export;
using Cliper.Model.Faces;
using Cliper.Model.Images;
using Cliper.Model.Inference;
using Cliper.Model.IO;
using Cliper.Model.Loading;
using Cliper.Model.Prompts;
using Cliper.Model.SyntheticFaces;
using Cliper.Model.Tests.Golden;
using Cliper.Model.Weights;

namespace Cliper.Model.Tests.Export;

/// <summary>Exported models in ONNX Runtime, beside the program's own answers.</summary>
public sealed class OnnxExportTests : TemporaryFolder
{
    private const int Pictures = 200;

    /// <summary>The bound of the specification. Sums in another order differ by some 1e-6 of a logit.</summary>
    private const double Bound = 1e-5;

    private static readonly JsonSerializerOptions Json = new() { PropertyNamingPolicy = JsonNamingPolicy.CamelCase };

    private static readonly ClipConfig Small = new()
    {
        ImageSize = 16,
        PatchSize = 8,
        VisionWidth = 16,
        VisionLayers = 1,
        VisionHeads = 1,
        TextWidth = 16,
        TextLayers = 1,
        TextHeads = 1,
        VocabularySize = 8,
        ContextLength = 8,
        EmbedSize = 16,
    };

    private static readonly CpuDevice Device = new();

    [OneTimeTearDown]
    public void EndDevice() => Device.Dispose();

    [Test]
    public void DrawnFaces_HaveTheProgramsAnswers([Values("photographs", "drawn-faces")] string name,
        [Values] bool half, [Values] bool floatInput)
    {
        using Predictor predictor = Load(name);
        SquarePicture[] pictures = Drawn(predictor, Pictures);

        OnnxSummary summary = OnnxExport.Write(predictor, In("model.onnx"),
            new OnnxOptions { Half = half, FloatInput = floatInput });

        Assert.That(summary.Bytes, Is.EqualTo(new FileInfo(In("model.onnx")).Length));
        AssertSameAnswers(predictor, In("model.onnx"), pictures, floatInput);
    }

    [Test]
    public void Fer2013_HasTheProgramsAnswers([Values] bool half)
    {
        using Predictor predictor = Load("photographs");
        SquarePicture[] pictures = [.. Fer2013().Select(image => new SquarePicture(image, SizeOf(predictor)))];

        OnnxExport.Write(predictor, In("model.onnx"), new OnnxOptions { Half = half });

        AssertSameAnswers(predictor, In("model.onnx"), pictures, floatInput: false);
    }

    [Test]
    public void EveryOpset_IsTakenAndAnswersAlike([ValueSource(nameof(Opsets))] int opset,
        [Values("photographs", "drawn-faces")] string name)
    {
        using Predictor predictor = Load(name);

        OnnxExport.Write(predictor, In("model.onnx"), new OnnxOptions { Opset = opset, Half = opset % 2 == 0 });

        AssertSameAnswers(predictor, In("model.onnx"), Drawn(predictor, 7), floatInput: false);
    }

    [Test]
    public void AnOpsetOutOfRange_IsAnErrorAndWritesNothing(
        [Values(int.MinValue, 0, 16, OnnxOptions.LatestOpset + 1)] int opset)
    {
        using Predictor predictor = Load("drawn-faces");

        Assert.That(() => OnnxExport.Write(predictor, In("model.onnx"), new OnnxOptions { Opset = opset }),
            Throws.TypeOf<SettingsException>().With.Message.Contains($"{opset}").And.Message.Contains("17 and"));
        Assert.That(Directory.GetFiles(Folder), Is.Empty);
    }

    [Test]
    public void TheFile_DeclaresNamesTypesAndMetadata([Values("photographs", "drawn-faces")] string name)
    {
        using Predictor predictor = Load(name);
        OnnxExport.Write(predictor, In("model.onnx"), new OnnxOptions());
        OnnxExport.Write(predictor, In("float.onnx"), new OnnxOptions { FloatInput = true });
        int size = SizeOf(predictor), width = predictor.Model.Clip.Config.EmbedSize;

        using OrtModel bytes = new(In("model.onnx")), floats = new(In("float.onnx"));

        Assert.That(bytes.Input, Is.EqualTo($"pixels Byte [-1, {size}, {size}, 3]"));
        Assert.That(floats.Input, Is.EqualTo($"pixels Single [-1, 3, {size}, {size}]"));
        Assert.That(bytes.Outputs, Is.EqualTo(new[] { "probabilities Single [-1, 7]", "logits Single [-1, 7]",
            $"features Single [-1, {width}]", "descriptor Int64 [-1]" }));
        Assert.That(floats.Metadata, Is.EqualTo(bytes.Metadata));
        Assert.That(Parsed<string[]>(bytes, "classes"), Is.EqualTo(predictor.Classes));
        Assert.That(Parsed<float[]>(bytes, "mean"), Is.EqualTo(predictor.Model.Clip.Config.Mean.ToArray()));
        Assert.That(Parsed<float[]>(bytes, "std"), Is.EqualTo(predictor.Model.Clip.Config.Std.ToArray()));
        Assert.That(Parsed<string[]>(bytes, "notes"), Is.EqualTo(predictor.Notes));
        FaceTemplate? template = Parsed<FaceTemplate?>(bytes, "faceTemplate");
        Assert.That(template?.Points, Is.EqualTo(predictor.Info.FaceTemplate?.Points));
        Assert.That(template?.Look, Is.EqualTo(predictor.Info.FaceTemplate?.Look));
        Assert.That(bytes.Metadata["modelSha256"], Is.EqualTo(FileHash.Sha256(predictor.Path)));
    }

    [Test]
    public void Fp16_HalvesTheFile([Values("photographs", "drawn-faces")] string name)
    {
        using Predictor predictor = Load(name);

        long whole = OnnxExport.Write(predictor, In("model.onnx"), new OnnxOptions()).Bytes,
            half = OnnxExport.Write(predictor, In("half.onnx"), new OnnxOptions { Half = true }).Bytes;

        TestContext.Out.WriteLine($"{whole} and {half} bytes");
        Assert.That(half, Is.LessThan(0.56 * whole));
    }

    [Test]
    public void TheSameModel_GivesTheSameBytes()
    {
        using Predictor predictor = Load("photographs");
        foreach (string name in new[] { "a", "b" })
            OnnxExport.Write(predictor, In(name), new OnnxOptions());

        Assert.That(File.ReadAllBytes(In("b")), Is.EqualTo(File.ReadAllBytes(In("a"))));
    }

    [Test]
    public void Verification_FindsTheProgramsAnswers([Values("photographs", "drawn-faces")] string name,
        [Values] bool half, [Values] bool floatInput)
    {
        using Predictor predictor = Load(name);
        OnnxExport.Write(predictor, In("model.onnx"), new OnnxOptions
        {
            Half = half,
            FloatInput = floatInput,
            Opset = floatInput ? OnnxOptions.LatestOpset : OnnxOptions.LeastOpset
        });

        OnnxVerification found = OnnxExport.Verify(predictor, In("model.onnx"));

        TestContext.Out.WriteLine(found);
        Assert.That(found.IsSound);
        // The shipped models are fp16, so that storing them as fp16 again rounds nothing.
        Assert.That(found.LargestDifference, Is.LessThanOrEqualTo(Bound));
    }

    [Test]
    public void Verification_FindsAnotherModel_AndDamage()
    {
        using Predictor predictor = Load("drawn-faces");
        OnnxExport.Write(predictor, In("model.onnx"), new OnnxOptions());
        byte[] bytes = File.ReadAllBytes(In("model.onnx"));

        // A number in the middle of the weights becomes another one.
        byte[] changed = [.. bytes];
        for (int i = 0; i < 4096; i++)
            changed[changed.Length / 2 + i] ^= 0x40;
        File.WriteAllBytes(In("changed.onnx"), changed);
        File.WriteAllBytes(In("short.onnx"), bytes[..(bytes.Length / 2)]);
        File.WriteAllBytes(In("empty.onnx"), []);

        Assert.That(OnnxExport.Verify(predictor, In("changed.onnx")).IsSound, Is.False);
        foreach (string name in new[] { "short.onnx", "empty.onnx" })
            Assert.That(() => OnnxExport.Verify(predictor, In(name)), Throws.TypeOf<InputException>()
                .With.Message.Contains(name).And.Message.Contains("cannot be read back"));
    }

    // Random weights of other shapes than the shipped models have: GELU, and MLPs of another width.
    [TestCase("clip_gelu")]
    [TestCase("clip_micro")]
    [TestCase("clip_rn_micro")]
    public void GoldenTowers_HaveTheProgramsFeatures(string name)
    {
        using ClipWeights weights = ClipWeights.Load(Path.Combine(SharedFiles.Root, "tests", "golden",
            $"{name}.weights.safetensors"));
        var clip = new ClipModel(Device, weights);
        int[] ids = [1, 2, 3, 3, 4, 5];
        using (var model = new CliperModel(clip, Metd.Random(Device, 3, 2, clip.Config.TextWidth,
            new DescriptorPrompt(ids, 2, 2), seed: 1), ["a", "b", "c"]))
            Checkpoint.Save(In("model.safetensors"), model, new CheckpointInfo(1, "", ""));
        using Predictor predictor = Predictor.Load(In("model.safetensors"), Device);
        OnnxExport.Write(predictor, In("model.onnx"), new OnnxOptions { FloatInput = true });
        const int Count = 5;
        int size = SizeOf(predictor);
        float[] pixels = [.. Enumerable.Range(0, Count * 3 * size * size).Select(i => MathF.Sin(i * 0.7f + i / 11))];

        using var ort = new OrtModel(In("model.onnx"));
        float[] found = ort.Run(pixels, Count, 3, size, size).Floats["features"];

        using var tape = new Tape(Device, recording: false);
        float[] expected = predictor.Model.Clip.Vision.Forward(tape,
            tape.Own(Tensor.From(Device, pixels, new Shape(Count, 3, size, size)))).ToArray();
        GoldenSet.AssertRelativelyClose(found, expected, 1e-5, name);
    }

    [Test]
    public void NumbersBeyondFp16_AreAnErrorAndWriteNothing()
    {
        using Predictor predictor = SavedWith(weights => weights["visual.proj"][3] = 1e5f);

        OnnxExport.Write(predictor, In("model.onnx"), new OnnxOptions());
        Assert.That(() => OnnxExport.Write(predictor, In("half.onnx"), new OnnxOptions { Half = true }),
            Throws.TypeOf<InputException>().With.Message.Contains("visual.proj: 1 of 256 numbers are beyond"));
        Assert.That(Directory.GetFiles(Folder, "*half*"), Is.Empty);
    }

    [Test]
    public void Fp16_RoundsOtherWeights_AndVerificationTellsHowFar()
    {
        using Predictor predictor = SavedWith(_ => { });
        OnnxExport.Write(predictor, In("model.onnx"), new OnnxOptions { Half = true });

        OnnxVerification found = OnnxExport.Verify(predictor, In("model.onnx"));

        TestContext.Out.WriteLine(found);
        Assert.That(found.LargestDifference, Is.GreaterThan(0));
        Assert.That(found.Bound, Is.GreaterThan(Bound));
    }

    [Test]
    public void AnInterruption_LeavesNoFile()
    {
        using Predictor predictor = Load("photographs");

        Assert.That(() => OnnxExport.Write(predictor, In("model.onnx"), new OnnxOptions(), new(canceled: true)),
            Throws.InstanceOf<OperationCanceledException>());
        Assert.That(Directory.GetFiles(Folder), Is.Empty);
    }

    [TestCase(4, 1e-5, true)]
    [TestCase(3, 0, false)]
    [TestCase(4, 1.1e-5, false)]
    [TestCase(4, double.PositiveInfinity, false)]
    public void AVerification_IsSoundWhereAnswersAndNumbersAgree(int same, double difference, bool isSound) =>
        Assert.That(new OnnxVerification(4, same, difference, 1e-5).IsSound, Is.EqualTo(isSound));

    /// <summary>A model of random fp32 weights, of which some are changed.</summary>
    private Predictor SavedWith(Action<Dictionary<string, float[]>> change)
    {
        Dictionary<string, float[]> values;
        using (ClipWeights weights = ClipWeights.Random(Small, seed: 1))
            values = weights.Names.ToDictionary(name => name, name => weights.ToTensor(Device, name).ToArray());
        change(values);
        using (var changed = ClipWeights.From(Small, values))
        using (var model = new CliperModel(new ClipModel(Device, changed), Metd.Random(Device, 3, 2, Small.TextWidth,
            new DescriptorPrompt([1, 2, 3, 3, 4, 5], 2, 2), seed: 1), ["a", "b", "c"]))
            Checkpoint.Save(In("model.safetensors"), model, new CheckpointInfo(1, "", ""));
        return Predictor.Load(In("model.safetensors"), Device);
    }

    private static IEnumerable<int> Opsets =>
        Enumerable.Range(OnnxOptions.LeastOpset, OnnxOptions.LatestOpset - OnnxOptions.LeastOpset + 1);

    private static Predictor Load(string name) => Predictor.Load(ShippedModels.Find(name)!.Path, Device);

    private static int SizeOf(Predictor predictor) => predictor.Model.Clip.Config.ImageSize;

    private static SquarePicture[] Drawn(Predictor predictor, int count)
    {
        var faces = new SyntheticFacesData("onnx", seed: 3, count, SizeOf(predictor), FaceStyle.Pencil);
        return [.. Enumerable.Range(0, count).Select(index => new SquarePicture(faces.Render(index),
            SizeOf(predictor)))];
    }

    private static T? Parsed<T>(OrtModel model, string key) => JsonSerializer.Deserialize<T>(model.Metadata[key],
        Json);

    /// <summary>Pictures of FER2013 that were held out; ends the test as ignored where they are not there.</summary>
    private static IEnumerable<RgbImage> Fer2013()
    {
        using var reader = new TarReader(new GZipStream(File.OpenRead(SharedFiles.OrIgnore("data/fer2013.tar.gz")),
            CompressionMode.Decompress));
        int count = 0;
        while (count < Pictures && reader.GetNextEntry() is { } entry)
        {
            if (entry.DataStream is not { } stream || entry.Name.Split('/') is not [.., "validation", _, _])
                continue;
            var bytes = new byte[stream.Length];
            stream.ReadExactly(bytes);
            count++;
            yield return SkiaImageCodec.Instance.Decode(bytes, entry.Name);
        }
        Assert.That(count, Is.EqualTo(Pictures));
    }

    private static void AssertSameAnswers(Predictor predictor, string path, SquarePicture[] pictures, bool floatInput)
    {
        IReadOnlyList<Prediction> expected = predictor.Predict([.. pictures.Select(picture => picture.Image)]);
        using var model = new OrtModel(path);
        int size = SizeOf(predictor), at = 0;
        double worst = 0, worstSoftmax = 0;
        // Batches of several sizes: the axis is open.
        foreach (int batch in new[] { 1, 2, int.MaxValue })
        {
            SquarePicture[] some = [.. pictures.Skip(at).Take(batch)];
            (Dictionary<string, float[]> floats, long[] descriptor) = floatInput
                ? model.Run(some.SelectMany(picture => picture.Normalized(predictor)).ToArray(), some.Length, 3, size,
                    size)
                : model.Run(some.SelectMany(picture => picture.Bytes).ToArray(), some.Length, size, size, 3);
            for (int i = 0; i < some.Length; i++, at++)
            {
                Prediction answer = expected[at];
                int classes = answer.Probabilities.Length;
                ReadOnlySpan<float> found = floats["probabilities"].AsSpan(i * classes, classes),
                    logits = floats["logits"].AsSpan(i * classes, classes);
                double total = 0;
                foreach (float logit in logits)
                    total += Math.Exp(logit);
                int best = 0;
                for (int k = 0; k < classes; k++)
                {
                    best = found[k] > found[best] ? k : best;
                    worst = Math.Max(worst, Math.Abs(found[k] - answer.Probabilities[k]));
                    worstSoftmax = Math.Max(worstSoftmax, Math.Abs(found[k] - Math.Exp(logits[k]) / total));
                }
                Assert.That((best, descriptor[i]), Is.EqualTo((answer.Class, (long)answer.Subclass)), $"picture {at}");
            }
        }
        TestContext.Out.WriteLine($"{at} pictures, largest difference of a probability {worst:E1}");
        Assert.That(at, Is.EqualTo(pictures.Length));
        Assert.That(expected.Select(answer => answer.Class).Distinct().Count(), Is.GreaterThan(1));
        Assert.That(worst, Is.LessThanOrEqualTo(Bound));
        Assert.That(worstSoftmax, Is.LessThanOrEqualTo(1e-6), "the probabilities are the logits' softmax");
    }

    /// <summary>A picture, and the square of it that a model gets.</summary>
    private sealed class SquarePicture
    {
        private readonly StoredImage _stored;
        private readonly int _size;

        public SquarePicture(RgbImage image, int size)
        {
            (Image, _size) = (image, size);
            _stored = PixelCache.Store(image, size, fromOriginal: false);
            var square = new byte[size * size * _stored.Channels];
            _stored.ResizeTo(Resizing.ToSquare(_stored.Width, _stored.Height, size), square);
            Bytes = _stored.Channels == 3 ? square : [.. square.SelectMany(value => Enumerable.Repeat(value, 3))];
        }

        public RgbImage Image { get; }

        /// <summary>[size, size, 3].</summary>
        public byte[] Bytes { get; }

        /// <summary>[3, size, size].</summary>
        public float[] Normalized(Predictor predictor)
        {
            ImageInput input = predictor.Model.Clip.Vision.Input;
            var pixels = new float[Bytes.Length];
            Normalize.Picture(Bytes, 3, Normalize.Table(input.Mean.ToArray(), input.Std.ToArray()), pixels);
            return pixels;
        }
    }
}
