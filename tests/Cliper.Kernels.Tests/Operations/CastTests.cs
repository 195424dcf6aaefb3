using Cliper.Kernels.Cpu;
using Cliper.Kernels.Memory;
using Cliper.Kernels.Operations;

namespace Cliper.Kernels.Tests.Operations;

public sealed class CastTests(SimdLevel level) : HostDevices(level)
{
    [Test]
    public void ThereAndBackRoundsOnceToFp16()
    {
        float[] x = [.. Random(67, 1), 0, 65504, 1e5f, 1e-8f, float.NaN, float.NegativeInfinity];
        DeviceArray floats = Device.From(x), halves = Device.Allocate(x.Length, ElementType.Float16),
            back = Device.Allocate(x.Length);

        Cast.Forward(floats, halves);
        Cast.Forward(halves, back);

        var expected = new double[x.Length];
        CastReference.Forward(Doubles.Of(x), expected, ElementType.Float16);
        Assert.That(Device.ToFloats(back), Is.EqualTo(x.Select(value => (float)(Half)value)));
        Assert.That(Device.ToFloats(halves), Is.EqualTo(Doubles.Rounded(expected)));
        Free(floats, halves, back);
    }

    // Between 1 and the next number, 1 + 2^-7: below, at and above the middle, and a tie that rounds up to even.
    [TestCase(1.00390613f, 1f)]
    [TestCase(1.00390625f, 1f)]
    [TestCase(1.00390637f, 1.0078125f)]
    [TestCase(1.01171875f, 1.015625f)]
    [TestCase(float.MaxValue, float.PositiveInfinity)]
    [TestCase(-1e-45f, -0f)]
    [TestCase(float.NaN, float.NaN)]
    public void ThereAndBackRoundsOnceToBf16(float x, float rounded)
    {
        DeviceArray floats = Device.From([x, 3]), halves = Device.Allocate(2, ElementType.BFloat16),
            back = Device.Allocate(2);

        Cast.Forward(floats, halves);
        Cast.Forward(halves, back);

        var expected = new double[2];
        CastReference.Forward([x, 3], expected, ElementType.BFloat16);
        Assert.That(Device.ToFloats(back), Is.EqualTo(new[] { rounded, 3 }));
        Assert.That(Device.ToFloats(back), Is.EqualTo(Doubles.Rounded(expected)));
        Assert.That(Device.ToFloats(halves), Is.EqualTo(new[] { rounded, 3 }));
        Free(floats, halves, back);
    }

    [Test]
    public void OneOf16BitsIsNotMadeIntoTheOther()
    {
        DeviceArray x = Device.Allocate(4, ElementType.Float16), y = Device.Allocate(4, ElementType.BFloat16);
        Assert.That(() => Cast.Forward(x, y),
            Throws.ArgumentException.With.Message.Contains("y is BFloat16, expected Float32 or Float16"));
        Free(x, y);
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
        Assert.That(() => Cast.Forward(x, y),
            Throws.ArgumentException.With.Message.Contains("x is Int32, expected Float32 or a 16-bit format"));
        Free(x, y);
    }
}
