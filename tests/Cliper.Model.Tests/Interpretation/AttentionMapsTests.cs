using Cliper.Autograd;
using Cliper.Kernels.Cpu;
using Cliper.Model.Clip;
using Cliper.Model.Interpretation;
using Cliper.Model.Prompts;
using Cliper.Model.Weights;

namespace Cliper.Model.Tests.Interpretation;

public sealed class AttentionMapsTests
{
    [Test]
    public void Rollout_OfUniformAttention_AgreesWithHandComputation()
    {
        using var device = new CpuDevice();
        using var probe = new Tensor(device, new Shape(1, 5, 2));
        // Queries of zeros attend to all five tokens alike: (A + I) / 2 has 0.6 on the diagonal and 0.1 beside it. The
        // class token's row of its square: 2 * 0.6 * 0.1 + 3 * 0.1 * 0.1.
        TracedAttention layer = new(new float[10], [.. Enumerable.Range(0, 10)], new float[10], Heads: 1, IsSelf: true,
            probe);
        var maps = new AttentionMaps([layer, layer], [new float[10], new float[10]], samples: 1);

        ImageMap rollout = maps.Of(MapMethod.Rollout, 0);

        Assert.That(rollout.Side, Is.EqualTo(2));
        Assert.That(rollout.Values, Is.EqualTo(new float[] { 0.15f, 0.15f, 0.15f, 0.15f }).Within(1e-6));
    }

    [Test]
    public void Relevance_TakesPositiveProductsAlone()
    {
        using var device = new CpuDevice();
        using var probe = new Tensor(device, new Shape(1, 5, 1));
        // A = 1/5 everywhere; dy/dA of the class token's row is its gradient 2 times the values.
        TracedAttention layer = new(new float[5], new float[5], [0, 1, -1, 3, 0], Heads: 1, IsSelf: true, probe);
        var maps = new AttentionMaps([layer], [[2, 0, 0, 0, 0]], samples: 1);

        Assert.That(maps.Of(MapMethod.Relevance, 0).Values, Is.EqualTo(new float[] { 0.4f, 0, 1.2f, 0 }).Within(1e-6));
        Assert.That(maps.Of(MapMethod.LastLayer, 0).Values, Is.EqualTo(maps.Of(MapMethod.Relevance, 0).Values));
        Assert.That(maps.LastAttention(0)[0], Is.All.EqualTo(0.2f).Within(1e-6));
    }

    [TestCase(false, 4), TestCase(true, 2)]
    public void LookingAtATower_ChangesNoAnswer(bool isResNet, int side)
    {
        using var device = new CpuDevice();
        ClipConfig config = isResNet ? ResNetConfig : TransformerConfig;
        using CliperModel model = ModelOf(device, config);
        var random = new Random(1);
        float[] pixels = [.. Enumerable.Range(0, 2 * 3 * config.ImageSize * config.ImageSize)
            .Select(_ => (float)random.NextDouble() - 0.5f)];
        using var tape = new Tape(device, recording: false);
        Tensor images = tape.Own(Tensor.From(device, pixels, new Shape(2, 3, config.ImageSize, config.ImageSize)));
        float[] before = model.ImageLogits(tape, images, 1, model.ClassFeatures(tape)).ToArray();

        AttentionMaps maps = AttentionMaps.Of(model, model.ClassFeatures(tape), images, label: null);
        float[] after = model.ImageLogits(tape, images, 1, model.ClassFeatures(tape)).ToArray();

        Assert.That(after, Is.EqualTo(before), "the answers stay the same bits");
        // Scores of size 10, with features that are rounded some hundred times.
        Assert.That(maps.Logits, Is.EqualTo(before).Within(1e-3));
        foreach (MapMethod method in Enum.GetValues<MapMethod>())
            for (int sample = 0; sample < 2; sample++)
            {
                ImageMap map = maps.Of(method, sample);
                Assert.That(map.Side, Is.EqualTo(method == MapMethod.Gradient ? config.ImageSize : side), $"{method}");
                Assert.That(map.Values, Has.All.GreaterThanOrEqualTo(0).And.Some.GreaterThan(0), $"{method}");
            }
        Assert.That(maps.LastAttention(0)[0].Sum(), Is.InRange(0.01, 1));
    }

