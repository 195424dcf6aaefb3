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
/// A feature is off by at most u16 sqrt(8 (d + 1)) of its length after d blocks (<see cref="WholeModelTests"/>), and
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
        (float loss, Dictionary<string, float[]> values) = Step(Device, weights, method);
        (float lossOfHost, Dictionary<string, float[]> expected) = Step(host, weights, method);

        double features = U16 * Math.Sqrt(8.0 * (Math.Max(weights.Config.VisionLayers, weights.Config.TextLayers) + 1));
        double bound = features / Temperature + Math.Sqrt(2) * features;
        // One context of all classes gets the sum of their gradients, which have opposite signs and partly cancel: the
        // error stays that of the parts.
        if (method != "fine-tune")
            bound *= Cancellation(host, weights, method);
        Assert.That(loss, Is.EqualTo(lossOfHost).Within(bound));
        foreach ((string name, float[] moved) in values)
        {
            double length = Math.Sqrt(expected[name].Sum(value => (double)value * value)),
                distance = Math.Sqrt(moved.Zip(expected[name], (x, y) => Math.Pow(x - y, 2)).Sum());
            TestContext.Out.WriteLine($"{name}: off by {distance / length:E1} of its length, bound {bound:E1}");
            Assert.That(distance, Is.LessThanOrEqualTo(bound * length), name);
        }
    }

    /// <summary>Length of the classes' gradients together, over that of their sum.</summary>
    private double Cancellation(CpuDevice host, ClipWeights weights, string method)
    {
        int width = weights.Config.TextWidth;
        using Tensor shared = CoOp.RandomContext(host, new Shape(2, width), 1);
        float[] values = shared.ToArray();
        // The model takes the prompts over.
        float[] moved = Step(host, weights, new CoOp(Tensor.From(host, [.. values, .. values],
            new Shape(2, 2, width)), method == "coop" ? Prompts : Ends)).Moved[CoOp.ParameterName];
        int count = values.Length;
        double parts = moved.Sum(value => (double)value * value),
            sum = Enumerable.Range(0, count).Sum(i => Math.Pow(moved[i] + moved[count + i], 2));
        return Math.Max(1, Math.Sqrt(parts / sum));
    }

    /// <summary>The loss, and how far each trained tensor has moved.</summary>
    private (float Loss, Dictionary<string, float[]> Moved) Step(Device device, ClipWeights weights, string method)
    {
        int width = weights.Config.TextWidth;
        return Step(device, weights, method switch
        {
            "coop" => new CoOp(CoOp.RandomContext(device, new Shape(2, width), 1), Prompts),
            "cocoop" => new CoCoOp(CoOp.RandomContext(device, new Shape(2, width), 1),
                CoCoOp.MetaNet.Random(device, weights.Config, 2), Ends),
            _ => LinearHead.Random(device, LinearHead.FineTuneName, 2, weights.Config.EmbedSize, normalize: false, 3),
        });
    }

    private (float Loss, Dictionary<string, float[]> Moved) Step(Device device, ClipWeights weights,
        IPromptLearner prompts)
    {
        var clip = new ClipModel(device, weights);
        using var model = new CliperModel(clip, prompts, ["a", "b"], Temperature);
        (string Name, Tensor Tensor)[] trained = [.. prompts.Parameters,
            .. clip.Parameters.Trainable().Where(entry => prompts is LinearHead && entry.Name == "visual.proj")];
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
