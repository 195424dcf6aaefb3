using Cliper.Kernels.Devices;
using Cliper.Kernels.Operations;
using Cliper.Kernels.Simd;

namespace Cliper.Kernels.Tests.Operations;

public sealed class AddPositionsTests(SimdLevel level) : HostDevices(level)
{
    [Test]
    public void AddsToEverySample([Values(1, 3)] int samples, [Values(1, 5)] int tokens, [Values(1, 19, 64)] int width,
        [Values] bool accumulate)
    {
        int row = tokens * width;
        float[] x = Random(samples * row, 1), positions = Random(row, 2), before = Random(row, 3);
        double[] expected = [.. before.Select(value => accumulate ? value : 0.0)];
        for (int i = 0; i < x.Length; i++)
            expected[i % row] += x[i];
        DeviceArray ax = Device.From(x), ap = Device.From(positions), adp = Device.From(before);

        AddPositions.Backward(ax, adp, accumulate, samples, tokens, width);
        AddPositions.Forward(ax, ap, ax, samples, tokens, width);

        Assert.That(Device.ToFloats(ax), Is.EqualTo(x.Select((value, i) => value + positions[i % row])));
        AssertClose(Device.ToFloats(adp), expected, 4 * 4 * Math.Pow(2, -24), "dpositions");
        Free(ax, ap, adp);
    }
}
