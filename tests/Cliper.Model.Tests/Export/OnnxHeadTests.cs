using Cliper.Autograd;
using Cliper.Kernels.Cpu;
using Cliper.Kernels.Operations;
using Cliper.Model.Clip;
using Cliper.Model.Export;
using Cliper.Model.Prompts;
using Cliper.Model.Tests.Seams;
using Cliper.Model.Weights;

namespace Cliper.Model.Tests.Export;

/// <summary>Rules of scores that are not cosines, in ONNX Runtime; and the limits of a graph.</summary>
public sealed class OnnxHeadTests : TemporaryFolder
{
    private const int Width = 16, ClassCount = 3;

    private static readonly CpuDevice Device = new();

    private static readonly ClipConfig Config = new()
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
        EmbedSize = Width,
    };

    [OneTimeTearDown]
    public void EndDevice() => Device.Dispose();

    [Test]
    public void ALinearHead_HasTheModelsAnswers([Values] bool normalizes, [Values] bool hasBias)
    {
        using CliperModel model = ModelOf(new Head(normalizes, hasBias, isCurved: false));
        model.AnswerTemperature = 1.5f;
        using var tape = new Tape(Device, recording: false);
        var rule = OnnxScores.Of(model, model.ClassFeatures(tape), "a model");
        var graph = new OnnxGraph();
        string input = graph.Input("pixels", OnnxType.Float, -1, Width);
        new OnnxHead(graph, model, rule).Add(graph.Node("Add", [input, graph.Constant([0f])]));
        File.WriteAllBytes(In("head.onnx"), graph.ToModel());
        const int Rows = 20;
        float[] features = [.. Enumerable.Range(0, Rows * Width).Select(i => 3 * MathF.Sin(i * i))];

        using var ort = new OrtModel(In("head.onnx"));
        (Dictionary<string, float[]> found, _) = ort.Run(features, Rows, Width);

        float[] scores = model.Logits(tape, tape.Own(Tensor.From(Device, features, new Shape(Rows, Width))),
            model.ClassFeatures(tape)).ToArray();
        float[] expected = [.. Enumerable.Range(0, Rows).SelectMany(row =>
            model.Answer(scores.AsSpan(row * ClassCount, ClassCount)).Probabilities)];
        Assert.That(rule.IsNormalized, Is.EqualTo(normalizes));
        Assert.That(found["probabilities"], Is.EqualTo(expected).Within(1e-5));
    }

    [Test]
    public void OtherScores_AreRefusedByTheNameOfTheirMethod()
    {
        using var tape = new Tape(Device, recording: false);
        using CliperModel curved = ModelOf(new Head(normalizes: true, hasBias: true, isCurved: true)),
            asked = ModelOf(new ConditionalPrompts(Device, ClassCount, Width));

        Assert.That(() => OnnxScores.Of(curved, curved.ClassFeatures(tape), "a model"),
            Throws.TypeOf<InputException>().With.Message.Contains("a model: the scores of the method head are"));
        Assert.That(() => OnnxScores.Of(asked, asked.ClassFeatures(tape), "a model"),
            Throws.TypeOf<InputException>().With.Message.Contains("makes its prompts of each image's feature"));
    }

    [Test]
    public void AGraphBeyondProtobufsLimit_IsRefusedBeforeItsWeightsAreMade()
    {
        var graph = new OnnxGraph();
        graph.Weight("large", () => throw new InvalidOperationException("it is made"), 1 << 15, 1 << 15);

        using var stream = new MemoryStream();
        Assert.That(() => graph.Write(stream), Throws.TypeOf<InputException>().With.Message.Contains("protobuf"));
        Assert.That(stream.Length, Is.Zero);
    }

    private static CliperModel ModelOf(IPromptLearner prompts)
    {
        using ClipWeights weights = ClipWeights.Random(Config, seed: 1);
        return new CliperModel(new ClipModel(Device, weights), prompts, ["a", "b", "c"]);
    }

    /// <summary>W f + b, as a linear probe scores; curved, a function of it that no graph here has.</summary>
    private sealed class Head(bool normalizes, bool hasBias, bool isCurved) : IPromptLearner
    {
        private readonly Tensor _weight = Tensor.From(Device,
            [.. Enumerable.Range(0, ClassCount * Width).Select(i => MathF.Cos(i))], new Shape(ClassCount, Width));

        private readonly Tensor _bias = Tensor.From(Device, hasBias ? [0.3f, -2, 1] : new float[ClassCount],
            new Shape(1, ClassCount));

        public string Method => "head";

        public int Classes => ClassCount;

        public int PromptsPerClass => 1;

        public bool DependsOnImage => false;

        public IReadOnlyList<(string Name, Tensor Tensor)> Parameters => [];

        public IReadOnlyList<(string Key, object Value)> Metadata => [];

        public Tensor ClassFeatures(Tape tape, ClipModel clip, Tensor? imageFeatures) => _weight;

        public Tensor Logits(Tape tape, Tensor imageFeatures, Tensor classFeatures, float temperature)
        {
            Tensor x = normalizes ? tape.L2Normalize(imageFeatures) : imageFeatures;
            Tensor biases = tape.Gather(_bias, tape.Own(Tensor.From(tape.Device, new int[x.Shape[0]],
                new Shape(x.Shape[0]))));
            Tensor scores = tape.Add(tape.MatMul(x, classFeatures, transposeB: true), biases);
            return isCurved ? tape.Apply<QuickGelu>(scores) : scores;
        }

        public void Dispose()
        {
            _weight.Dispose();
            _bias.Dispose();
        }
    }
}
