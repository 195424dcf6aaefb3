using Cliper.Kernels.Cpu;
using Cliper.Kernels.Memory;
using Cliper.Kernels.Operations;

namespace Cliper.Kernels.Tests.Operations;

public sealed class SoftmaxCrossEntropyTests(SimdLevel level) : HostDevices(level)
{
    // Logits up to 30: x - max is exact to 2^-24 * 60, which is also the relative error of its exponential; the
    // exponential itself adds 2e-7, the sum over classes 2^-24 sqrt(classes).
    private static double Bound(int classes) => 60 * Math.Pow(2, -24) + 4e-7 + Math.Pow(2, -24)
        * (4 + Math.Sqrt(classes));

    [Test]
    public void IsTheFormula([Values(1, 5)] int rows, [Values(1, 7, 16, 35, 257)] int classes, [Values] bool soft,
        [Values] bool accumulate)
    {
        float[] x = [.. Random((long)rows * classes, 1).Select(value => value * 30)], before = Random(x.Length, 2);
        int[] labels = [.. Enumerable.Range(0, rows).Select(row => (row * 5 + 3) % classes)];
        float[] t = soft ? [.. Enumerable.Range(0, x.Length).Select(i => (1 + (i / classes + i % classes) % 3)
            / (float)classes)] : Doubles.Rounded(SoftmaxCrossEntropyReference.OneHot(labels, classes));
        double[] wide = Doubles.Of(x), targets = Doubles.Of(t), expectedLoss = new double[1], z = new double[rows],
            expectedGradient = Doubles.Before(before, accumulate);
        SoftmaxCrossEntropyReference.Forward(wide, targets, expectedLoss, z);
        SoftmaxCrossEntropyReference.Backward(wide, targets, z, [0.7f], expectedGradient);
        DeviceArray ax = Device.From(x), at = soft ? Device.From(t) : Device.From(labels), loss = Device.Allocate(1),
            logSum = Device.Allocate(rows), dloss = Device.From([0.7f]), dx = Device.From(before);

        SoftmaxCrossEntropy.Forward(ax, at, loss, logSum, rows, classes);
        SoftmaxCrossEntropy.Backward(ax, at, logSum, dloss, new(dx, accumulate), rows, classes);

        // The soft targets here sum to 2 and the loss is about 30 times that.
        AssertClose(Device.ToFloats(loss), expectedLoss, 2 * Bound(classes) * Math.Max(1, expectedLoss[0] / 30),
            "loss");
        AssertClose(Device.ToFloats(dx), expectedGradient, 4 * Bound(classes), "dlogits");
        Free(ax, at, loss, logSum, dloss, dx);
    }

    [Test]
    public void HugeLogitsAreSafe()
    {
        DeviceArray x = Device.From([1e30f, -1e30f, 0, 1e4f, 1e4f, 1e4f]), labels = Device.From([0, 1]),
            loss = Device.Allocate(1),
            logSum = Device.Allocate(2);
        SoftmaxCrossEntropy.Forward(x, labels, loss, logSum, 2, 3);
        AssertClose(Device.ToFloats(loss), [Math.Log(3) / 2], 1e-6, "loss");
        Free(x, labels, loss, logSum);
    }

    [TestCase(float.NaN)]
    [TestCase(float.PositiveInfinity)]
    public void ABadLogitSpoilsItsRowAndTheLoss(float bad)
    {
        float[] x = Random(3 * 20, 1);
        x[25] = bad;
        DeviceArray ax = Device.From(x), labels = Device.From([1, 2, 3]), loss = Device.Allocate(1),
            logSum = Device.Allocate(3),
            one = Device.From([1f]), dx = Device.Allocate(60);

        SoftmaxCrossEntropy.Forward(ax, labels, loss, logSum, 3, 20);
        SoftmaxCrossEntropy.Backward(ax, labels, logSum, one, dx, 3, 20);

        float[] gradient = Device.ToFloats(dx);
        Assert.That(Device.ToFloats(loss), Has.All.NaN);
        Assert.That(gradient[..20].Concat(gradient[40..]), Has.None.NaN);
        Assert.That(gradient[20..40], Has.Some.NaN);
        Free(ax, labels, loss, logSum, one, dx);
    }

    [TestCase(3)]
    [TestCase(-1)]
    public void ALabelOutsideTheClassesIsNamed(int label)
    {
        DeviceArray x = Device.From(Random(6, 1)), labels = Device.From([0, label]), loss = Device.Allocate(1),
            logSum = Device.Allocate(2);
        Assert.That(() => SoftmaxCrossEntropy.Forward(x, labels, loss, logSum, 2, 3),
            Throws.InstanceOf<ArgumentOutOfRangeException>().With.Message.Contains($"row 1 has label {label}"));
        Free(x, labels, loss, logSum);
    }

    [Test]
    public void ThreadsDoNotChangeABit()
    {
        const int Rows = 61, Classes = 1000;
        float[] x = Random(Rows * Classes, 1);
        int[] labels = [.. Enumerable.Range(0, Rows)];
        AssertSameBits(device =>
        {
            DeviceArray ax = device.From(x), al = device.From(labels), loss = device.Allocate(1),
                logSum = device.Allocate(Rows),
                dx = device.Allocate(x.Length);
            SoftmaxCrossEntropy.Forward(ax, al, loss, logSum, Rows, Classes);
            SoftmaxCrossEntropy.Backward(ax, al, logSum, loss, dx, Rows, Classes);
            return [loss, dx];
        });
    }
}
