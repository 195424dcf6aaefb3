using Cliper.Kernels.Cpu;
using Cliper.Kernels.Memory;
using Cliper.Kernels.Operations;

namespace Cliper.Kernels.Tests.Operations;

public sealed class AddTests(SimdLevel level) : HostDevices(level)
{
    [Test]
    public void IsExactInPlaceOrNot([Values(0, 1, 17, 64, 16385, 50000)] int count)
    {
        float[] a = Random(count, 1), b = Random(count, 2), expected = Sum(a, b);
        DeviceArray aa = Device.From(a), ab = Device.From(b), ay = Device.Allocate(count);

        Add.Forward(aa, ab, ay);
        Add.Backward(aa, new(ab, Accumulate: true));
        Assert.That(Device.ToFloats(ay), Is.EqualTo(expected));
        double[] db = Doubles.Of(b);
        AddReference.Backward(Doubles.Of(a), db);
        Assert.That(Device.ToFloats(ab), Is.EqualTo(Doubles.Rounded(db)));
        Add.Backward(aa, ab);
        Assert.That(Device.ToFloats(ab), Is.EqualTo(a));
        Free(aa, ab, ay);
    }

    [Test]
    public void ThreadsDoNotChangeABit() => AssertSameBits(device =>
    {
        DeviceArray a = device.From(Random(100_003, 1)), b = device.From(Random(100_003, 2)),
            y = device.Allocate(100_003);
        Add.Forward(a, b, y);
        Add.Backward(a, new(b, Accumulate: true));
        return [y, b];
    });

    [Test]
    public void MayTakeThePlaceOfEitherOperand([Values(1, 17, 16387)] int count)
    {
        float[] a = Random(count, 1), b = Random(count, 2), expected = Sum(a, b);
        DeviceArray left = Device.From(a), right = Device.From(b), otherLeft = Device.From(a),
            otherRight = Device.From(b);
        Add.Forward(left, right, left);
        Add.Forward(otherLeft, otherRight, otherRight);
        Assert.That(Device.ToFloats(left), Is.EqualTo(expected));
        Assert.That(Device.ToFloats(otherRight), Is.EqualTo(expected));
        Free(left, right, otherLeft, otherRight);
    }

    // A sum in double rounded to fp32 is the sum in fp32.
    private static float[] Sum(float[] a, float[] b)
    {
        var y = new double[a.Length];
        AddReference.Forward(Doubles.Of(a), Doubles.Of(b), y);
        return Doubles.Rounded(y);
    }

    [Test]
    public void ANaNStaysInItsPlace()
    {
        DeviceArray a = Device.From([float.NaN, 1, float.PositiveInfinity]),
            b = Device.From([1, 2, float.NegativeInfinity]), y = Device.Allocate(3);
        Add.Forward(a, b, y);
        Assert.That(Device.ToFloats(y), Is.EqualTo(new[] { float.NaN, 3, float.NaN }));
        Free(a, b, y);
    }

    [Test]
    public void AWrongLengthIsNamed()
    {
        DeviceArray a = Device.Allocate(4), b = Device.Allocate(5);
        Assert.That(() => Add.Forward(a, b, a),
            Throws.ArgumentException.With.Message.Contains("b has 5 elements, expected 4"));
        Free(a, b);
    }
}
