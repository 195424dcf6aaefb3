using Cliper.Kernels.Cpu;
using Cliper.Kernels.Memory;
using Cliper.Kernels.Operations;

namespace Cliper.Kernels.Tests.Operations;

public sealed class GatherTests(SimdLevel level) : HostDevices(level)
{
    [Test]
    public void CopiesRowsAndScattersTheirGradients([Values(1, 7, 64, 131)] int width, [Values] bool accumulate)
    {
        int[] rows = [3, 0, 3, 2, 3, 0];
        float[] table = Random(5 * width, 1), dy = Random(rows.Length * width, 2), before = Random(table.Length, 3);
        double[] y = new double[dy.Length], expected = Doubles.Before(before, accumulate);
        GatherReference.Forward(Doubles.Of(table), rows, y, width);
        GatherReference.Backward(rows, Doubles.Of(dy), expected, width);
        DeviceArray at = Device.From(table), ar = Device.From(rows), ay = Device.Allocate(dy.Length),
            ady = Device.From(dy),
            adt = Device.From(before);

        Gather.Forward(at, ar, ay, 5, width);
        Gather.Backward(ar, ady, new(adt, accumulate), 5, width);

        Assert.That(Device.ToFloats(ay), Is.EqualTo(Doubles.Rounded(y)));
        // At most four terms below 1: three roundings of sums below 4.
        AssertClose(Device.ToFloats(adt), expected, 3 * 4 * Math.Pow(2, -24), "dtable");
        Free(at, ar, ay, ady, adt);
    }

    [TestCase(5)]
    [TestCase(-1)]
    [TestCase(int.MinValue)]
    public void ARowOutsideTheTableIsNamed(int row)
    {
        DeviceArray table = Device.From(Random(15, 1)), rows = Device.From([0, row]), y = Device.Allocate(6);
        Assert.That(() => Gather.Forward(table, rows, y, 5, 3),
            Throws.InstanceOf<ArgumentOutOfRangeException>().With.Message.Contains(
            $"rows[1] is {row}, the table has 5 rows"));
        Assert.That(() => Gather.Backward(rows, y, table, 5, 3),
            Throws.InstanceOf<ArgumentOutOfRangeException>());
        Free(table, rows, y);
    }

    [Test]
    public void ThreadsDoNotChangeABit() => AssertSameBits(device =>
    {
        DeviceArray rows = device.From([.. Enumerable.Range(0, 500).Select(i => i * i % 7)]),
            dy = device.From(Random(500 * 200, 1)),
            dtable = device.Allocate(7 * 200);
        Gather.Backward(rows, dy, dtable, 7, 200);
        return [dtable];
    });
}
