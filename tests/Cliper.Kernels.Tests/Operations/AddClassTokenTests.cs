using Cliper.Kernels.Cpu;
using Cliper.Kernels.Memory;
using Cliper.Kernels.Operations;

namespace Cliper.Kernels.Tests.Operations;

public sealed class AddClassTokenTests(SimdLevel level) : HostDevices(level)
{
    [Test]
    public void PutsTheClassInFront([Values(1, 3)] int samples, [Values(1, 4)] int patches,
        [Values(1, 19, 64)] int width,
        [Values] bool accumulate)
    {
        int tokens = patches + 1;
        float[] x = Random(samples * patches * width, 1), token = Random(width, 2),
            positions = Random(tokens * width, 3),
            dy = Random(samples * tokens * width, 4), beforeX = Random(x.Length, 5), beforeClass = Random(width, 6),
            beforePositions = Random(positions.Length, 7);
        double[] y = new double[dy.Length], dx = Doubles.Before(beforeX, accumulate),
            dclass = Doubles.Before(beforeClass, accumulate), dpositions = Doubles.Before(beforePositions, accumulate);
        AddClassTokenReference.Forward(Doubles.Of(x), Doubles.Of(token), Doubles.Of(positions), y);
        AddClassTokenReference.Backward(Doubles.Of(dy), dx, dclass, dpositions);
        DeviceArray ax = Device.From(x), ac = Device.From(token), ap = Device.From(positions),
            ay = Device.Allocate(y.Length),
            ady = Device.From(dy), adx = Device.From(beforeX), adc = Device.From(beforeClass),
            adp = Device.From(beforePositions);

        AddClassToken.Forward(ax, ac, ap, ay, new(samples, patches, width));
        AddClassToken.Backward(ady, new(adx, accumulate), new(adc, accumulate), new(adp, accumulate),
            new(samples, patches, width));

        Assert.That(Device.ToFloats(ay), Is.EqualTo(Doubles.Rounded(y)));
        Assert.That(Device.ToFloats(adx), Is.EqualTo(Doubles.Rounded(dx)));
        AssertClose(Device.ToFloats(adc), dclass, 4 * 4 * Math.Pow(2, -24), "dclass");
        AssertClose(Device.ToFloats(adp), dpositions, 4 * 4 * Math.Pow(2, -24), "dpositions");
        Free(ax, ac, ap, ay, ady, adx, adc, adp);
    }

    [Test]
    public void ThreadsDoNotChangeABit() => AssertSameBits(device =>
    {
        const int Samples = 23, Patches = 16, Width = 203;
        DeviceArray x = device.From(Random(Samples * Patches * Width, 1)), token = device.From(Random(Width, 2)),
            positions = device.From(Random((Patches + 1) * Width, 3)),
            y = device.Allocate(Samples * (Patches + 1) * Width),
            dx = device.Allocate(x.Length), dclass = device.Allocate(Width),
            dpositions = device.Allocate(positions.Length);
        AddClassToken.Forward(x, token, positions, y, new(Samples, Patches, Width));
        AddClassToken.Backward(y, dx, dclass, dpositions, new(Samples, Patches, Width));
        return [y, dx, dclass, dpositions];
    });

    [Test]
    public void ANaNReachesItsElementAlone()
    {
        // Two images of one patch of one number.
        DeviceArray x = Device.From([float.NaN, 1]), token = Device.From([2f]), positions = Device.From([3f, 4]),
            y = Device.Allocate(4),
            dpositions = Device.Allocate(2);
        AddClassToken.Forward(x, token, positions, y, new(2, 1, 1));
        AddClassToken.Backward(y, default, default, dpositions, new(2, 1, 1));
        Assert.That(Device.ToFloats(y), Is.EqualTo(new[] { 5, float.NaN, 5, 5 }));
        Assert.That(Device.ToFloats(dpositions), Is.EqualTo(new[] { 10, float.NaN }));
        Free(x, token, positions, y, dpositions);
    }
}
