using Cliper.Autograd;
using Cliper.Kernels.Memory;
using Cliper.Model.Clip;
using Cliper.Model.Weights;

namespace Cliper.Gpu.Tests;

/// <summary>
/// The two ways to train with less memory: blocks computed anew on the way back, and gradients of parts of a batch
/// added up.
/// </summary>
[TestFixture(ElementType.Float16)]
[TestFixture(ElementType.BFloat16)]
[Parallelizable(ParallelScope.Self)]
public sealed class TrainingMemoryTests(ElementType stored) : GpuFixture(stored)
{
    private const int Images = 4;

    // The model has two blocks, so that the second's input is one that was kept and the first's is the embedding's.
    private static readonly ClipConfig Config = BenchmarkTests.Config with { VisionLayers = 2 };

    [Test]
    public void RecomputedBlocksGiveTheSameBitsAndKeepLess()
    {
        (float[] kept, long keptBytes) = Gradients(recompute: false, parts: 1);
        (float[] again, long againBytes) = Gradients(recompute: true, parts: 1);

        Assert.That(again, Is.EqualTo(kept));
        // The first block, of which all tokens are computed, would keep its hidden layer before and after the
        // activation.
        int hidden = Images * 5 * 4 * Config.VisionWidth * sizeof(ushort);
        Assert.That(againBytes, Is.LessThan(keptBytes - 2 * hidden));
    }

    /// <remarks>
    /// An image's activations and their gradients are the same numbers alone or with others, but for the loss's scale,
    /// a power of two; only the fp32 sums over images come in another order, of which those of the depth's slices are
    /// the longest: Images times 5 tokens. A sum of n terms of random signs is off by u32 sqrt(n) of its partial sums'
    /// size, 8 times which is allowed.
    /// </remarks>
    [Test]
    public void GradientsOfPartsAddUpToThoseOfTheWhole()
    {
        (float[] whole, _) = Gradients(recompute: false, parts: 1);
        (float[] added, _) = Gradients(recompute: false, parts: 2);

        double length = Math.Sqrt(whole.Sum(value => (double)value * value));
        double off = Math.Sqrt(whole.Zip(added, (x, y) => Math.Pow(x - y, 2)).Sum()) / length;
        TestContext.Out.WriteLine($"off by {off:E1}");
        Assert.That(length, Is.GreaterThan(0));
        Assert.That(off, Is.LessThan(8 * U32 * Math.Sqrt(5 * Images)));
    }

    // All gradients of the image tower, of a batch in one or in several parts; and what is live after the last forward.
    private (float[] Values, long Bytes) Gradients(bool recompute, int parts)
    {
        using ClipWeights weights = ClipWeights.Random(Config, seed: 2);
        using var model = new ClipModel(Device, weights);
        model.Parameters.Train(ClipModel.IsVision);
        model.Vision.RecomputeBlocks = recompute;
        int pixels = 3 * Config.ImageSize * Config.ImageSize, each = Images / parts;
        float[] images = Random(Images * pixels, 3, half: false);
        long bytes = 0;
        for (int part = 0; part < parts; part++)
        {
            using var tape = new Tape(Device);
            Tensor batch = tape.Own(Tensor.From(Device, images.AsSpan(part * each * pixels, each * pixels),
                new Shape(each, 3, Config.ImageSize, Config.ImageSize)));
            Tensor features = model.Vision.Forward(tape, batch);
            bytes = Device.LiveBytes;
            tape.Backward(tape.Sum(tape.Multiply(features, features)));
        }
        return ([.. model.Parameters.Names.Where(ClipModel.IsVision).SelectMany(name =>
            Device.ToFloats(model.Parameters[name].Gradient))],
            bytes);
    }
}
