using Cliper.Autograd;
using Cliper.Autograd.Optimizers;
using Cliper.Kernels.Devices;
using Cliper.Kernels.Operations;
using Cliper.Model;
using Cliper.Model.Clip;
using Cliper.Model.Tests.Golden;
using Cliper.Model.Text;
using Cliper.Model.Weights;
using AdamW = Cliper.Autograd.Optimizers.AdamW;

namespace Cliper.Gpu.Tests;

/// <summary>
/// The whole model on the interpreted GPU: encoders, logits and every gradient against PyTorch's tensors in fp32, and a training
/// step of each stage against the host.
/// </summary>
/// <remarks>
/// A block stores eight results in fp16 one after the other (two norms, q k v, probabilities, their output, two residual sums, the hidden
/// layer), each off by up to u16 of its size, independently: a standard deviation of u16 sqrt(8 (d + 1)) after d blocks and the
/// embedding, of which the largest of some thousand entries is four times as much. What follows is as for the host: logits times
/// exp(logit_scale) / sqrt(embedding size), gradients twice that.
/// </remarks>
public sealed class WholeModelTests : GpuFixture
{
    private const float LossScale = 1024;

    // The sets of the repository: the interpreter takes seconds for them, minutes for larger ones.
    private static IEnumerable<TestCaseData> Clip => GoldenSet.Clip.Where(IsOurs);

    private static IEnumerable<TestCaseData> Training => GoldenSet.Training.Where(IsOurs);

    private static bool IsOurs(TestCaseData data) =>
        ((GoldenSet)data.Arguments[0]!).Folder == Path.Combine(Cliper.Model.Tests.SharedFiles.Root, "tests", "golden");

    private static double Bound(int layers) => 4 * U16 * Math.Sqrt(8.0 * (layers + 1));

    [TestCaseSource(nameof(Clip))]
    public void FeaturesLogitsAndAllGradientsAgreeWithPyTorch(GoldenSet set)
    {
        using ClipWeights weights = set.LoadWeights();
        using TensorSource golden = set.OpenActivations();
        using var model = new ClipModel(Device, weights);
        model.Parameters.Train(_ => true);
        ClipConfig config = model.Config;
        double features = Bound(Math.Max(config.VisionLayers, config.TextLayers));
        double logitsBound = features * Math.Exp(weights.Values("logit_scale")[0]) / Math.Sqrt(config.EmbedSize);

        using (var tape = new Tape(Device))
        {
            Tensor images = tape.Own(Tensor.From(Device, golden.ReadFloats("input.pixel_values"),
                new Shape([.. golden.Entry("input.pixel_values").Shape.Select(axis => (int)axis)])));
            int[][] ids = [.. golden.ReadIntegers("input.token_ids").Select(id => (int)id)
                .Chunk((int)golden.Entry("input.token_ids").Shape[1])];
            Tensor image = model.Vision.Forward(tape, images), text = model.Text.Forward(tape, ids);
            GoldenSet.AssertRelativelyClose(image.ToArray(), golden.ReadFloats("output.image_features"), features, "image features");
            GoldenSet.AssertRelativelyClose(text.ToArray(), golden.ReadFloats("output.text_features"), features, "text features");
            Tensor logits = model.LogitsPerImage(tape, image, text);
            GoldenSet.AssertRelativelyClose(logits.ToArray(), golden.ReadFloats("output.logits_per_image"), logitsBound, "logits");
            int count = logits.Shape[0];
            Tensor targets = tape.Own(Tensor.From(Device, [.. Enumerable.Range(0, count)], new Shape(count)));
            Tensor squares = tape.Sum(tape.Multiply(logits, logits));
            Tensor loss = tape.Add(tape.SoftmaxCrossEntropy(logits, targets), tape.Scale(squares, .1f / logits.Shape.Count));
            GoldenSet.AssertRelativelyClose([loss.Item()], golden.ReadFloats("output.loss"), logitsBound, "loss");
            tape.Backward(loss, LossScale);
        }
        foreach (string name in model.Parameters.Names)
            GoldenSet.AssertRelativelyClose([.. Device.ToFloats(model.Parameters[name].Gradient).Select(value => value / LossScale)],
                golden.ReadFloats("grad." + name), 2 * logitsBound, "grad." + name);
    }

