using Cliper.Autograd;
using Cliper.Autograd.Optimizers;
using Cliper.Kernels.Cpu;
using Cliper.Kernels.Memory;
using Cliper.Model.Clip;
using Cliper.Model.Prompts;
using Cliper.Model.Weights;

namespace Cliper.Gpu.Tests;

/// <summary>A step of CoOp, CoCoOp and a linear head with its tower on the emulated GPU, against the host's.</summary>
/// <remarks>
/// As in <see cref="WholeModelTests"/> a feature is off by at most u16 sqrt(8 (d + 1)) of its length after d blocks, and
/// gradients by as much over the temperature, and by sqrt(2) times as much for the way back.
/// </remarks>
public sealed class MethodStepTests : GpuFixture
{
    private const int Images = 2;
    private const float Temperature = 0.5f, Rate = 0.1f;

    private static readonly ContextPrompts Prompts = ContextPrompts.Create([[1], [2, 3]], 2, NamePosition.Middle,
        new(14, 4, 5, 15)), Ends = ContextPrompts.Create([[1], [2, 3]], 2, NamePosition.End, new(14, 4, 5, 15));

    protected override bool Emulated => true;

    [TestCase("coop")]
    [TestCase("cocoop")]
    [TestCase("fine-tune")]
    public void AStepIsTheHosts(string method)
    {
        using ClipWeights weights = ClipWeights.Random(BenchmarkTests.Config, seed: 1);
        using var host = new CpuDevice(1);
        (float loss, Dictionary<string, float[]> values) = Step(Device, weights, method),
            expected = Step(host, weights, method);

        double features = U16 * Math.Sqrt(8.0 * (Math.Max(weights.Config.VisionLayers, weights.Config.TextLayers) + 1));
        double bound = features / Temperature + Math.Sqrt(2) * features;
        Assert.That(loss, Is.EqualTo(expected.Item1).Within(bound));
        foreach ((string name, float[] moved) in values)
        {
            double length = Math.Sqrt(expected.Item2[name].Sum(value => (double)value * value)),
                distance = Math.Sqrt(moved.Zip(expected.Item2[name], (x, y) => Math.Pow(x - y, 2)).Sum());
            TestContext.Out.WriteLine($"{name}: off by {distance / length:E1} of its length, bound {bound:E1}");
            Assert.That(distance, Is.LessThanOrEqualTo(bound * length), name);
        }
    }

    /// <summary>The loss, and how far each trained tensor has moved.</summary>
    private static (float Loss, Dictionary<string, float[]> Moved) Step(Device device, ClipWeights weights,
        string method)
    {
        var clip = new ClipModel(device, weights);
        int width = clip.Config.TextWidth;
        IPromptLearner prompts = method switch
        {
            "coop" => new CoOp(CoOp.RandomContext(device, new Shape(2, width), 1), Prompts),
            "cocoop" => new CoCoOp(CoOp.RandomContext(device, new Shape(2, width), 1),
                CoCoOp.MetaNet.Random(device, clip.Config, 2), Ends),
            _ => LinearHead.Random(device, LinearHead.FineTuneName, 2, clip.Config.EmbedSize, normalize: false, 3),
        };
        using var model = new CliperModel(clip, prompts, ["a", "b"], Temperature);
        (string Name, Tensor Tensor)[] trained = [.. prompts.Parameters,
            .. clip.Parameters.Trainable().Where(entry => method == "fine-tune" && entry.Name == "visual.proj")];
        model.Train(trained);
        Dictionary<string, float[]> before = trained.ToDictionary(entry => entry.Name, entry => entry.Tensor.ToArray());
        using var optimizer = new Sgd();
        optimizer.AddGroup(trained, weightDecay: 5e-4f);
        int size = clip.Config.ImageSize;
        float loss;
        using (var tape = new Tape(device))
        {
            Tensor images = tape.Own(Tensor.From(device, Random(Images * 3 * size * size, 7, half: false),
                new Shape(Images, 3, size, size)));
            Tensor logits = model.ImageLogits(tape, images, 1, model.ClassFeatures(tape));
            Tensor result = tape.SoftmaxCrossEntropy(logits, tape.Own(Tensor.From(device, (int[])[1, 0],
                new Shape(Images))));
            loss = result.Item();
            tape.Backward(result);
        }
        optimizer.Step(Rate);
        return (loss, trained.ToDictionary(entry => entry.Name, entry => (float[])[.. entry.Tensor.ToArray()
            .Zip(before[entry.Name], (after, first) => after - first)]));
    }
}