    [Test]
    public void Gradient_AgreesWithCentralDifferences([Values] bool isResNet)
    {
        using var device = new CpuDevice();
        ClipConfig config = isResNet ? ResNetConfig : TransformerConfig;
        using CliperModel model = ModelOf(device, config);
        var random = new Random(2);
        float[] pixels = [.. Enumerable.Range(0, 3 * config.ImageSize * config.ImageSize)
            .Select(_ => (float)random.NextDouble() - 0.5f)];
        int side = config.ImageSize, plane = side * side;
        using var outer = new Tape(device, recording: false);
        Tensor classes = model.ClassFeatures(outer)!;
        float[] gradient = GradientOf(model, classes, pixels, side);
        double norm = Math.Sqrt(gradient.Sum(value => (double)value * value));

        // Along the gradient itself the score grows by its length. The step is small beside the kinks of ReLUs; scores
        // of size 5 are rounded by some 1e-7 each, which is less than a hundredth of the smaller length, 0.008.
        double slope = (Score(0.01) - Score(-0.01)) / 0.02;

        Assert.That(slope, Is.EqualTo(norm).Within(0.02 * norm));
        using Tensor explained = Tensor.From(device, pixels, new Shape(1, 3, side, side));
        Assert.That(AttentionMaps.Of(model, classes, explained, label: 1).Of(MapMethod.Gradient, 0).Values,
            Is.EqualTo(Enumerable.Range(0, plane).Select(at => Enumerable.Range(0, 3).Max(channel =>
                Math.Abs(gradient[channel * plane + at])))));

        double Score(double step)
        {
            using var inner = new Tape(device, recording: false);
            Tensor image = inner.Own(Tensor.From(device, [.. pixels.Zip(gradient, (pixel, slope) =>
                (float)(pixel + step * slope / norm))], new Shape(1, 3, side, side)));
            float[] logits = model.ImageLogits(inner, image, 1, classes).ToArray();
            return (logits[2] + (double)logits[3]) / 2;
        }
    }

    /// <summary>Gradient of the second class's score by the pixels, [3, side, side].</summary>
    private static float[] GradientOf(CliperModel model, Tensor classes, float[] pixels, int side)
    {
        using var tape = new Tape(model.Clip.Device);
        var trace = new AttentionTrace();
        Tensor images = tape.Own(Tensor.From(tape.Device, pixels, new Shape(1, 3, side, side)));
        Tensor logits = model.Logits(tape, ((ITracedTower)model.Clip.Vision).Forward(tape, images, trace), classes);
        Tensor weight = tape.Own(Tensor.From(tape.Device, (float[])[0, 0, 0.5f, 0.5f, 0, 0], logits.Shape));
        trace.Backward(tape, tape.Sum(tape.Multiply(logits, weight)));
        return trace.PixelGradient(side);
    }

    [Test]
    public void Gradient_IsThatOfThePatches()
    {
        using var device = new CpuDevice();
        ClipConfig config = TransformerConfig;
        using CliperModel model = ModelOf(device, config);
        int side = config.ImageSize, patch = config.PatchSize, columns = side / patch;
        var random = new Random(4);
        float[] pixels = [.. Enumerable.Range(0, 3 * side * side).Select(_ => (float)random.NextDouble())];
        // A GPU takes images as patches, [N, patches, 3 p p].
        float[] unfolded = [.. Enumerable.Range(0, pixels.Length).Select(at =>
        {
            (int token, int rest) = (at / (3 * patch * patch), at % (3 * patch * patch));
            (int channel, int y, int x) = (rest / (patch * patch), rest / patch % patch, rest % patch);
            return pixels[(channel * side + token / columns * patch + y) * side + token % columns * patch + x];
        })];
        using var tape = new Tape(device, recording: false);
        Tensor classes = model.ClassFeatures(tape)!;
        using Tensor planes = Tensor.From(device, pixels, new Shape(1, 3, side, side)),
            patches = Tensor.From(device, unfolded, new Shape(1, columns * columns, 3 * patch * patch));

        ImageMap expected = AttentionMaps.Of(model, classes, planes, 0).Of(MapMethod.Gradient, 0),
            found = AttentionMaps.Of(model, classes, patches, 0).Of(MapMethod.Gradient, 0);

        Assert.That(found.Values, Is.EqualTo(expected.Values).Within(1e-5 * expected.Values.Max()));
    }

    private static ClipConfig TransformerConfig => new()
    {
        ImageSize = 16,
        PatchSize = 4,
        VisionWidth = 64,
        VisionLayers = 2,
        VisionHeads = 1,
        TextWidth = 64,
        TextLayers = 1,
        TextHeads = 1,
        VocabularySize = 40,
        ContextLength = 12,
        EmbedSize = 8,
    };

    private static ClipConfig ResNetConfig => TransformerConfig with
    {
        ImageSize = 64,
        PatchSize = 0,
        VisionWidth = 8,
        VisionLayers = 0,
        ResNetBlocks = new StageBlocks(1, 1, 1, 1),
        VisionHeads = 4,
    };

    private static CliperModel ModelOf(CpuDevice device, ClipConfig config)
    {
        using ClipWeights weights = ClipWeights.Random(config, 5);
        Metd prompts = Metd.Random(device, 3, 2, config.TextWidth, new DescriptorPrompt([38, 1, 5, 5, 2, 39], 2, 2),
            seed: 6);
        return new CliperModel(new ClipModel(device, weights), prompts, ["a", "b", "c"], temperature: 0.1f);
    }
}
