using Cliper.Kernels.Cpu;
using Cliper.Kernels.Memory;
using Cliper.Kernels.Operations;

namespace Cliper.Kernels.Tests.Operations;

public sealed class PhiloxTests(SimdLevel level) : HostDevices(level)
{
    // The known answers that the authors publish with Random123 (kat_vectors, philox4x32 10).
    [TestCase(0u, 0u, 0u, 0u, 0u, 0u, 0x6627e8d5u, 0xe169c58du, 0xbc57ac4cu, 0x9b00dbd8u)]
    [TestCase(0xffffffffu, 0xffffffffu, 0xffffffffu, 0xffffffffu, 0xffffffffu, 0xffffffffu, 0x408f276du, 0x41c83b0eu,
        0xa20bc7c6u, 0x6d5451fdu)]
    [TestCase(0x243f6a88u, 0x85a308d3u, 0x13198a2eu, 0x03707344u, 0xa4093822u, 0x299f31d0u, 0xd16cfe09u, 0x94fdccebu,
        0x5001e420u, 0x24126ea1u)]
    public void KnownAnswers(uint c0, uint c1, uint c2, uint c3, uint k0, uint k1, uint w0, uint w1,
        uint w2, uint w3) =>
        Assert.That(Philox.Block(c0, c1, c2, c3, ((ulong)k1 << 32) | k0), Is.EqualTo((w0, w1, w2, w3)));

    [Test]
    public void AStreamIsTheBlocksOfItsCounter()
    {
        var stream = new RandomStream(7, RandomPurpose.Augmentation, 3, 5);
        (uint a, uint b, uint c, uint d) = Philox.Block(0, 5, 3, (uint)RandomPurpose.Augmentation, 7);
        (uint e, _, _, _) = Philox.Block(1, 5, 3, (uint)RandomPurpose.Augmentation, 7);

        Assert.That(new[] { stream.NextWord(), stream.NextWord(), stream.NextWord(), stream.NextWord(),
            stream.NextWord() },
            Is.EqualTo(new[] { a, b, c, d, e }));
    }

    [Test]
    public void AnyPartOfTheKeyChangesTheNumbers()
    {
        uint[] firsts =
        [
            new RandomStream(1, RandomPurpose.Split, 1, 1).NextWord(), new RandomStream(2, RandomPurpose.Split, 1, 1)
            .NextWord(),
            new RandomStream(1, RandomPurpose.Shuffle, 1, 1).NextWord(), new RandomStream(1, RandomPurpose.Split, 2, 1)
            .NextWord(),
            new RandomStream(1, RandomPurpose.Split, 1, 2).NextWord(), new RandomStream(1ul << 40, RandomPurpose.Split,
            1, 1).NextWord(),
        ];
        Assert.That(firsts, Is.Unique);
    }

    // The mean of n uniforms deviates by 5 / sqrt(12 n) in fewer than one of a million seeds; the seed is fixed.
    [Test]
    public void UniformsFillTheirRangeEvenly([Values(1, 2, 3, 4, 5, 40_001)] int length)
    {
        DeviceArray y = Device.Allocate(length);
        Philox.Uniform(y, 11, RandomPurpose.Initialization, low: -2, high: 6);
        float[] values = Device.ToFloats(y);

        Assert.That(values, Has.All.InRange(-2f, MathF.BitDecrement(6f)));
        Assert.That(values.Average(v => (double)v), Is.EqualTo(2).Within(8 * 5 / Math.Sqrt(12.0 * length)));
        Free(y);
    }

    // Standard errors: mean 1/sqrt(n), second moment sqrt(2/n), fourth sqrt(96/n); five of each.
    [Test]
    public void NormalsHaveTheMomentsOfANormal()
    {
        const int Length = 100_001;
        DeviceArray y = Device.Allocate(Length);
        Philox.Normal(y, 12, RandomPurpose.Initialization, mean: 3, deviation: 2);
        double[] values = [.. Device.ToFloats(y).Select(v => (v - 3.0) / 2)];

        Assert.That(values.Average(), Is.EqualTo(0).Within(5 / Math.Sqrt(Length)));
        Assert.That(values.Average(v => v * v), Is.EqualTo(1).Within(5 * Math.Sqrt(2.0 / Length)));
        Assert.That(values.Average(v => v * v * v * v), Is.EqualTo(3).Within(5 * Math.Sqrt(96.0 / Length)));
        Free(y);
    }

    [Test]
    public void ThreadsDoNotChangeABit()
    {
        float[][] results = [.. new[] { 1, 2, 3 }.Select(threads =>
        {
            using var device = new CpuDevice(threads, Device.Level);
            DeviceArray y = device.Allocate(50_003);
            Philox.Normal(y, 5, RandomPurpose.Initialization);
            return device.ToFloats(y);
        })];

        Assert.That(results[1], Is.EqualTo(results[0]));
        Assert.That(results[2], Is.EqualTo(results[0]));
    }

    [Test]
    public void ExtremesOfTheWords()
    {
        Assert.That(Philox.ToUniform(0), Is.Zero);
        Assert.That(Philox.ToUniform(uint.MaxValue), Is.LessThan(1f));
        Assert.That(Philox.Scale(uint.MaxValue, 1000, 1000.0001f), Is.LessThan(1000.0001f));
        Assert.That(Philox.ToNormals(0, 0).A, Is.EqualTo(6.66f).Within(0.01f));
        Assert.That(Philox.ToNormals(uint.MaxValue, 7).A, Is.EqualTo(0f).Within(1e-9f));
    }

    [Test]
    public void IntegersAndShufflesAreEven()
    {
        var stream = new RandomStream(3, RandomPurpose.Shuffle);
        var counts = new int[7];
        for (int i = 0; i < 70_000; i++)
            counts[stream.NextInt(7)]++;
        // Binomial: deviation sqrt(70000 * 1/7 * 6/7) = 93; five of them.
        Assert.That(counts, Has.All.InRange(10_000 - 465, 10_000 + 465));

        var firsts = new int[5];
        for (uint sample = 0; sample < 10_000; sample++)
        {
            int[] values = [0, 1, 2, 3, 4];
            new RandomStream(3, RandomPurpose.Shuffle, 1, sample).Shuffle(values.AsSpan());
            Assert.That(values, Is.EquivalentTo(new[] { 0, 1, 2, 3, 4 }));
            firsts[values[0]]++;
        }
        Assert.That(firsts, Has.All.InRange(1800, 2200));
        Assert.That(() => new RandomStream(3, RandomPurpose.Shuffle).NextInt(0),
            Throws.InstanceOf<ArgumentOutOfRangeException>());
    }
}
