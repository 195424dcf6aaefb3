using Cliper.Kernels.Cpu;
using Cliper.Kernels.Memory;
using Cliper.Kernels.Operations;

namespace Cliper.Kernels.Tests.Operations;

/// <summary>Attention of bf16 operands on the CPU, against fp32 of the same rounded operands.</summary>
public sealed class Bf16AttentionTests(SimdLevel? emulated) : Bf16Devices(emulated)
{
    // Operands are rounded already, so probabilities and the scores' gradients alone are: by at most u16 = 2^-8 of
    // each. Entries lie in [-1, 1). An output averages values by probabilities, hence u16. A score's gradient is
    // p (dp - delta) / sqrt(d), at most 2 p (six standard deviations of dp), hence 2 u16 for dq. A key gathers as many
    // roundings as there are queries, which add up like a random walk. fp32 adds 1 % of all this.
    private const double Unit = 1.01 / (1 << 8);

    [Test]
    public void AttentionIsThatOfRoundedOperands([Values(1, 2, 17, 33, 50, 77)] int tokens, [Values] bool causal,
        [Values(64, 20)] int headSize)
    {
        Compare(new Attention.Sizes(2, 3, headSize, tokens, tokens, causal), null, accumulate: false);
    }

    [TestCase(3, 70, 64, true)]
    [TestCase(40, 9, 20, false)]
    [TestCase(65, 33, 16, true)]
    public void QueriesAndKeysMayDifferInNumber(int queries, int keys, int headSize, bool accumulate)
    {
        Compare(new Attention.Sizes(2, 2, headSize, queries, keys, false), null, accumulate);
    }

    [Test]
    public void KeysBeyondALengthDoNotCount([Values] bool accumulate) =>
        Compare(new Attention.Sizes(4, 2, 20, 9, 21, false), [1, 21, 16, 5], accumulate);

    [Test]
    public void ThreadsDoNotChangeABit()
    {
        var sizes = new Attention.Sizes(2, 3, 20, 37, 37, false);
        using CpuDevice one = NewDevice(1), three = NewDevice(3);

        Assert.That(Results(three, sizes, null, false), Is.EqualTo(Results(one, sizes, null, false)));
    }

    private void Compare(Attention.Sizes sizes, int[]? lengths, bool accumulate)
    {
        using var plain = new CpuDevice(1);
        float[][] actual = Results(Device, sizes, lengths, accumulate);
        float[][] expected = Results(plain, sizes, lengths, accumulate);
        double ofKey = 2 * Unit * Math.Sqrt(sizes.Queries);
        foreach ((int i, double bound, string what) in new[]
        {
            (0, Unit, "output"), (1, 2 * Unit, "dq"), (2, ofKey, "dk"), (3, ofKey, "dv"),
        })
            AssertClose(actual[i], [.. expected[i].Select(value => (double)value)], bound, what);
    }

    private static float[][] Results(CpuDevice device, Attention.Sizes sizes, int[]? lengths, bool accumulate)
    {
        int width = sizes.Heads * sizes.HeadSize, queries = sizes.Samples * sizes.Queries * width,
            keys = sizes.Samples * sizes.Keys * width;
        DeviceArray q = Operand(queries, 1), k = Operand(keys, 2), v = Operand(keys, 3), dy = Operand(queries, 4);
        DeviceArray y = device.Allocate(queries), lse = device.Allocate(sizes.Statistics);
        DeviceArray dq = Operand(queries, 5), dk = Operand(keys, 6), dv = Operand(keys, 7);
        DeviceArray counts = lengths is null ? default : device.From(lengths);
        var inputs = new Attention.Inputs(new(q, 0, width), new(k, 0, width), new(v, 0, width), counts);

        Attention.Forward(sizes, inputs, new(y, 0, width), lse);
        Attention.Backward(sizes, inputs, lse, new(dy, 0, width), new(new(new(dq, accumulate), 0, width),
            new(new(dk, accumulate), 0, width), new(new(dv, accumulate), 0, width)));

        float[][] results = [device.ToFloats(y), device.ToFloats(dq), device.ToFloats(dk), device.ToFloats(dv)];
        foreach (DeviceArray array in new[] { q, k, v, dy, y, lse, dq, dk, dv, counts })
            device.Free(array);
        return results;

        DeviceArray Operand(int count, int seed) => device.From(Rounded(Numbers(count, seed)));
    }
}
