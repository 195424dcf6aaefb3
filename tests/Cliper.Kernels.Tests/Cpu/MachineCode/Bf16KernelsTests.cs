using System.ComponentModel;
using Cliper.Kernels.Cpu;
using Cliper.Kernels.Cpu.MachineCode;
using Cliper.Kernels.Memory;

namespace Cliper.Kernels.Tests.Cpu.MachineCode;

/// <summary>The emitted tiles against the emulation of VDPBF16PS, bit for bit.</summary>
public sealed unsafe class Bf16KernelsTests
{
    private const int Mr = 14, Nr = 32, WidthA = 16;

    // Zeros, the ends of the subnormal and normal numbers, one, infinity, NaN; of both signs.
    private static readonly ushort[] Special =
    [
        0x0000, 0x0001, 0x007f, 0x0080, 0x0081, 0x00ff, 0x1f80, 0x2000, 0x3f7f, 0x3f80, 0x3f81, 0x5f80, 0x7f7f, 0x7f80,
        0x7f81, 0x7fc0, 0x8000, 0x8001, 0x807f, 0x8080, 0x9f80, 0xbf80, 0xdf80, 0xff7f, 0xff80, 0xffc0,
    ];

    [Test]
    public void TenMillionRandomPairsAreTheEmulations([Values] bool anyBits)
    {
        // Sums of numbers of any bits soon are infinite or NaN and stay so: those have two pairs.
        const int Additions = 10_000_000;
        int pairs = anyBits ? 2 : 800;
        var random = new Random(1);
        using Bf16Kernels kernels = NewKernels();
        for (int done = 0; done < Additions; done += pairs * Mr * Nr)
            AssertSame(kernels, Mr, Words(pairs * WidthA), Words(pairs * Nr));

        uint[] Words(int count) => [.. Enumerable.Range(0, count).Select(_ => anyBits
            ? (uint)random.NextInt64(1L << 32)
            : (uint)BFloat16.ToBits(random.NextSingle() * 2 - 1) << 16 | BFloat16.ToBits(random.NextSingle() * 2 - 1))];
    }

    [Test]
    public void EverySpecialValueTimesEveryOtherIsTheEmulations()
    {
        // Each pair of the second operand's special values meets each special value of the first one in both halves,
        // after a sum that is itself special.
        foreach (ushort first in Special)
            foreach (ushort second in Special)
            {
                uint[] a = new uint[2 * WidthA], b = new uint[2 * Nr];
                for (int row = 0; row < Mr; row++)
                    (a[row], a[WidthA + row]) = (0x3f80u << 16, (uint)first << 16 | second);
                foreach (ushort sum in Special)
                {
                    for (int column = 0; column < Nr; column++)
                        (b[column], b[Nr + column]) = ((uint)sum << 16, (uint)Special[column % Special.Length] << 16
                            | Special[column * 7 % Special.Length]);
                    AssertSame(Mr, a, b);
                }
            }
    }

    [Test]
    public void SumsAtTheSmallestNormalNumberAreTheEmulations()
    {
        // Products of 2^-140 to 2^-110 around sums of 2^-126: results that are subnormal before rounding or after it.
        var random = new Random(2);
        for (int round = 0; round < 40; round++)
            AssertSame(Mr, Words(WidthA), Words(Nr));

        uint[] Words(int lanes) => [.. Enumerable.Range(0, 4 * lanes).Select(_ => Tiny() << 16 | Tiny())];
        uint Tiny() => (uint)(random.Next(127 - 70, 127 - 55) << 7 | random.Next(128) | random.Next(2) << 15);
    }

    [Test]
    public void EveryHeightComputesItsRows([Range(1, Mr)] int mr)
    {
        var random = new Random(3);
        AssertSame(mr, Words(5 * WidthA), Words(5 * Nr));

        uint[] Words(int count) => [.. Enumerable.Range(0, count).Select(_ => (uint)random.NextInt64(1L << 32))];
    }

    [Test]
    public void CodeIsFreedWithItsMemory()
    {
        // Each object maps memory of its own: so many would exhaust the system's mappings if they stayed.
        const byte Return = 0xC3;
        for (int i = 0; i < 70_000; i++)
            new ExecutableMemory([Return]).Dispose();
    }

    [Test]
    public void ARefusedMappingIsAnError() =>
        Assert.That(() => new ExecutableMemory([]), Throws.TypeOf<Win32Exception>().With.Message.Not.Empty);

    private static Bf16Kernels NewKernels()
    {
        if (Bf16Support.Missing is { } missing)
            Assert.Ignore($"no VDPBF16PS here: {missing}");
        return new Bf16Kernels();
    }

    private static void AssertSame(int mr, uint[] a, uint[] b)
    {
        using Bf16Kernels kernels = NewKernels();
        AssertSame(kernels, mr, a, b);
    }

    private static void AssertSame(Bf16Kernels kernels, int mr, uint[] a, uint[] b)
    {
        float[] actual = new float[Bf16Kernels.TileFloats], expected = new float[Bf16Kernels.TileFloats];
        fixed (uint* pa = a, pb = b)
        fixed (float* pActual = actual, pExpected = expected)
        {
            kernels.Run(mr, Nr, WidthA, new((nint)pa, (nint)pb, (nint)pActual, b.Length / Nr, (nint)pb, 0));
            Bf16Kernels.Emulating().Run(mr, Nr, WidthA,
                new((nint)pa, (nint)pb, (nint)pExpected, b.Length / Nr, 0, 0));
        }
        for (int i = 0; i < mr * Nr; i++)
            if (BitConverter.SingleToInt32Bits(actual[i]) != BitConverter.SingleToInt32Bits(expected[i])
                && !(float.IsNaN(actual[i]) && float.IsNaN(expected[i])))
                Assert.Fail($"row {i / Nr}, column {i % Nr}: {actual[i]:R}, emulated {expected[i]:R}");
    }
}
