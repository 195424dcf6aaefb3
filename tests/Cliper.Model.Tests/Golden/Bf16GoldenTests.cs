using Cliper.Autograd;
using Cliper.Kernels.Cpu;
using Cliper.Kernels.Memory;
using Cliper.Model.Clip;
using Cliper.Model.Weights;

namespace Cliper.Model.Tests.Golden;

/// <summary>Both encoders with bf16 operands on the CPU, by emitted code and emulated, against PyTorch in
/// fp32.</summary>
/// <remarks>
/// A rounding to bf16 errs by at most u16 = 2^-8 of a number, evenly spread, so by u16 / sqrt(3) of a vector's length.
/// A block rounds twelve operands: both of its four linear layers, and queries, keys, values and probabilities. The
/// errors are independent, and a block adds to what came before it: after d blocks and the patches a feature is off by
/// at most F = u16 sqrt(12 / 3 (d + 1)) of its length. A gradient is off by sqrt(2) F (1 / (temperature sqrt(embedding
/// size)) + 1) of its length, as on a GPU (docs/numerics.md).
/// </remarks>
[TestFixture(true)]
[TestFixture(false)]
public sealed class Bf16GoldenTests(bool emulated)
{
    private const double Roundoff = 1.0 / (1 << 8);

    private CpuDevice _device = null!;

    [SetUp]
    public void MakeDevice()
    {
        if (!emulated && Bf16Support.Missing is { } missing)
            Assert.Ignore($"no VDPBF16PS here: {missing}");
        _device = emulated ? CpuDevice.EmulatingBf16(2, SimdLevels.Best)
            : new CpuDevice(operands: ElementType.BFloat16);
    }

    [TearDown]
    public void NothingIsLeft()
    {
        long left = _device?.LiveBytes ?? 0;
        _device?.Dispose();
        Assert.That(left, Is.Zero, "bytes left on the device");
    }

    [TestCaseSource(typeof(GoldenSet), nameof(GoldenSet.Clip))]
    public void FeaturesAndGradientsAreWithinTheirBounds(GoldenSet set)
    {
        using ClipWeights weights = set.LoadWeights();
        using TensorSource golden = set.OpenActivations();
        using var model = new ClipModel(_device, weights);
        model.Parameters.Train(_ => true);
        ClipConfig config = model.Config;
        double depth = Math.Max(config.VisionLayers, config.TextLayers);
        double features = Roundoff * Math.Sqrt(4 * (depth + 1));
        double gradients = Math.Sqrt(2) * features
            * (Math.Exp(weights.Values("logit_scale")[0]) / Math.Sqrt(config.EmbedSize) + 1);

        using (var tape = new Tape(_device))
        {
            Tensor image = model.Vision.Forward(tape, tape.Own(Images(golden))),
                text = model.Text.Forward(tape, Ids(golden));
            AssertOffBy(image.ToArray(), golden.ReadFloats("output.image_features"), features, "image features");
            AssertOffBy(text.ToArray(), golden.ReadFloats("output.text_features"), features, "text features");
            Tensor logits = model.LogitsPerImage(tape, image, text);
            int images = logits.Shape[0];
            Tensor targets = tape.Own(Tensor.From(_device, [.. Enumerable.Range(0, images)], new Shape(images)));
            Tensor squares = tape.Sum(tape.Multiply(logits, logits));
            tape.Backward(tape.Add(tape.SoftmaxCrossEntropy(logits, targets),
                tape.Scale(squares, .1f / logits.Shape.Count)));
        }
        string[] names = [.. model.Parameters.Names];
        AssertOffBy([.. names.SelectMany(name => _device.ToFloats(model.Parameters[name].Gradient))],
            [.. names.SelectMany(name => golden.ReadFloats("grad." + name))], gradients, "gradients of all weights");
    }

    // The L2 norm of the difference over that of the expected vector.
    private static void AssertOffBy(float[] actual, float[] expected, double bound, string what)
    {
        double difference = 0, length = 0;
        for (int i = 0; i < expected.Length; i++)
        {
            difference += Math.Pow((double)actual[i] - expected[i], 2);
            length += (double)expected[i] * expected[i];
        }
        double offBy = Math.Sqrt(difference / length);
        TestContext.Out.WriteLine($"{what}: off by {offBy:E1}, bound {bound:E1}");
        Assert.That(offBy, Is.LessThanOrEqualTo(bound), what);
    }

    private Tensor Images(TensorSource golden) => Tensor.From(_device, golden.ReadFloats("input.pixel_values"),
        new Shape([.. golden.Entry("input.pixel_values").Shape.Select(axis => (int)axis)]));

    private static int[][] Ids(TensorSource golden) => [.. golden.ReadIntegers("input.token_ids").Select(id => (int)id)
        .Chunk((int)golden.Entry("input.token_ids").Shape[1])];
}
