using Cliper.Kernels.Cpu;
using Cliper.Kernels.Memory;
using Cliper.Kernels.Operations;

namespace Cliper.Kernels.Tests.Operations;

public sealed class SumTests(SimdLevel level) : HostDevices(level)
{
    [Test]
    public void AddsAllElementsOrProducts([Values(0, 1, 17, 63, 16384, 50021)] int count, [Values] bool accumulate)
    {
        float[] a = Random(count, 1), b = Random(count, 2);
        DeviceArray aa = Device.From(a), ab = Device.From(b), sum = Device.From([3f]), products = Device.From([3f]);

        Sum.Forward(aa, sum, accumulate);
        Sum.Products(aa, ab, products, accumulate);

        // Running sums of a run of 1024 stay below 32; the roundings of that size add up like a random walk.
        double bound = Math.Pow(2, -24) * 32 * (1 + Math.Sqrt(count) / 4);
        AssertClose(Device.ToFloats(sum), [a.Sum(x => (double)x) + (accumulate ? 3 : 0)], bound, "sum");
        AssertClose(Device.ToFloats(products), [a.Zip(b, (x, y) => (double)x * y).Sum() + (accumulate ? 3 : 0)], bound,
            "products");
        Free(aa, ab, sum, products);
    }

    [Test]
    public void BackwardFillsOrAdds([Values(1, 17, 16385)] int count, [Values] bool accumulate)
    {
        float[] before = Random(count, 1);
        DeviceArray dx = Device.From(before), dy = Device.From([0.75f]);
        Sum.Backward(dy, new(dx, accumulate));
        Assert.That(Device.ToFloats(dx), Is.EqualTo(before.Select(value => accumulate ? value + 0.75f : 0.75f)));
        Free(dx, dy);
    }

    [Test]
    public void ThreadsDoNotChangeABit() => AssertSameBits(device =>
    {
        DeviceArray x = device.From(Random(300_007, 1)), y = device.Allocate(1), squares = device.Allocate(1);
        Sum.Forward(x, y);
        Sum.Products(x, x, squares);
        return [y, squares];
    });
}
