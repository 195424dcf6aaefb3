using Cliper.Kernels.Cpu;
using Cliper.Kernels.Memory;
using Cliper.Kernels.Operations;

namespace Cliper.Kernels.Tests.Operations;

public sealed class AddMeanTokenTests(SimdLevel level) : HostDevices(level)
{
    [Test]
    public void BothWays_AreTheFormula([Values(1, 3)] int samples, [Values(1, 4, 9)] int pixels,
        [Values(1, 19, 64)] int width, [Values] bool accumulate)
    {
        int tokens = pixels + 1;
        float[] x = Random(samples * pixels * width, 1), positions = Random(tokens * width, 2),
            dy = Random(samples * tokens * width, 3), beforeX = Random(x.Length, 4),
            beforePositions = Random(positions.Length, 5);
        double[] y = new double[dy.Length], dx = Doubles.Before(beforeX, accumulate),
            dpositions = Doubles.Before(beforePositions, accumulate);
        AddMeanTokenReference.Forward(Doubles.Of(x), Doubles.Of(positions), y, pixels, width);
        AddMeanTokenReference.Backward(Doubles.Of(dy), dx, dpositions, pixels, width);
        DeviceArray ax = Device.From(x), ap = Device.From(positions), ay = Device.Allocate(y.Length),
            ady = Device.From(dy), adx = Device.From(beforeX), adp = Device.From(beforePositions);

        AddMeanToken.Forward(ax, ap, ay, samples, pixels, width);
        AddMeanToken.Backward(ady, new GradientTarget(adx, accumulate), new GradientTarget(adp, accumulate), samples,
            pixels, width);

        // Sums of up to ten numbers below 1, each rounded to 2^-24 of at most 10.
        AssertClose(Device.ToFloats(ay), y, 10 * 10 * Math.Pow(2, -24), "y");
        AssertClose(Device.ToFloats(adx), dx, 4 * 4 * Math.Pow(2, -24), "dx");
        AssertClose(Device.ToFloats(adp), dpositions, 4 * 4 * Math.Pow(2, -24), "dpositions");
        Free(ax, ap, ay, ady, adx, adp);
    }

    [Test]
    public void ThreadsDoNotChangeABit() => AssertSameBits(device =>
    {
        const int Samples = 23, Pixels = 16, Width = 203;
        DeviceArray x = device.From(Random(Samples * Pixels * Width, 1)),
            positions = device.From(Random((Pixels + 1) * Width, 2)),
            y = device.Allocate(Samples * (Pixels + 1) * Width), dx = device.Allocate(x.Length),
            dpositions = device.Allocate(positions.Length);
        AddMeanToken.Forward(x, positions, y, Samples, Pixels, Width);
        AddMeanToken.Backward(y, dx, dpositions, Samples, Pixels, Width);
        return [y, dx, dpositions];
    });

    [Test]
    public void ANaNReachesItsElementAndItsMean()
    {
        // Two images of two pixels of one number.
        DeviceArray x = Device.From([1f, float.NaN, 1, 3]), positions = Device.From([10f, 20, 30]),
            y = Device.Allocate(6);
        AddMeanToken.Forward(x, positions, y, 2, 2, 1);
        Assert.That(Device.ToFloats(y), Is.EqualTo(new[] { float.NaN, 21, float.NaN, 12, 21, 33 }));
        Free(x, positions, y);
    }

    [Test]
    public void AWrongLengthIsNamed()
    {
        DeviceArray x = Device.Allocate(12);
        Assert.That(() => AddMeanToken.Forward(x, x, x, 2, 2, 3),
            Throws.ArgumentException.With.Message.Contains("positions has 12 elements, expected 9"));
        Free(x);
    }
}
