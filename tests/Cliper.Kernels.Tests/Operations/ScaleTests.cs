using Cliper.Kernels.Cpu;
using Cliper.Kernels.Memory;
using Cliper.Kernels.Operations;

namespace Cliper.Kernels.Tests.Operations;

public sealed class ScaleTests(SimdLevel level) : HostDevices(level)
{
    [Test]
    public void MultipliesAndAccumulates([Values(0, 1, 17, 64, 16385)] int count, [Values] bool accumulate)
    {
        float[] x = Random(count, 1), before = Random(count, 2);
        double[] expected = Doubles.Before(before, accumulate);
        ScaleReference.Forward(Doubles.Of(x), 0.7f, expected);
        DeviceArray ax = Device.From(x), ay = Device.From(before);

        Scale.Forward(ax, 0.7f, ay, accumulate);
        Scale.Forward(ax, 0.5f, ax);

        // One or two roundings of values below 2.
        AssertClose(Device.ToFloats(ay), expected, 2 * Math.Pow(2, -23), "y");
        Assert.That(Device.ToFloats(ax), Is.EqualTo(x.Select(value => value * 0.5f)));
        Free(ax, ay);
    }

    [Test]
    public void ThreadsDoNotChangeABit() => AssertSameBits(device =>
    {
        DeviceArray x = device.From(Random(100_003, 1)), y = device.From(Random(100_003, 2));
        Scale.Forward(x, 0.7f, y, accumulate: true);
        return [y];
    });

    [Test]
    public void AFactorOfZeroHidesNothing([Values] bool accumulate)
    {
        DeviceArray x = Device.From([float.NaN, 1, float.PositiveInfinity]), y = Device.From([0f, 0, 0]);
        Scale.Forward(x, 0, y, accumulate);
        Assert.That(Device.ToFloats(y), Is.EqualTo(new[] { float.NaN, 0, float.NaN }));
        Free(x, y);
    }
}
