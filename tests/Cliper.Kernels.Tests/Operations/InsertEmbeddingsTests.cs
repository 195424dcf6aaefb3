using Cliper.Kernels.Cpu;
using Cliper.Kernels.Memory;
using Cliper.Kernels.Operations;

namespace Cliper.Kernels.Tests.Operations;

public sealed class InsertEmbeddingsTests(SimdLevel level) : HostDevices(level)
{
    [Test]
    public void ReplacesTokensAndSplitsTheGradient([Values(1, 3, 19)] int width, [Values(0, 2, 4)] int start,
        [Values(0, 1)] int inserted,
        [Values] bool accumulate)
    {
        const int Sequences = 3, Tokens = 5;
        float[] x = Random(Sequences * Tokens * width, 1), insert = Random(Sequences * inserted * width, 2),
            dy = Random(x.Length, 3),
            beforeX = Random(x.Length, 4), beforeInsert = Random(insert.Length, 5);
        var sizes = new InsertEmbeddings.Sizes(Sequences, Tokens, inserted, start, width);
        double[] y = new double[x.Length], dx = Doubles.Before(beforeX, accumulate),
            dinsert = Doubles.Before(beforeInsert, accumulate);
        InsertEmbeddingsReference.Forward(Doubles.Of(x), Doubles.Of(insert), y, sizes);
        InsertEmbeddingsReference.Backward(Doubles.Of(dy), dx, dinsert, sizes);
        DeviceArray ax = Device.From(x), ai = Device.From(insert), ay = Device.Allocate(x.Length),
            ady = Device.From(dy),
            adx = Device.From(beforeX), adi = Device.From(beforeInsert);

        InsertEmbeddings.Forward(ax, ai, ay, sizes);
        InsertEmbeddings.Backward(ady, new(adx, accumulate), new(adi, accumulate),
            sizes);

        // Copies and single sums: exact.
        Assert.That(Device.ToFloats(ay), Is.EqualTo(Doubles.Rounded(y)));
        Assert.That(Device.ToFloats(adx), Is.EqualTo(Doubles.Rounded(dx)));
        Assert.That(Device.ToFloats(adi), Is.EqualTo(Doubles.Rounded(dinsert)));
        Free(ax, ai, ay, ady, adx, adi);
    }

    [Test]
    public void ThreadsDoNotChangeABit() => AssertSameBits(device =>
    {
        const int Sequences = 41, Tokens = 11, Inserted = 4, Start = 5, Width = 203;
        DeviceArray x = device.From(Random(Sequences * Tokens * Width, 1)),
            insert = device.From(Random(Sequences * Inserted * Width, 2)),
            dy = device.From(Random(x.Length, 3)), y = device.Allocate(x.Length), dx = device.From(Random(x.Length, 4)),
            dinsert = device.From(Random(insert.Length, 5));
        InsertEmbeddings.Forward(x, insert, y, new(Sequences, Tokens, Inserted, Start, Width));
        InsertEmbeddings.Backward(dy, new(dx, Accumulate: true), new(dinsert, Accumulate: true),
            new(Sequences, Tokens, Inserted, Start, Width));
        return [y, dx, dinsert];
    });

    [Test]
    public void TheGradientByTheSequenceMayTakeThePlaceOfTheOutputs()
    {
        float[] dy = Random(2 * 3 * 5, 1);
        DeviceArray gradient = Device.From(dy);
        InsertEmbeddings.Backward(gradient, gradient, default, new(2, 3, 1, 1, 5));
        Assert.That(Device.ToFloats(gradient), Is.EqualTo(dy.Select((value, i) => i / 5 % 3 == 1 ? 0 : value)));
        Free(gradient);
    }

    [Test]
    public void ANaNStaysInItsPlaceAndOneThatIsReplacedIsGone()
    {
        DeviceArray x = Device.From([float.NaN, 1, float.NaN, float.PositiveInfinity]), insert = Device.From([2f]),
            y = Device.Allocate(4);
        InsertEmbeddings.Forward(x, insert, y, new(1, 4, 1, 2, 1));
        Assert.That(Device.ToFloats(y), Is.EqualTo(new[] { float.NaN, 1, 2, float.PositiveInfinity }));
        Free(x, insert, y);
    }

    [Test]
    public void TokensBeyondTheEndAreAnError()
    {
        DeviceArray x = Device.Allocate(10), insert = Device.Allocate(4);
        Assert.That(() => InsertEmbeddings.Forward(x, insert, x, new(1, 5, 2, 4, 2)),
            Throws.InstanceOf<ArgumentOutOfRangeException>().With.Message.Contains("tokens [4, 6) of 5"));
        Free(x, insert);
    }
}
