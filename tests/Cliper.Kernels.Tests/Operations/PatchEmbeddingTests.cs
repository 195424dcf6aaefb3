using Cliper.Kernels.Cpu;
using Cliper.Kernels.Memory;
using Cliper.Kernels.Operations;

namespace Cliper.Kernels.Tests.Operations;

public sealed class PatchEmbeddingTests(SimdLevel level) : HostDevices(level)
{
    // Sums of `terms` products below 1 in fp32, times 4 for the order of the sum.
    private static double Bound(int terms) => 4 * Math.Pow(2, -24) * (2 + Math.Sqrt(terms)) * Math.Sqrt(terms);

    // 1500 images of 4 patches are more rows than one product takes.
    private static IEnumerable<PatchEmbedding.Sizes> Shapes =>
        [new(1, 1, 1, 1, 1, 1), new(3, 3, 10, 15, 5, 7), new(2, 3, 32, 48, 16, 33), new(1500, 1, 4, 4, 2, 3)];

    [Test]
    public void IsAConvolutionWithItsGradients([ValueSource(nameof(Shapes))] PatchEmbedding.Sizes sizes,
        [Values] bool accumulate)
    {
        float[] images = Random(sizes.Images * sizes.Channels * sizes.Height * sizes.Width, 1),
            weight = Random(sizes.Features * sizes.Pixels, 2),
            dy = Random(sizes.Images * sizes.Patches * sizes.Features, 3),
            beforeImages = Random(images.Length, 4), beforeWeight = Random(weight.Length, 5);
        double[] y = new double[dy.Length], dimages = Doubles.Before(beforeImages, accumulate),
            dweight = Doubles.Before(beforeWeight, accumulate), wide = Doubles.Of(images), weights = Doubles.Of(weight);
        PatchEmbeddingReference.Forward(wide, weights, y, sizes);
        PatchEmbeddingReference.Backward((wide, weights), Doubles.Of(dy), dimages, dweight, sizes);
        DeviceArray ax = Device.From(images), aw = Device.From(weight), ay = Device.Allocate(dy.Length),
            ady = Device.From(dy),
            adx = Device.From(beforeImages), adw = Device.From(beforeWeight);

        PatchEmbedding.Forward(ax, aw, ay, sizes);
        PatchEmbedding.Backward(ax, aw, ady, new(adx, accumulate), new(adw, accumulate), sizes);

        AssertClose(Device.ToFloats(ay), y, Bound(sizes.Pixels), "y");
        AssertClose(Device.ToFloats(adx), dimages, Bound(sizes.Features + 1), "dimages");
        AssertClose(Device.ToFloats(adw), dweight, Bound(sizes.Images * sizes.Patches + 1), "dweight");
        Free(ax, aw, ay, ady, adx, adw);
    }

    [Test]
    public void ThreadsDoNotChangeABit() => AssertSameBits(device =>
    {
        var sizes = new PatchEmbedding.Sizes(700, 3, 4, 4, 2, 20);
        DeviceArray x = device.From(Random(700 * 48, 1)), w = device.From(Random(240, 2)),
            y = device.Allocate(700 * 80),
            dx = device.Allocate(x.Length), dw = device.Allocate(240);
        PatchEmbedding.Forward(x, w, y, sizes);
        PatchEmbedding.Backward(x, w, y, dx, dw, sizes);
        return [y, dx, dw];
    });

    [Test]
    public void ANaNStaysInItsToken()
    {
        float[] images = Random(2 * 3 * 16, 1);
        images[3 * 16 + 2] = float.NaN;
        var sizes = new PatchEmbedding.Sizes(2, 3, 4, 4, 2, 5);
        DeviceArray x = Device.From(images), w = Device.From(Random(60, 2)), y = Device.Allocate(40);

        PatchEmbedding.Forward(x, w, y, sizes);

        // Image 1, row 0, column 2: patch 1 of image 1.
        Assert.That(Device.ToFloats(y).Select((value, i) => float.IsNaN(value) == (i / 5 == 5)), Has.All.True);
        Free(x, w, y);
    }
}
