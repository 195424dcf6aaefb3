using Cliper.Kernels.Cpu;
using Cliper.Kernels.Memory;
using Cliper.Kernels.Operations;

namespace Cliper.Kernels.Tests.Operations;

public sealed class SoftmaxTests(SimdLevel level) : HostDevices(level)
{
    private const double U = 1.0 / (1 << 24);

    // Logits up to 10 differ by up to 20, whose product with log2 e is rounded twice: 2 * 20 u in an exponential and as
    // much in the sum's mean, and an exponential's own error is 2 u. Sums of `width` terms grow as a random walk; y is
    // at most 1.
    private static double ForwardBound(int width) => U * (96 + Math.Sqrt(width));

    // |sum dy y| is at most 1; one difference, one product and one sum are rounded after it.
    private static double BackwardBound(int width) => U * (8 + Math.Sqrt(width));

    [Test]
    public void Forward_AnyShape_IsTheFormula([Values(1, 5)] int rows, [Values(1, 7, 16, 67, 512)] int width)
    {
        float[] x = Logits(rows, width);
        DeviceArray ax = Device.From(x), ay = Device.Allocate(x.Length);

        Softmax.Forward(ax, ay, rows, width);

        AssertClose(Device.ToFloats(ay), Expected(x, rows, width), ForwardBound(width), "y");
        Softmax.Forward(ax, ax, rows, width);
        Assert.That(Device.ToFloats(ax), Is.EqualTo(Device.ToFloats(ay)), "in place");
        Free(ax, ay);
    }

    [Test]
    public void Backward_AnyShape_IsTheFormula([Values(1, 5)] int rows, [Values(1, 7, 16, 67, 512)] int width,
        [Values] bool accumulate)
    {
        float[] y = Doubles.Rounded(Expected(Logits(rows, width), rows, width));
        float[] dy = Random(y.Length, 2), before = Random(y.Length, 3);
        double[] dx = Doubles.Before(before, accumulate);
        SoftmaxReference.Backward(Doubles.Of(y), Doubles.Of(dy), dx, rows, width);
        DeviceArray ay = Device.From(y), ady = Device.From(dy), adx = Device.From(before);

        Softmax.Backward(ay, ady, new(adx, accumulate), rows, width);

        AssertClose(Device.ToFloats(adx), dx, BackwardBound(width), "dx");
        Softmax.Backward(ay, ady, ady, rows, width);
        if (!accumulate)
            Assert.That(Device.ToFloats(ady), Is.EqualTo(Device.ToFloats(adx)), "in place of dy");
        Free(ay, ady, adx);
    }

    [Test]
    public void Forward_LargeLogits_DoesNotOverflow()
    {
        DeviceArray x = Device.From([3e38f, 3e38f, -3e38f]);
        Softmax.Forward(x, x, 1, 3);
        Assert.That(Device.ToFloats(x), Is.EqualTo(new[] { 0.5f, 0.5f, 0f }));
        Free(x);
    }

    [TestCase(float.NaN)]
    [TestCase(float.PositiveInfinity)]
    public void Forward_BadValueInARow_MakesThatRowNaNAlone(float bad)
    {
        float[] x = Random(3 * 20, 1);
        x[25] = bad;
        DeviceArray ax = Device.From(x);
        Softmax.Forward(ax, ax, 3, 20);
        float[] y = Device.ToFloats(ax);
        Assert.That(y[..20].Concat(y[40..]), Has.None.NaN);
        Assert.That(y[20..40], Has.All.NaN);
        Free(ax);
    }

    [Test]
    public void Forward_MinusInfinity_IsZeroUnlessTheWholeRowIs()
    {
        float[] x = [.. Enumerable.Repeat(float.NegativeInfinity, 40)];
        x[3] = 1;
        DeviceArray ax = Device.From(x);
        Softmax.Forward(ax, ax, 2, 20);
        float[] y = Device.ToFloats(ax);
        Assert.That(y[3], Is.EqualTo(1));
        Assert.That(y[..3].Concat(y[4..20]), Has.All.Zero);
        Assert.That(y[20..], Has.All.NaN);
        Free(ax);
    }

    [Test]
    public void Forward_LengthThatIsNotRowsTimesWidth_IsNamed()
    {
        DeviceArray x = Device.Allocate(6), y = Device.Allocate(5);
        Assert.That(() => Softmax.Forward(x, y, 2, 3),
            Throws.ArgumentException.With.Message.Contains("y has 5 elements, expected 6"));
        Free(x, y);
    }

    [Test]
    public void ForwardAndBackward_AnyNumberOfThreads_LeaveTheSameBits() => AssertSameBits(device =>
    {
        DeviceArray x = device.From(Random(200 * 300, 1)), dy = device.From(Random(200 * 300, 2));
        Softmax.Forward(x, x, 200, 300);
        Softmax.Backward(x, dy, dy, 200, 300);
        return [x, dy];
    });

    private static float[] Logits(int rows, int width) => [.. Random(rows * width, 1).Select(value => 10 * value)];

    private static double[] Expected(float[] x, int rows, int width)
    {
        var y = new double[x.Length];
        SoftmaxReference.Forward(Doubles.Of(x), y, rows, width);
        return y;
    }
}
