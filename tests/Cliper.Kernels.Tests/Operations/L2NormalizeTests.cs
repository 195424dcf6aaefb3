using Cliper.Kernels.Cpu;
using Cliper.Kernels.Memory;
using Cliper.Kernels.Operations;

namespace Cliper.Kernels.Tests.Operations;

public sealed class L2NormalizeTests(SimdLevel level) : HostDevices(level)
{
    // Sums of `width` terms in fp32, random-walk growth; y is at most 1, dx at most 1 / |x| times |dy|.
    private static double Bound(int width) => 4 * Math.Pow(2, -24) * (4 + Math.Sqrt(width));

    [Test]
    public void IsTheFormula([Values(1, 5)] int rows, [Values(1, 7, 16, 67, 512)] int width, [Values] bool accumulate)
    {
        float[] x = Random(rows * width, 1), dy = Random(x.Length, 2), before = Random(x.Length, 3);
        double[] y = new double[x.Length], inverses = new double[rows], dx = Doubles.Before(before, accumulate);
        L2NormalizeReference.Forward(Doubles.Of(x), y, inverses, rows, width);
        L2NormalizeReference.Backward(y, inverses, Doubles.Of(dy), dx, rows, width);
        DeviceArray ax = Device.From(x), ay = Device.Allocate(x.Length), inverse = Device.Allocate(rows),
            ady = Device.From(dy),
            adx = Device.From(before);

        L2Normalize.Forward(ax, ay, inverse, rows, width);
        L2Normalize.Backward(ay, inverse, ady, new(adx, accumulate), rows, width);

        AssertClose(Device.ToFloats(ay), y, Bound(width), "y");
        AssertClose(Device.ToFloats(adx), dx, Bound(width) * Math.Max(1, Math.Sqrt(width) * inverses.Max()), "dx");
        Free(ax, ay, inverse, ady, adx);
    }

    [Test]
    public void AZeroRowStaysZeroAndPassesNoGradient()
    {
        DeviceArray x = Device.From(new float[19]), inverse = Device.Allocate(1), dy = Device.From(Random(19, 1));
        L2Normalize.Forward(x, x, inverse, 1, 19);
        L2Normalize.Backward(x, inverse, dy, dy, 1, 19);
        Assert.That(Device.ToFloats(x), Has.All.Zero);
        Assert.That(Device.ToFloats(dy), Has.All.Zero);
        Free(x, inverse, dy);
    }

    [TestCase(float.NaN)]
    [TestCase(float.PositiveInfinity)]
    public void ABadValueMakesItsRowNaNAndNoOther(float bad)
    {
        float[] x = Random(3 * 20, 1);
        x[25] = bad;
        DeviceArray ax = Device.From(x);
        L2Normalize.Forward(ax, ax, default, 3, 20);
        float[] y = Device.ToFloats(ax);
        Assert.That(y[..20].Concat(y[40..]), Has.None.NaN);
        Assert.That(y[20..40], Has.All.NaN);
        Free(ax);
    }

    [Test]
    public void ThreadsDoNotChangeABit() => AssertSameBits(device =>
    {
        DeviceArray x = device.From(Random(200 * 300, 1)), dy = device.From(Random(200 * 300, 2)),
            inverse = device.Allocate(200);
        L2Normalize.Forward(x, x, inverse, 200, 300);
        L2Normalize.Backward(x, inverse, dy, dy, 200, 300);
        return [x, dy];
    });
}
