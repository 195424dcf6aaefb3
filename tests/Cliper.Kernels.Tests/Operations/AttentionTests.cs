using Cliper.Kernels.Cpu;
using Cliper.Kernels.Memory;
using Cliper.Kernels.Operations;

namespace Cliper.Kernels.Tests.Operations;

public sealed class AttentionTests(SimdLevel level) : HostDevices(level)
{
    private const double Unit = 1.0 / (1 << 24);

    // For entries in [-1, 1). A score is a sum of d products, divided by sqrt(d): its error is within Unit * 4 sqrt(d)
    // (random-walk growth times 4) over sqrt(d), hence 4 Unit, to which the exponential adds 4 Unit (2e-7) and the
    // sum's rounding one a doubling; all are relative errors of a probability, which an output averages over values
    // below 1.
    private static double ProbabilityError(int keys) => Unit * (4 + 4 + Math.Log2(keys + 1));

    private static double ForwardBound(int keys) => ProbabilityError(keys) + 4 * Unit;

    // dp is a sum of d products (size sqrt(d), error 4 sqrt(d) Unit), ds = p (dp - D) / sqrt(d) has the relative error
    // of p and of dp, and p sums to 1 over keys: dq within twice (p's and dp's errors). A key gathers up to `queries`
    // such terms.
    private static double QueryGradientBound(int keys) => 4 * (ProbabilityError(keys) + 8 * Unit);

    private static double KeyGradientBound(int queries, int keys) => QueryGradientBound(keys) * Math.Sqrt(queries);

    [Test]
    public void SelfAttentionIsTheFormula([Values(1, 2, 7, 17, 37, 50, 77, 197)] int tokens, [Values] bool causal,
        [Values(64, 32, 20)] int headSize)
    {
        Compare(new Attention.Sizes(tokens > 100 ? 1 : 2, 3, headSize, tokens, tokens, causal), null,
            accumulate: false);
    }

    [TestCase(1, 1, 5, false)]
    [TestCase(3, 70, 64, true)]
    [TestCase(40, 9, 20, false)]
    [TestCase(65, 33, 16, true)]
    public void QueriesAndKeysMayDifferInNumber(int queries, int keys, int headSize, bool accumulate)
    {
        Compare(new Attention.Sizes(2, 2, headSize, queries, keys, false), null, accumulate);
    }

    [Test]
    public void KeysBeyondALengthDoNotCount([Values(64, 20)] int headSize, [Values] bool accumulate)
    {
        Compare(new Attention.Sizes(4, 2, headSize, 9, 21, false), [1, 21, 16, 5], accumulate);
    }

    [Test]
    public void GradientsAdd([Values(8, 37)] int tokens, [Values(64, 20)] int headSize, [Values] bool causal)
    {
        Compare(new Attention.Sizes(2, 2, headSize, tokens, tokens, causal), null, accumulate: true);
    }

    [Test]
    public void LargeScoresDoNotOverflow()
    {
        // Scores up to 64 * 10 * 10 / 8 = 800, of which e^x is infinite; the error of a score grows with it.
        Compare(new Attention.Sizes(1, 1, 64, 19, 23, false), null, false, size: 10);
    }

    [Test]
    public void ThreadsDoNotChangeABit([Values] bool causal)
    {
        var sizes = new Attention.Sizes(3, 5, 32, 37, 37, causal);
        float[] qkv = Random(3 * 37 * 480, 1), doutput = Random(3 * 37 * 160, 2);
        float[][] results = [.. new[] { 1, 2, 3 }.Select(threads =>
        {
            using var device = new CpuDevice(threads, Device.Level);
            DeviceArray x = device.From(qkv), dx = device.Allocate(qkv.Length), y = device.Allocate(doutput.Length);
            DeviceArray lse = device.Allocate(sizes.Statistics);
            Attention.Forward(sizes, new(new(x, 0, 480), new(x, 160, 480), new(x, 320, 480)), new(y, 0, 160), lse);
            Attention.Backward(sizes, new(new(x, 0, 480), new(x, 160, 480), new(x, 320, 480)), lse,
                new(device.From(doutput), 0, 160), new(new(dx, 0, 480), new(dx, 160, 480), new(dx, 320, 480)));
            return (float[])[.. device.ToFloats(y), .. device.ToFloats(dx)];
        })];

        Assert.That(results[1], Is.EqualTo(results[0]));
        Assert.That(results[2], Is.EqualTo(results[0]));
    }

    [Test]
    public void ANaNInAQueryStaysInItsRow()
    {
        float[] qkv = Random(20 * 24, 1);
        qkv[7 * 24 + 3] = float.NaN;
        DeviceArray x = Device.From(qkv), y = Device.Allocate(20 * 8);

        Attention.Forward(new(1, 1, 8, 20, 20, true), new(new(x, 0, 24), new(x, 8, 24), new(x, 16, 24)), new(y, 0, 8),
            default);

        float[] values = Device.ToFloats(y);
        Assert.That(values[..56].Concat(values[64..]), Has.None.NaN);
        Assert.That(values[56..64], Has.All.NaN);
        Free(x, y);
    }

