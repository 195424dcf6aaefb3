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
        double[] expectedSum = Doubles.Before([3], accumulate), expectedProducts = Doubles.Before([3], accumulate);
        SumReference.Forward(Doubles.Of(a), expectedSum);
        SumReference.Products(Doubles.Of(a), Doubles.Of(b), expectedProducts);
        DeviceArray aa = Device.From(a), ab = Device.From(b), sum = Device.From([3f]), products = Device.From([3f]);

        Sum.Forward(aa, sum, accumulate);
        Sum.Products(aa, ab, products, accumulate);

        // Running sums of a run of 1024 stay below 32; the roundings of that size add up like a random walk.
        double bound = Math.Pow(2, -24) * 32 * (1 + Math.Sqrt(count) / 4);
        AssertClose(Device.ToFloats(sum), expectedSum, bound, "sum");
        AssertClose(Device.ToFloats(products), expectedProducts, bound, "products");
        Free(aa, ab, sum, products);
    }

    [Test]
    public void BackwardFillsOrAdds([Values(1, 17, 16385)] int count, [Values] bool accumulate)
    {
        float[] before = Random(count, 1);
        double[] expected = Doubles.Before(before, accumulate);
        SumReference.Backward([0.75], expected);
        DeviceArray dx = Device.From(before), dy = Device.From([0.75f]);
        Sum.Backward(dy, new(dx, accumulate));
        Assert.That(Device.ToFloats(dx), Is.EqualTo(Doubles.Rounded(expected)));
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
