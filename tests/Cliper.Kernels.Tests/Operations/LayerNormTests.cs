using Cliper.Kernels.Cpu;
using Cliper.Kernels.Memory;
using Cliper.Kernels.Operations;

namespace Cliper.Kernels.Tests.Operations;

public sealed class LayerNormTests(SimdLevel level) : HostDevices(level)
{
    // Sums of `width` terms of size about 1 in fp32: unit roundoff 2^-24, random-walk growth sqrt(width), times 8 for
    // the three sums and their product. Column sums over rows grow with sqrt(rows) likewise.
    private static double Bound(int terms) => 8 * Math.Pow(2, -24) * (4 + Math.Sqrt(terms)) * 4;

    [Test]
    public void ForwardIsTheFormula([Values(1, 3, 50)] int rows, [Values(1, 7, 64, 67, 768)] int width)
    {
        float[] x = Random((long)rows * width, 1), gamma = Random(width, 2), beta = Random(width, 3);
        var expected = new double[x.Length];
        LayerNormReference.Forward(Doubles.Of(x), (Doubles.Of(gamma), Doubles.Of(beta)), expected, new double[rows],
            new double[rows]);
        DeviceArray dx = Device.From(x), dg = Device.From(gamma), db = Device.From(beta),
            dy = Device.Allocate(x.Length);

        LayerNorm.Forward(dx, new(dg, db), dy, default, new(rows, width));

        // A single element has zero variance: epsilon alone scales the rounding of x - mean.
        AssertClose(Device.ToFloats(dy), expected, Bound(width), "y");
        Free(dx, dg, db, dy);
    }

    [Test]
    public void BackwardIsTheFormula([Values(1, 37)] int rows, [Values(5, 64, 131)] int width, [Values] bool accumulate)
    {
        float[] x = Random((long)rows * width, 1), gamma = Random(width, 2), beta = Random(width, 3);
        float[] dy = Random(x.Length, 4), before = Random(x.Length, 5);
        double[] wide = Doubles.Of(x), scale = Doubles.Of(gamma), mean = new double[rows], rstd = new double[rows];
        double[] expectedX = Doubles.Before(before, accumulate),
            expectedGamma = Doubles.Before(before[..width], accumulate),
            expectedBeta = Doubles.Before(before[..width], accumulate);
        LayerNormReference.Forward(wide, (scale, Doubles.Of(beta)), new double[x.Length], mean, rstd);
        LayerNormReference.Backward(wide, scale, (mean, rstd), Doubles.Of(dy), expectedX, expectedGamma, expectedBeta);
        DeviceArray ax = Device.From(x), ag = Device.From(gamma), ab = Device.From(beta),
            ay = Device.Allocate(x.Length);
        DeviceArray am = Device.Allocate(rows), ar = Device.Allocate(rows), ady = Device.From(dy),
            adx = Device.From(before);
        DeviceArray adg = Device.From(before.AsSpan(0, width)), adb = Device.From(before.AsSpan(0, width));
        LayerNorm.Forward(ax, new(ag, ab), ay, new(am, ar), new(rows, width));

        LayerNorm.Backward(ax, ag, new(am, ar), ady,
            new(new(adx, accumulate), new(adg, accumulate), new(adb, accumulate)), new(rows, width));

        // rstd of rows of uniform numbers is at most 1/sqrt(1/3 - spread): 8 covers width 5.
        AssertClose(Device.ToFloats(adx), expectedX, 8 * Bound(width), "dx");
        AssertClose(Device.ToFloats(adg), expectedGamma, 4 * Bound(rows), "dgamma");
        AssertClose(Device.ToFloats(adb), expectedBeta, 4 * Bound(rows), "dbeta");
        Free(ax, ag, ab, ay, am, ar, ady, adx, adg, adb);
    }

    [Test]
    public void ThreadsDoNotChangeABit()
    {
        const int Rows = 61, Width = 96;
        float[] x = Random(Rows * Width, 1), gamma = Random(Width, 2), dy = Random(Rows * Width, 3);
        float[][] results = [.. new[] { 1, 2, 3 }.Select(threads =>
        {
            using var device = new CpuDevice(threads, Device.Level);
            DeviceArray ax = device.From(x), ag = device.From(gamma), ay = device.Allocate(x.Length),
                ady = device.From(dy);
            DeviceArray am = device.Allocate(Rows), ar = device.Allocate(Rows), adg = device.Allocate(Width);
            LayerNorm.Forward(ax, new(ag, ag), ay, new(am, ar), new(Rows, Width));
            LayerNorm.Backward(ax, ag, new(am, ar), ady, new(default, adg, default), new(Rows, Width));
            return device.ToFloats(adg);
        })];

        Assert.That(results[1], Is.EqualTo(results[0]));
        Assert.That(results[2], Is.EqualTo(results[0]));
    }

    [Test]
    public void ANaNStaysInItsRow()
    {
        float[] x = Random(3 * 20, 1), ones = [.. Enumerable.Repeat(1f, 20)];
        x[25] = float.NaN;
        DeviceArray ax = Device.From(x), ag = Device.From(ones), ay = Device.Allocate(60);

        LayerNorm.Forward(ax, new(ag, ag), ay, default, new(3, 20));

        float[] y = Device.ToFloats(ay);
        Assert.That(y[..20].Concat(y[40..]), Has.None.NaN);
        Assert.That(y[20..40], Has.All.NaN);
        Free(ax, ag, ay);
    }

    [Test]
    public void AWrongLengthIsNamed()
    {
        DeviceArray x = Device.Allocate(12), gamma = Device.Allocate(5);
        Assert.That(() => LayerNorm.Forward(x, new(gamma, gamma), x, default, new(3, 4)),
            Throws.ArgumentException.With.Message.Contains("gamma has 5 elements, expected 4"));
        Free(x, gamma);
    }
}
