using Cliper.Kernels.Memory;
using Cliper.Kernels.Operations;

namespace Cliper.Gpu.Tests.Operations;

/// <summary>
/// Attention and its gradients, on tensor cores and without, against loops in double over the same numbers of 16 bits.
/// </summary>
/// <remarks>
/// The kernels round these to 16 bits on the way: the probabilities p and the scores' gradients g = p (dp - D), and D
/// comes from an output that was Stored so. Each such rounding errs by at most u16 of the number, by u16 / sqrt(3) as a
/// standard deviation, independently of the others. An element of a result is a sum over them, whose error has the
/// standard deviation of the square root of the summed squares: the loops add those up beside the sums, in units of
/// u16, and three times that is allowed (five standard deviations). It thus grows with the length and the values as the
/// result does, and is some u16 of it: an error of a thousandth of a gradient shows at every length. The result's own
/// rounding comes on top. What is fp32 (scores, exponentials, sums) errs by a few hundred times less.
/// </remarks>
[TestFixture(true, ElementType.Float16)]
[TestFixture(false, ElementType.Float16)]
[TestFixture(true, ElementType.BFloat16)]
[Parallelizable(ParallelScope.Self)]
public sealed class AttentionTests(bool tensorCores, ElementType stored) : GpuFixture(stored)
{
    protected override bool UsesTensorCores => tensorCores;

    private const double Deviations = 3;

    // Lengths of OpenAI's models: patches of 32, 16 and 14 pixels, of 14 at 336 pixels, texts; and those at the edges
    // of tiles of 64.
    [TestCase(1, 2, 64, 17, 17, false, 0)]
    [TestCase(2, 1, 64, 50, 50, false, 0)]
    [TestCase(1, 2, 64, 77, 77, true, 0)]
    [TestCase(1, 1, 64, 64, 64, true, 0)]
    [TestCase(1, 1, 64, 130, 130, true, 0)]
    [TestCase(1, 1, 64, 197, 197, false, 0)]
    [TestCase(1, 1, 64, 197, 197, true, 0)]
    [TestCase(1, 1, 64, 257, 257, false, 0)]
    [TestCase(1, 1, 64, 577, 577, false, 0)]
    [TestCase(1, 1, 64, 577, 577, true, 0)]
    [TestCase(2, 3, 16, 10, 10, false, 0)]
    [TestCase(3, 2, 40, 1, 65, false, 0)]
    [TestCase(3, 2, 64, 1, 70, false, 30)]
    [TestCase(3, 1, 24, 20, 90, false, 40)]
    // Nothing for tensor cores: rows that begin at any element.
    [TestCase(2, 3, 13, 34, 34, true, 0)]
    // Each key larger than those before: the largest score grows by more than a factor of 2^8 from tile to tile, or
    // group to group.
    [TestCase(1, 1, 64, 70, 197, false, 0, 16)]
    [TestCase(1, 1, 64, 77, 77, true, 0, 4)]
    public void BothWays(int samples, int heads, int headSize, int queries, int keys, bool causal, int shortest,
        int growth = 0)
    {
        var sizes = new Attention.Sizes(samples, heads, headSize, queries, keys, causal);
        int width = heads * headSize;
        int[] lengths = [.. Enumerable.Range(0, samples).Select(sample => shortest == 0 ? keys
            : Math.Min(keys, shortest + 17 * sample))];
        // Queries up to 4: scores have a standard deviation of 1.3, and probabilities differ a hundredfold.
        float[] q = Random((long)samples * queries * width, 1, scale: 4), kv = Random(2L * samples * keys * width, 2),
            d = Random((long)samples * queries * width, 3);
        for (int at = 0; growth > 0 && at < kv.Length; at += 2 * width)
            for (int c = 0; c < width; c++)
                kv[at + c] *= 1 + at / (2 * width) / growth;
        kv = Rounded(kv);
        AttentionReference expected = AttentionReference.Of(sizes, lengths, new(0, width, 0, 2 * width),
            (Doubles.Of(q), Doubles.Of(kv), Doubles.Of(d)), Tiny / U16);

        DeviceArray queriesOf = Halves(q), keysAndValues = Halves(kv), doutput = Halves(d),
            visible = shortest == 0 ? default : Device.From(lengths),
            output = Device.Allocate(q.Length, Stored), logSumExp = Device.Allocate(sizes.Statistics);
        Attention.Forward(sizes, new(Whole(queriesOf), Part(keysAndValues, 0), Part(keysAndValues, width), visible),
            Whole(output), logSumExp);
        Assert.Multiple(() =>
        {
            AssertWithin(output, expected.Output, null, "output");
            // A score is a sum of fp32 products up to 16 in size; the exponential and the logarithm err by 2^-22.
            AssertClose(Device.ToFloats(logSumExp), expected.LogSumExp, value =>
                64 * U32 * Math.Max(1, Math.Abs(value)), "log-sum-exp");
        });

        // Gradients where there were some already in half of the runs: longer ones run once.
        foreach (bool accumulate in queries < 100 ? new[] { false, true } : [causal])
        {
            float[] beforeQ = Random(q.Length, 4), beforeKv = Random(kv.Length, 5);
            DeviceArray dq = Halves(beforeQ), dkv = Halves(beforeKv);
            Attention.Backward(sizes,
                new(Whole(queriesOf), Part(keysAndValues, 0), Part(keysAndValues, width), visible), logSumExp,
                Whole(doutput), new(To(Whole(dq)), To(Part(dkv, 0)), To(Part(dkv, width))), Whole(output));
            Assert.Multiple(() =>
            {
                AssertWithin(dq, expected.Dq, accumulate ? beforeQ : null, "dq");
                AssertWithin(dkv, expected.Dkv, accumulate ? beforeKv : null, "dk and dv");
            });
            Free(dq, dkv);

            Attention.OperandGradient To(Attention.Operand place) =>
                new(new(place.Array, accumulate), place.Offset, place.Stride);
        }
        Free(queriesOf, keysAndValues, doutput, visible, output, logSumExp);

        Attention.Operand Whole(DeviceArray array) => new(array, 0, width);
        // Keys and values lie beside each other, as the model has them.
        Attention.Operand Part(DeviceArray array, int offset) => new(array, offset, 2 * width);
    }