    [TestCaseSource(nameof(Training))]
    public void AStepOfEachStageIsTheHosts(GoldenSet set)
    {
        using ClipWeights weights = set.LoadWeights();
        using TensorSource golden = set.OpenTraining();
        using var host = new HostDevice(1);
        foreach (bool descriptors in new[] { true, false })
        {
            Step expected = Train(host, golden, weights, descriptors), actual = Train(Device, golden, weights, descriptors);
            // Logits are cosines of normalised features over a temperature of 0.01: the features' error, over sqrt(embedding size) for
            // random directions, times 100. A loss moves by at most twice its logits' error.
            double logits = 100 * Bound(weights.Config.VisionLayers) / Math.Sqrt(weights.Config.EmbedSize);
            for (int i = 0; i < expected.Losses.Length; i++)
                GoldenSet.AssertClose([actual.Losses[i]], [expected.Losses[i]], 2 * logits, i == 0 ? "fine" : "margin");
            Assert.That(actual.Gradients.Keys, Is.EquivalentTo(expected.Gradients.Keys));
            foreach (string name in expected.Gradients.Keys)
            {
                // Probabilities change by their logits' error, and gradients with them: compared as vectors, by the angle and length.
                float[] e = expected.Gradients[name], a = actual.Gradients[name];
                double error = Math.Sqrt(e.Zip(a, (x, y) => Math.Pow(x - y, 2)).Sum() / e.Sum(x => (double)x * x));
                TestContext.Out.WriteLine($"{name}: {error:E1}");
                Assert.That(error, Is.LessThan(logits), name);
                // AdamW's first step moves every weight by at most the rate (and decay): two such moves may differ by twice that.
                GoldenSet.AssertClose(actual.Weights[name], expected.Weights[name], 2.5 * Rate, $"{name} after the step");
            }
        }
    }

    private const float Rate = 1e-3f;

    private sealed record Step(float[] Losses, Dictionary<string, float[]> Gradients, Dictionary<string, float[]> Weights);

    private static Step Train(Device device, TensorSource golden, ClipWeights weights, bool descriptors)
    {
        var clip = new ClipModel(device, weights);
        using CliperModel model = Model(device, golden, clip);
        clip.Parameters.Train(name => !descriptors && ClipModel.IsVision(name));
        model.Metd.Vectors.RequiresGrad = descriptors;
        (string Name, Tensor Tensor)[] trained = descriptors
            ? [("metd", model.Metd.Vectors)]
            : [.. clip.Parameters.StartingWith("visual.")];
        using var optimizer = new AdamW(epsilon: 1e-4f);
        optimizer.AddGroup(trained, weightDecay: .1f);
        IReadOnlyList<long> shape = golden.Entry("images").Shape;
        int batch = (int)shape[1], size = (int)shape[3];
        float[] losses;
        float scale = device is HostDevice ? 1 : LossScale;
        using (var tape = new Tape(device))
        {
            Tensor images = tape.Own(Tensor.From(device, golden.ReadFloats("images").AsSpan(0, batch * 3 * size * size),
                new Shape(batch, 3, size, size)));
            Tensor labels = tape.Own(Tensor.From(device, [.. golden.ReadIntegers("labels").Take(batch).Select(label => (int)label)],
                new Shape(batch)));
            Tensor logits = model.Logits(tape, model.ImageFeatures(tape, images), model.DescriptorFeatures(tape));
            Tensor both = model.Losses(tape, logits, labels, EmptySubclasses.MinusOneNinetyNinth);
            losses = both.ToArray();
            tape.Backward(tape.Sum(both), scale);
        }
        GradientClipping.Measurement measured = GradientClipping.Measure(optimizer.Parameters, scale: scale);
        Assert.That(measured.IsFinite);
        var gradients = trained.ToDictionary(entry => entry.Name,
            entry => device.ToFloats(entry.Tensor.Gradient).Select(value => value / scale).ToArray());
        optimizer.Step(Rate, measured.Factor);
        return new Step(losses, gradients, trained.ToDictionary(entry => entry.Name, entry => entry.Tensor.ToArray()));
    }

    private static CliperModel Model(Device device, TensorSource golden, ClipModel clip)
    {
        int[] template = [.. golden.ReadIntegers("template_ids").Select(id => (int)id)];
        int[] ids = template[..(TextTransformer.EndOf(template) + 1)];
        IReadOnlyList<long> shape = golden.Entry("metd.init").Shape;
        int prompts = (int)shape[0], slots = (int)shape[1], width = (int)shape[2];
        int start = Enumerable.Range(0, ids.Length - slots).Single(at => ids.AsSpan(at, slots).Count(ids[at]) == slots);
        const int Classes = 7;
        // Fresh descriptors differ by less than fp16 resolves, so that which of a class is nearest is chance: here they are far apart.
        const float Apart = 300;
        var metd = new Metd(Tensor.From(device, [.. golden.ReadFloats("metd.init").Select(value => value * Apart)], new Shape(Classes, prompts / Classes, slots, width)),
            new DescriptorPrompt(ids, start, slots));
        return new CliperModel(clip, metd, [.. Enumerable.Range(0, Classes).Select(label => $"class {label}")]);
    }
}
