using Cliper.Kernels.Cpu;
using Cliper.Kernels.Memory;
using Cliper.Kernels.Operations;

namespace Cliper.Kernels.Tests.Operations;

public sealed class ColumnSumTests(SimdLevel level) : HostDevices(level)
{
    [Test]
    public void AddsRowsAtAnyStride([Values(0, 1, 64, 197)] int rows, [Values(1, 7, 64, 131, 768)] int width,
        [Values(0, 5)] int gap,
        [Values] bool accumulate)
    {
        int stride = width + gap;
        float[] x = Random(rows == 0 ? 0 : (rows - 1) * stride + width, 1), before = Random(width, 2);
        double[] expected = Doubles.Before(before, accumulate);
        ColumnSumReference.Forward(Doubles.Of(x), expected, rows, width, stride);
        DeviceArray ax = Device.From(x), ay = Device.From(before);

        ColumnSum.Forward(ax, new(ay, accumulate), rows, width, stride);

        // Partial sums of a random walk reach 2 sqrt(rows); sqrt(rows) of their roundings add up; twice that.
        AssertClose(Device.ToFloats(ay), expected, 4 * Math.Pow(2, -24) * (2 + rows), "y");
        Free(ax, ay);
    }

    [Test]
    public void ThreadsDoNotChangeABit() => AssertSameBits(device =>
    {
        DeviceArray x = device.From(Random(300 * 700, 1)), y = device.Allocate(700);
        ColumnSum.Forward(x, y, 300, 700, 700);
        return [y];
    });

    [Test]
    public void ANaNStaysInItsColumn()
    {
        float[] x = Random(5 * 70, 1);
        x[2 * 70 + 66] = float.NaN;
        DeviceArray ax = Device.From(x), ay = Device.Allocate(70);
        ColumnSum.Forward(ax, ay, 5, 70, 70);
        Assert.That(Device.ToFloats(ay).Select((value, i) => float.IsNaN(value) == (i == 66)), Has.All.True);
        Free(ax, ay);
    }
}
