using Cliper.Kernels.Cpu;
using Cliper.Kernels.Memory;
using Cliper.Kernels.Operations;

namespace Cliper.Kernels.Tests.Operations;

public sealed class MaxPoolTests(SimdLevel level) : HostDevices(level)
{
    private static readonly FeatureMap[] Inputs = [new(1, 2, 2, 1), new(2, 6, 8, 16), new(3, 5, 7, 19),
        new(1, 3, 2, 40)];

    [Test]
    public void IsTheLargestOfFourWithItsGradient([ValueSource(nameof(Inputs))] FeatureMap input,
        [Values] bool accumulate)
    {
        // Few different values, so that two of the four are often the same.
        float[] x = [.. Random(input.Count, 1).Select(value => MathF.Round(4 * value))];
        FeatureMap output = MaxPool.Output(input);
        float[] dy = Random(output.Count, 2), before = Random(x.Length, 3);
        double[] y = new double[output.Count], dx = Doubles.Before(before, accumulate);
        MaxPoolReference.Forward(Doubles.Of(x), y, input);
        MaxPoolReference.Backward(Doubles.Of(x), y, Doubles.Of(dy), dx, input);
        DeviceArray ax = Device.From(x), ay = Device.Allocate(y.Length), ady = Device.From(dy),
            adx = Device.From(before);

        MaxPool.Forward(ax, ay, input);
        MaxPool.Backward(ax, ay, ady, new(adx, accumulate), input);

        Assert.That(Device.ToFloats(ay), Is.EqualTo(Doubles.Rounded(y)));
        Assert.That(Device.ToFloats(adx), Is.EqualTo(Doubles.Rounded(dx)));
        Free(ax, ay, ady, adx);
    }

    [Test]
    public void ANaNIsTheLargestAndTheFirstGetsTheGradient([Values(0, 1, 2, 3)] int place)
    {
        var input = new FeatureMap(1, 2, 2, 17);
        float[] x = Random(input.Count, 1);
        x[17 * place + 16] = float.NaN;
        DeviceArray ax = Device.From(x), ay = Device.Allocate(17), ady = Device.From([.. Enumerable.Repeat(1f, 17)]),
            adx = Device.Allocate(x.Length);

        MaxPool.Forward(ax, ay, input);
        MaxPool.Backward(ax, ay, ady, adx, input);

        Assert.That(Device.ToFloats(ay).Select(float.IsNaN), Is.EqualTo(Enumerable.Range(0, 17).Select(c => c == 16)));
        Assert.That(Enumerable.Range(0, 4).Select(pixel => Device.ToFloats(adx)[17 * pixel + 16]),
            Is.EqualTo(new[] { 1f, 0, 0, 0 }));
        Free(ax, ay, ady, adx);
    }

    [Test]
    public void ThreadsDoNotChangeABit() => AssertSameBits(device =>
    {
        var input = new FeatureMap(5, 33, 40, 24);
        DeviceArray x = device.From(Random(input.Count, 1)), y = device.Allocate(MaxPool.Output(input).Count),
            dx = device.Allocate(x.Length);
        MaxPool.Forward(x, y, input);
        MaxPool.Backward(x, y, y, dx, input);
        return [y, dx];
    });

    [Test]
    public void SizesThatDoNotFitAreNamed()
    {
        DeviceArray x = Device.Allocate(12), y = Device.Allocate(3);
        Assert.That(() => MaxPool.Forward(x, y, new(1, 1, 4, 3)),
            Throws.ArgumentException.With.Message.Contains("[1, 1, 4, 3]"));
        Assert.That(() => MaxPool.Forward(x, x, new(1, 2, 2, 3)),
            Throws.ArgumentException.With.Message.Contains("y has 12 elements, expected 3"));
        Free(x, y);
    }
}
