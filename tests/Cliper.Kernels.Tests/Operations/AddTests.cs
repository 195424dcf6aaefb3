using Cliper.Kernels.Devices;
using Cliper.Kernels.Operations;
using Cliper.Kernels.Simd;

namespace Cliper.Kernels.Tests.Operations;

public sealed class AddTests(SimdLevel level) : HostDevices(level)
{
    [Test]
    public void IsExactInPlaceOrNot([Values(0, 1, 17, 64, 16385, 50000)] int count)
    {
        float[] a = Random(count, 1), b = Random(count, 2), expected = [.. a.Zip(b, (x, y) => x + y)];
        DeviceArray aa = Device.From(a), ab = Device.From(b), ay = Device.Allocate(count);

        Add.Forward(aa, ab, ay);
        Add.Backward(aa, ab, accumulate: true);
        Assert.That(Device.ToFloats(ay), Is.EqualTo(expected));
        Assert.That(Device.ToFloats(ab), Is.EqualTo(expected));
        Add.Backward(aa, ab, accumulate: false);
        Assert.That(Device.ToFloats(ab), Is.EqualTo(a));
        Free(aa, ab, ay);
    }

    [Test]
    public void AWrongLengthIsNamed()
    {
        DeviceArray a = Device.Allocate(4), b = Device.Allocate(5);
        Assert.That(() => Add.Forward(a, b, a), Throws.ArgumentException.With.Message.Contains("b has 5 elements, expected 4"));
        Free(a, b);
    }
}
