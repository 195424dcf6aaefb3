using Cliper.Kernels.Cpu;
using Cliper.Kernels.Memory;
using Cliper.Kernels.Operations;

namespace Cliper.Kernels.Tests.Operations;

public sealed class PlaceTests(SimdLevel level) : HostDevices(level)
{
    private const int Sequences = 3, Tokens = 5;

    // One after the other, at both ends, backwards; one in each sequence; none.
    private static readonly int[][] Places = [[1, 2, 0, 4, 3, 2], [0, 2, 4], []];

    [Test]
    public void ReplacesTokensAndSplitsTheGradient([Values(1, 3, 19)] int width, [Values(0, 1, 2)] int places,
        [Values] bool accumulate)
    {
        int[] slots = Places[places];
        var sizes = new Place.Sizes(Sequences, Tokens, slots.Length / Sequences, width);
        float[] x = Random(Sequences * Tokens * width, 1), insert = Random(slots.Length * width, 2),
            dy = Random(x.Length, 3), beforeX = Random(x.Length, 4), beforeInsert = Random(insert.Length, 5);
        double[] y = new double[x.Length], dx = Doubles.Before(beforeX, accumulate),
            dinsert = Doubles.Before(beforeInsert, accumulate);
        PlaceReference.Forward(Doubles.Of(x), Doubles.Of(insert), slots, y, sizes);
        PlaceReference.Backward(Doubles.Of(dy), slots, dx, dinsert, sizes);
        DeviceArray ax = Device.From(x), ai = Device.From(insert), at = Device.From(slots),
            ay = Device.Allocate(x.Length), ady = Device.From(dy), adx = Device.From(beforeX),
            adi = Device.From(beforeInsert);

        Place.Forward(ax, ai, at, ay, sizes);
        Place.Backward(ady, at, new(adx, accumulate), new(adi, accumulate), sizes);

        // Copies and single sums: exact.
        Assert.That(Device.ToFloats(ay), Is.EqualTo(Doubles.Rounded(y)));
        Assert.That(Device.ToFloats(adx), Is.EqualTo(Doubles.Rounded(dx)));
        Assert.That(Device.ToFloats(adi), Is.EqualTo(Doubles.Rounded(dinsert)));
        Free(ax, ai, at, ay, ady, adx, adi);
    }

    [Test]
    public void ThreadsDoNotChangeABit() => AssertSameBits(device =>
    {
        var sizes = new Place.Sizes(41, 11, 4, 203);
        DeviceArray x = device.From(Random(41 * 11 * 203, 1)), insert = device.From(Random(41 * 4 * 203, 2)),
            slots = device.From([.. Enumerable.Range(0, 41 * 4).Select(i => 2 * (i % 4) + i / 4 % 3)]),
            dy = device.From(Random(x.Length, 3)), y = device.Allocate(x.Length), dx = device.From(Random(x.Length, 4)),
            dinsert = device.From(Random(insert.Length, 5));
        Place.Forward(x, insert, slots, y, sizes);
        Place.Backward(dy, slots, new(dx, Accumulate: true), new(dinsert, Accumulate: true), sizes);
        return [y, dx, dinsert];
    });

    [Test]
    public void TheGradientByTheSequenceMayTakeThePlaceOfTheOutputs()
    {
        float[] dy = Random(2 * 3 * 5, 1);
        DeviceArray gradient = Device.From(dy), slots = Device.From([1, 1]);
        Place.Backward(gradient, slots, gradient, default, new(2, 3, 1, 5));
        Assert.That(Device.ToFloats(gradient), Is.EqualTo(dy.Select((value, i) => i / 5 % 3 == 1 ? 0 : value)));
        Free(gradient, slots);
    }

    [Test]
    public void ANaNStaysInItsPlaceAndOneThatIsReplacedIsGone()
    {
        DeviceArray x = Device.From([float.NaN, 1, float.NaN, float.PositiveInfinity]), insert = Device.From([2f]),
            slots = Device.From([2]), y = Device.Allocate(4);
        Place.Forward(x, insert, slots, y, new(1, 4, 1, 1));
        Assert.That(Device.ToFloats(y), Is.EqualTo(new[] { float.NaN, 1, 2, float.PositiveInfinity }));
        Free(x, insert, slots, y);
    }

    [TestCase(5, 1, "slot 0 of sequence 0 is token 5 of 5")]
    [TestCase(3, -1, "slot 1 of sequence 0 is token -1 of 5")]
    [TestCase(3, 3, "slots 0 and 1 of sequence 0 are both token 3")]
    public void ASlotOutsideOrTwiceIsNamed(int first, int second, string message)
    {
        DeviceArray x = Device.Allocate(10), insert = Device.Allocate(4), slots = Device.From([first, second]),
            y = Device.Allocate(10);
        Assert.That(() => Place.Forward(x, insert, slots, y, new(1, 5, 2, 2)),
            Throws.InstanceOf<ArgumentOutOfRangeException>().With.Message.Contains(message));
        Assert.That(() => Place.Backward(x, slots, y, insert, new(1, 5, 2, 2)),
            Throws.InstanceOf<ArgumentOutOfRangeException>().With.Message.Contains(message));
        Free(x, insert, slots, y);
    }
}
