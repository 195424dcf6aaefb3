using Cliper.Kernels.Devices;
using Cliper.Kernels.Operations;
using Cliper.Kernels.Simd;

namespace Cliper.Kernels.Tests.Operations;

public sealed class CastTests(SimdLevel level) : HostDevices(level)
{
    [Test]
    public void ThereAndBackRoundsOnceToFp16()
    {
        float[] x = [.. Random(67, 1), 0, 65504, 1e5f, 1e-8f, float.NaN, float.NegativeInfinity];
        DeviceArray floats = Device.From(x), halves = Device.Allocate(x.Length, ElementType.Float16), back = Device.Allocate(x.Length);

        Cast.Forward(floats, halves);
        Cast.Forward(halves, back);

        Assert.That(Device.ToFloats(back), Is.EqualTo(x.Select(value => (float)(Half)value)));
        Assert.That(Device.ToFloats(halves), Is.EqualTo(x.Select(value => (float)(Half)value)));
        Free(floats, halves, back);
    }

    [Test]
    public void TheSameTypeIsCopied()
    {
        DeviceArray x = Device.From(Random(9, 1)), y = Device.Allocate(9);

        Cast.Forward(x, y);

        Assert.That(Device.ToFloats(y), Is.EqualTo(Random(9, 1)));
        Free(x, y);
    }

    [Test]
    public void AnotherTypeIsNamed()
    {
        DeviceArray x = Device.Allocate(4, ElementType.Int32), y = Device.Allocate(4);
        Assert.That(() => Cast.Forward(x, y), Throws.ArgumentException.With.Message.Contains("x is Int32, expected Float32 or Float16"));
        Free(x, y);
    }
}
