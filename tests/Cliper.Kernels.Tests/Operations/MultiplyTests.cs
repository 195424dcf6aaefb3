using Cliper.Kernels.Cpu;
using Cliper.Kernels.Memory;
using Cliper.Kernels.Operations;

namespace Cliper.Kernels.Tests.Operations;

public sealed class MultiplyTests(SimdLevel level) : HostDevices(level)
{
    [Test]
    public void IsTheProductWithItsGradients([Values(1, 17, 64, 16385)] int count, [Values] bool broadcast,
        [Values] bool accumulate)
    {
        float[] a = Random(count, 1), b = Random(broadcast ? 1 : count, 2), dy = Random(count, 3),
            beforeA = Random(count, 4),
            beforeB = Random(b.Length, 5);
        double[] y = new double[count], da = Doubles.Before(beforeA, accumulate),
            db = Doubles.Before(beforeB, accumulate);
        MultiplyReference.Forward(Doubles.Of(a), Doubles.Of(b), y);
        MultiplyReference.Backward(Doubles.Of(a), Doubles.Of(b), Doubles.Of(dy), da, db);
        DeviceArray aa = Device.From(a), ab = Device.From(b), ay = Device.Allocate(count), ady = Device.From(dy),
            ada = Device.From(beforeA), adb = Device.From(beforeB);

        Multiply.Forward(aa, ab, ay);
        Multiply.Backward(aa, ab, ady, new(ada, accumulate), new(adb, accumulate));

        double u = Math.Pow(2, -24);
        AssertClose(Device.ToFloats(ay), y, u, "y");
        AssertClose(Device.ToFloats(ada), da, 4 * u, "da");
        // A sum of products: random-walk growth with the root of the count.
        AssertClose(Device.ToFloats(adb), db, 4 * u * (2 + (b.Length == 1 ? Math.Sqrt(count) : 0)), "db");
        Free(aa, ab, ay, ady, ada, adb);
    }

    [Test]
    public void ThreadsDoNotChangeABit([Values] bool broadcast) => AssertSameBits(device =>
    {
        const int Count = 100_003;
        DeviceArray a = device.From(Random(Count, 1)), b = device.From(Random(broadcast ? 1 : Count, 2)),
            dy = device.From(Random(Count, 3)),
            y = device.Allocate(Count), da = device.Allocate(Count), db = device.Allocate(b.Length);
        Multiply.Forward(a, b, y);
        Multiply.Backward(a, b, dy, da, db);
        return [y, da, db];
    });

    [Test]
    public void MayTakeThePlaceOfEitherOperand()
    {
        float[] a = Random(37, 1), b = Random(37, 2), expected = [.. a.Zip(b, (x, y) => x * y)];
        DeviceArray left = Device.From(a), right = Device.From(b), otherLeft = Device.From(a),
            otherRight = Device.From(b);
        Multiply.Forward(left, right, left);
        Multiply.Forward(otherLeft, otherRight, otherRight);
        Assert.That(Device.ToFloats(left), Is.EqualTo(expected));
        Assert.That(Device.ToFloats(otherRight), Is.EqualTo(expected));
        Free(left, right, otherLeft, otherRight);
    }

    [Test]
    public void ANaNStaysInItsPlaceAndZeroHidesNoInfinity()
    {
        DeviceArray a = Device.From([float.NaN, 1, float.PositiveInfinity]), b = Device.From([0f, 2, 0]),
            one = Device.From([float.NaN]),
            y = Device.Allocate(3), dy = Device.From([1f, 1, 1]), db = Device.Allocate(1);
        Multiply.Forward(a, b, y);
        Assert.That(Device.ToFloats(y), Is.EqualTo(new[] { float.NaN, 2, float.NaN }));
        Multiply.Backward(a, one, dy, default, db);
        Assert.That(Device.ToFloats(db), Has.All.NaN);
        Multiply.Forward(dy, one, y);
        Assert.That(Device.ToFloats(y), Has.All.NaN);
        Free(a, b, one, y, dy, db);
    }
}