    [Test]
    public void ANotANumberInAQueryStaysInItsRow([Values(false, true)] bool causal)
    {
        // In the last of the rows, whose tile has padding, and in one of the first.
        const int Rows = 70, Size = 64;
        int[] bad = [3, 69];
        var sizes = new Attention.Sizes(1, 1, Size, Rows, Rows, causal);
        float[] q = Random(Rows * Size, 1);
        foreach (int row in bad)
            q[row * Size + 17] = float.NaN;
        DeviceArray array = Halves(q), other = Halves(Random(Rows * Size, 2)),
            output = Device.Allocate(Rows * Size, Stored),
            logSumExp = Device.Allocate(Rows);

        Attention.Forward(sizes, new(Of(array), Of(other), Of(other)), Of(output), logSumExp);

        int[] spoilt = [.. Device.ToFloats(output).Index().Where(value => float.IsNaN(value.Item)).Select(value =>
            value.Index / Size)],
            statistics = [.. Device.ToFloats(logSumExp).Index().Where(value => float.IsNaN(value.Item)).Select(value =>
            value.Index)];
        Assert.That(spoilt, Is.EqualTo(bad.SelectMany(row => Enumerable.Repeat(row, Size))));
        Assert.That(statistics, Is.EqualTo(bad));
        Free(array, other, output, logSumExp);

        static Attention.Operand Of(DeviceArray values) => new(values, 0, Size);
    }

    private void AssertWithin(DeviceArray array, AttentionReference.Sums expected, float[]? before, string what)
    {
        float[] actual = Device.ToFloats(array);
        double worst = 0;
        int at = 0;
        for (int i = 0; i < actual.Length; i++)
        {
            double value = expected.Values[i] + (before?[i] ?? 0);
            double bound = U16 * (Deviations * Math.Sqrt(expected.Variances[i]) + Math.Abs(value)) + Tiny;
            double ratio = Math.Abs(actual[i] - value) / bound;
            // Not the larger of the two: NaN must not be lost.
            if (!(ratio <= worst))
                (worst, at) = (ratio, i);
        }
        TestContext.Out.WriteLine($"{what}: {worst:F2} of the bound");
        Assert.That(worst, Is.LessThanOrEqualTo(1),
            $"{what}[{at}] is {actual[at]}, expected {expected.Values[at] + (before?[at] ?? 0)}");
    }
}