    [Test]
    public void WrongSizesAreNamed()
    {
        DeviceArray x = Device.Allocate(2 * 5 * 24), y = Device.Allocate(2 * 5 * 8), lengths = Device.From([3, 0]);
        Attention.Operand q = new(x, 0, 24), k = new(x, 8, 24), v = new(x, 16, 24), output = new(y, 0, 8);
        Assert.That(() => Attention.Forward(new(2, 2, 4, 5, 5, false), new(q, k, v, lengths), output, default),
            Throws.ArgumentException.With.Message.Contains("a key length is 0, expected 1 to 5"));
        Assert.That(() => Attention.Forward(new(2, 2, 4, 5, 4, true), new(q, k, v), output, default),
            Throws.ArgumentException.With.Message.Contains("5 queries to 4 keys"));
        Assert.That(() => Attention.Forward(new(2, 2, 4, 5, 5, false), new(q, k, v), output, y),
            Throws.ArgumentException.With.Message.Contains("logSumExp has 80 elements, expected 20"));
        Assert.That(() => Attention.Forward(new(3, 2, 4, 5, 5, false), new(q, k, v), output, default),
            Throws.ArgumentException.With.Message.Contains("q has 240 elements, needs 344"));
        Free(x, y, lengths);
    }

    private void Compare(Attention.Sizes sizes, int[]? lengths, bool accumulate, float size = 1)
    {
        // Queries, keys and values lie in rows of different strides with a gap, so that a wrong one reads something
        // else.
        int width = sizes.Heads * sizes.HeadSize, queryRows = sizes.Samples * sizes.Queries, keyRows = sizes.Samples
            * sizes.Keys;
        int queryStride = width + 3, keyStride = 2 * width + 5;
        float[] q = Random((long)queryRows * queryStride, 1), kv = Random((long)keyRows * keyStride, 2);
        float[] doutput = Random((long)queryRows * width, 3), beforeQ = Random(q.Length, 4),
            beforeKv = Random(kv.Length, 5);
        for (int i = 0; i < q.Length; i++)
            q[i] *= size;
        for (int i = 0; i < kv.Length; i++)
            kv[i] *= i % keyStride < width + 1 ? size : 1;
        DeviceArray aq = Device.From(q), akv = Device.From(kv), ao = Device.Allocate(doutput.Length),
            ado = Device.From(doutput);
        DeviceArray adq = Device.From(beforeQ), adkv = Device.From(beforeKv), lse = Device.Allocate(sizes.Statistics);
        DeviceArray al = lengths is null ? default : Device.From(lengths);
        Attention.Operand oq = new(aq, 2, queryStride), ok = new(akv, 1, keyStride),
            ov = new(akv, 1 + width, keyStride);
        AttentionReference expected = AttentionReference.Of(sizes,
            lengths ?? [.. Enumerable.Repeat(sizes.Keys, sizes.Samples)], new(2, queryStride, 1, keyStride),
            (Doubles.Of(q), Doubles.Of(kv), Doubles.Of(doutput)));

        Attention.Forward(sizes, new(oq, ok, ov, al), new(ao, 0, width), lse);
        Attention.Backward(sizes, new(oq, ok, ov, al), lse, new(ado, 0, width),
            new(new(new(adq, accumulate), 2, queryStride), new(new(adkv, accumulate), 1, keyStride),
                new(new(adkv, accumulate), 1 + width, keyStride)));

        // Scores grow with the square of the entries, so their absolute errors do, which are a probability's relative
        // ones.
        double growth = (double)size * size;
        AssertClose(Device.ToFloats(ao), expected.Output.Values, growth * ForwardBound(sizes.Keys), "output");
        AssertClose(Device.ToFloats(adq), Written(beforeQ, expected.Dq, queryStride, 2, width),
            growth * size * QueryGradientBound(sizes.Keys), "dq");
        AssertClose(Device.ToFloats(adkv), Written(beforeKv, expected.Dkv, keyStride, 1, 2 * width),
            growth * size * KeyGradientBound(sizes.Queries, sizes.Keys), "dkv");
        Free(aq, akv, ao, ado, adq, adkv, lse, al);

        // In the gaps of the rows the kernel must have left what was before.
        double[] Written(float[] before, AttentionReference.Sums sums, int stride, int first, int count) =>
            [.. before.Select((value, i) => i % stride >= first && i % stride < first + count
                ? sums.Values[i] + (accumulate ? value : 0) : value)];
    }
}
