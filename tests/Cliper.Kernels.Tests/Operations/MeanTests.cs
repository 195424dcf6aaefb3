using Cliper.Kernels.Cpu;
using Cliper.Kernels.Memory;
using Cliper.Kernels.Operations;

namespace Cliper.Kernels.Tests.Operations;

public sealed class MeanTests(SimdLevel level) : HostDevices(level)
{
    [Test]
    public void AveragesFramesAndSharesTheGradient([Values(1, 3)] int samples, [Values(1, 16, 37)] int frames,
        [Values(1, 19, 64)] int width,
        [Values] bool accumulate)
    {
        float[] x = Random(samples * frames * width, 1), dy = Random(samples * width, 2), before = Random(x.Length, 3);
        double[] y = new double[dy.Length], dx = Doubles.Before(before, accumulate);
        MeanReference.Forward(Doubles.Of(x), y, frames, width);
        MeanReference.Backward(Doubles.Of(dy), dx, frames, width);
        DeviceArray ax = Device.From(x), ay = Device.Allocate(y.Length), ady = Device.From(dy),
            adx = Device.From(before);

        Mean.Forward(ax, ay, samples, frames, width);
        Mean.Backward(ady, new(adx, accumulate), samples, frames, width);

        // Sums of `frames` terms below 1, each rounded once, over frames.
        AssertClose(Device.ToFloats(ay), y, 2 * Math.Pow(2, -24) * (2 + Math.Sqrt(frames)), "y");
        AssertClose(Device.ToFloats(adx), dx, 4 * Math.Pow(2, -24), "dx");
        Free(ax, ay, ady, adx);
    }

    [Test]
    public void ThreadsDoNotChangeABit() => AssertSameBits(device =>
    {
        const int Samples = 29, Frames = 16, Width = 203;
        DeviceArray x = device.From(Random(Samples * Frames * Width, 1)), y = device.Allocate(Samples * Width),
            dx = device.From(Random(x.Length, 2));
        Mean.Forward(x, y, Samples, Frames, Width);
        Mean.Backward(y, new(dx, Accumulate: true), Samples, Frames, Width);
        return [y, dx];
    });

    [Test]
    public void ANaNAndInfinitiesStayInTheirElementOfTheirSample()
    {
        // Two samples of two frames of three numbers.
        DeviceArray x = Device.From([float.NaN, 1, float.PositiveInfinity, 1, 3, float.NegativeInfinity, 1, 2, 3, 3, 4,
            float.PositiveInfinity]),
            y = Device.Allocate(6);
        Mean.Forward(x, y, 2, 2, 3);
        Assert.That(Device.ToFloats(y), Is.EqualTo(new[] { float.NaN, 2, float.NaN, 2, 3, float.PositiveInfinity }));
        Free(x, y);
    }

    [Test]
    public void NoFramesIsAnError()
    {
        DeviceArray none = Device.Allocate(0);
        Assert.That(() => Mean.Forward(none, none, 0, 0, 4), Throws.InstanceOf<ArgumentOutOfRangeException>());
        Free(none);
    }
}
