using Cliper.Kernels.Cpu;
using Cliper.Kernels.Memory;
using Cliper.Kernels.Operations;

namespace Cliper.Kernels.Tests.Operations;

public sealed class AddPositionsTests(SimdLevel level) : HostDevices(level)
{
    [Test]
    public void AddsToEverySample([Values(1, 3)] int samples, [Values(1, 5)] int tokens, [Values(1, 19, 64)] int width,
        [Values] bool accumulate)
    {
        int row = tokens * width;
        float[] x = Random(samples * row, 1), positions = Random(row, 2), before = Random(row, 3);
        double[] y = new double[x.Length], expected = Doubles.Before(before, accumulate);
        AddPositionsReference.Forward(Doubles.Of(x), Doubles.Of(positions), y);
        AddPositionsReference.Backward(Doubles.Of(x), expected);
        DeviceArray ax = Device.From(x), ap = Device.From(positions), adp = Device.From(before);

        AddPositions.Backward(ax, new(adp, accumulate), samples, tokens, width);
        AddPositions.Forward(ax, ap, ax, samples, tokens, width);

        Assert.That(Device.ToFloats(ax), Is.EqualTo(Doubles.Rounded(y)));
        AssertClose(Device.ToFloats(adp), expected, 4 * 4 * Math.Pow(2, -24), "dpositions");
        Free(ax, ap, adp);
    }

    [Test]
    public void ThreadsDoNotChangeABit() => AssertSameBits(device =>
    {
        const int Samples = 23, Tokens = 17, Width = 203;
        DeviceArray x = device.From(Random(Samples * Tokens * Width, 1)),
            positions = device.From(Random(Tokens * Width, 2)),
            y = device.Allocate(x.Length), dpositions = device.Allocate(positions.Length);
        AddPositions.Forward(x, positions, y, Samples, Tokens, Width);
        AddPositions.Backward(x, dpositions, Samples, Tokens, Width);
        return [y, dpositions];
    });

    [Test]
    public void ANaNReachesItsElementAlone()
    {
        DeviceArray x = Device.From([0, 1, 2, float.NaN]), positions = Device.From([float.NaN, 1f]),
            y = Device.Allocate(4),
            dpositions = Device.Allocate(2);
        AddPositions.Forward(x, positions, y, 2, 1, 2);
        AddPositions.Backward(x, dpositions, 2, 1, 2);
        Assert.That(Device.ToFloats(y), Is.EqualTo(new[] { float.NaN, 2, float.NaN, float.NaN }));
        Assert.That(Device.ToFloats(dpositions), Is.EqualTo(new[] { 2, float.NaN }));
        Free(x, positions, y, dpositions);
    }
}
