using Cliper.Kernels.Cpu;
using Cliper.Kernels.Memory;
using Cliper.Kernels.Operations;

namespace Cliper.Kernels.Tests.Operations;

public sealed class AveragePoolTests(SimdLevel level) : HostDevices(level)
{
    private static readonly (FeatureMap, int)[] Cases = [(new(1, 2, 2, 1), 2), (new(2, 6, 8, 16), 2),
        (new(3, 5, 7, 19), 2), (new(2, 9, 10, 40), 3), (new(2, 7, 7, 33), 7), (new(1, 3, 2, 5), 1)];

    [Test]
    public void BothWays_AreTheFormula([ValueSource(nameof(Cases))] (FeatureMap, int) inputAndSize,
        [Values] bool accumulate)
    {
        (FeatureMap input, int size) = inputAndSize;
        FeatureMap output = AveragePool.Output(input, size);
        float[] x = Random(input.Count, 1), dy = Random(output.Count, 2), before = Random(x.Length, 3);
        double[] y = new double[output.Count], dx = Doubles.Before(before, accumulate);
        AveragePoolReference.Forward(Doubles.Of(x), y, input, size);
        AveragePoolReference.Backward(Doubles.Of(dy), dx, input, size);
        DeviceArray ax = Device.From(x), ay = Device.Allocate(y.Length), ady = Device.From(dy),
            adx = Device.From(before);

        AveragePool.Forward(ax, ay, input, size);
        AveragePool.Backward(ady, new GradientTarget(adx, accumulate), input, size);

        // Up to 49 terms below 1, divided by their number: no sum is above 49 units, each rounded to 2^-24 of it.
        AssertClose(Device.ToFloats(ay), y, size * size * Math.Pow(2, -24), "y");
        AssertClose(Device.ToFloats(adx), dx, 3 * Math.Pow(2, -24), "dx");
        Free(ax, ay, ady, adx);
    }

    [Test]
    public void ANaNReachesItsWindowAlone()
    {
        var input = new FeatureMap(1, 4, 4, 3);
        float[] x = Random(input.Count, 1);
        x[(1 * 4 + 3) * 3 + 2] = float.NaN;
        DeviceArray ax = Device.From(x), ay = Device.Allocate(12);

        AveragePool.Forward(ax, ay, input, 2);

        Assert.That(Device.ToFloats(ay).Select(float.IsNaN), Is.EqualTo(Enumerable.Range(0, 12).Select(i => i == 5)));
        Free(ax, ay);
    }

    [Test]
    public void ThreadsDoNotChangeABit() => AssertSameBits(device =>
    {
        var input = new FeatureMap(5, 33, 40, 24);
        DeviceArray x = device.From(Random(input.Count, 1)), y = device.Allocate(AveragePool.Output(input, 2).Count),
            dx = device.Allocate(x.Length);
        AveragePool.Forward(x, y, input, 2);
        AveragePool.Backward(y, dx, input, 2);
        return [y, dx];
    });

    [Test]
    public void SizesThatDoNotFitAreNamed()
    {
        DeviceArray x = Device.Allocate(12);
        Assert.That(() => AveragePool.Forward(x, x, new(1, 1, 4, 3), 2),
            Throws.ArgumentException.With.Message.Contains("[1, 1, 4, 3]"));
        Assert.That(() => AveragePool.Forward(x, x, new(1, 2, 2, 3), 2),
            Throws.ArgumentException.With.Message.Contains("y has 12 elements, expected 3"));
        Free(x);
    }
}
