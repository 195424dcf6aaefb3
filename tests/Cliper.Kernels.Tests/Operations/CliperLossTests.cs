using Cliper.Kernels.Cpu;
using Cliper.Kernels.Memory;
using Cliper.Kernels.Operations;

namespace Cliper.Kernels.Tests.Operations;

public sealed class CliperLossTests(SimdLevel level) : HostDevices(level)
{
    // Computed in double and rounded once: losses up to 60 and gradients up to alpha, about 10.
    private const double Bound = 1e-5;

    [Test]
    public void IsTheFormula([Values(1, 2, 37)] int batch, [Values(1, 2, 7)] int classes,
        [Values(1, 2, 5)] int subclasses,
        [Values] EmptySubclasses rule, [Values] bool accumulate, [Values] bool modulates)
    {
        int width = classes * subclasses;
        // Rounded to quarters, so that ties happen.
        float[] s = [.. Random((long)batch * width, 1).Select(value => MathF.Round(value * 20) / 4)],
            before = Random(s.Length, 2);
        int[] labels = [.. Enumerable.Range(0, batch).Select(b => b * b % classes)];
        CliperLossReference.Outcome expected = CliperLossReference.Both(Doubles.Of(s), labels, (classes, subclasses),
            rule, 0.5, 2, modulates);
        DeviceArray logits = Device.From(s), ay = Device.From(labels), losses = Device.Allocate(2),
            alpha = Device.Allocate(batch),
            nearest = Device.Allocate(batch, ElementType.Int32), counts = Device.Allocate(width, ElementType.Int32),
            dlosses = Device.From([0.5f, 2]), dlogits = Device.From(before);

        CliperLoss.Forward(logits, ay, losses, new(alpha, nearest, counts), new(batch, classes, subclasses), rule,
            modulates);
        CliperLoss.Backward(logits, ay, new(alpha, nearest, default), dlosses, new(dlogits, accumulate),
            new(batch, classes, subclasses));

        AssertClose(Device.ToFloats(losses), [expected.Fine, expected.Margin], Bound, "losses");
        AssertClose(Device.ToFloats(alpha), expected.Alpha, Bound, "alpha");
        Assert.That(nearest.AsSpan<int>().ToArray(), Is.EqualTo(expected.Nearest));
        Assert.That(counts.AsSpan<int>().ToArray(), Is.EqualTo(expected.Counts));
        for (int i = 0; i < before.Length && accumulate; i++)
            expected.Gradient[i] += before[i];
        AssertClose(Device.ToFloats(dlogits), expected.Gradient, Bound, "dlogits");
        Free(logits, ay, losses, alpha, nearest, counts, dlosses, dlogits);
    }

    [Test]
    public void ThreadsDoNotChangeABit([Values] EmptySubclasses rule) => AssertSameBits(device =>
    {
        const int Batch = 257, Classes = 11, Subclasses = 5;
        DeviceArray logits = device.From([.. Random(Batch * Classes * Subclasses, 1).Select(value => 40 * value)]),
            labels = device.From([.. Enumerable.Range(0, Batch).Select(b => b * b % Classes)]),
            losses = device.Allocate(2),
            alpha = device.Allocate(Batch), nearest = device.Allocate(Batch, ElementType.Int32),
            counts = device.Allocate(Classes * Subclasses, ElementType.Int32), dlosses = device.From([0.5f, 2]),
            dlogits = device.Allocate(logits.Length);
        CliperLoss.Forward(logits, labels, losses, new(alpha, nearest, counts), new(Batch, Classes, Subclasses), rule);
        CliperLoss.Backward(logits, labels, new(alpha, nearest, default), dlosses, dlogits,
            new(Batch, Classes, Subclasses));
        return [losses, alpha, dlogits];
    });

    [Test]
    public void TheTwoRulesDifferOnlyWhereASubclassIsEmpty()
    {
        // Class 0: both samples nearest to subclass 0, subclass 1 empty. Class 1: one sample each.
        DeviceArray logits = Device.From([3f, 1, 0, 0, 2, 1, 0, 0, 0, 0, 3, 1, 0, 0, 1, 3]),
            labels = Device.From([0, 0, 1, 1]),
            losses = Device.Allocate(2), script = Device.Allocate(4), paper = Device.Allocate(4),
            nearest = Device.Allocate(4, ElementType.Int32), counts = Device.Allocate(4, ElementType.Int32);

        CliperLoss.Forward(logits, labels, losses, new(script, nearest, counts), new(4, 2, 2),
            EmptySubclasses.MinusOneNinetyNinth);
        CliperLoss.Forward(logits, labels, losses, new(paper, nearest, counts), new(4, 2, 2), EmptySubclasses.LeftOut);

        // (2 - 1/99) * 1 / 2 against 2 * 1 / 2; class 1 has (1 + 1) * 1/2 / 1 under both.
        AssertClose(Device.ToFloats(script), [(2 - 1.0 / 99) / 2, (2 - 1.0 / 99) / 2, 1, 1], 1e-7, "script");
        AssertClose(Device.ToFloats(paper), [1, 1, 1, 1], 1e-7, "paper");
        Free(logits, labels, losses, script, paper, nearest, counts);
    }

    [Test]
    public void ANaNReachesBothLosses([Range(0, 5)] int at)
    {
        float[] s = Random(6, 1);
        s[at] = float.NaN;
        DeviceArray logits = Device.From(s), labels = Device.From([1]), losses = Device.Allocate(2),
            alpha = Device.Allocate(1),
            nearest = Device.Allocate(1, ElementType.Int32), counts = Device.Allocate(6, ElementType.Int32);

        CliperLoss.Forward(logits, labels, losses, new(alpha, nearest, counts), new(1, 3, 2),
            EmptySubclasses.MinusOneNinetyNinth);

        Assert.That(Device.ToFloats(losses), Has.All.NaN);
        Free(logits, labels, losses, alpha, nearest, counts);
    }

    [Test]
    public void ALabelOutsideTheClassesIsNamed()
    {
        DeviceArray logits = Device.From(Random(12, 1)), labels = Device.From([0, 3]), losses = Device.Allocate(2),
            alpha = Device.Allocate(2), nearest = Device.Allocate(2, ElementType.Int32),
            counts = Device.Allocate(6, ElementType.Int32);
        Assert.That(() => CliperLoss.Forward(logits, labels, losses, new(alpha, nearest, counts), new(2, 3, 2),
            default),
            Throws.InstanceOf<ArgumentOutOfRangeException>().With.Message.Contains("row 1 has label 3"));
        Free(logits, labels, losses, alpha, nearest, counts);
    }
}
