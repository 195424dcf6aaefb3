using Cliper.Kernels.Cpu;
using Cliper.Kernels.Memory;
using Cliper.Kernels.Operations;

namespace Cliper.Kernels.Tests.Operations;

/// <summary>The vectorized rounding against <see cref="BFloat16.ToBits(float)"/>, bit for bit.</summary>
public sealed unsafe class Bf16PackingTests
{
    // Ties of even and odd upper halves, their neighbors, and what rounds to no other number.
    private static readonly uint[] LowerHalves = [0, 1, 0x7fff, 0x8000, 0x8001, 0xffff];

    [Test]
    public void EveryUpperHalfIsRoundedToNearestEven([Values] bool transposed)
    {
        if (SimdLevels.Best != SimdLevel.Avx512)
            Assert.Ignore("needs AVX-512: other levels call ToBits itself");
        const int Lanes = 32;
        float[] values = [.. Enumerable.Range(0, 1 << 16).SelectMany(upper => LowerHalves.Select(lower =>
            BitConverter.UInt32BitsToSingle((uint)upper << 16 | lower)))];
        int ks = values.Length / Lanes;
        var packed = new uint[ks / 2 * Lanes];
        fixed (float* source = values)
        fixed (uint* target = packed)
            Packing.PackPairs<Lanes512>(source, transposed ? ks : 1, transposed ? 1 : Lanes, Lanes, Lanes, ks,
                (float*)target);

        for (int k = 0; k < ks; k++)
            for (int lane = 0; lane < Lanes; lane++)
            {
                ushort actual = (ushort)(packed[k / 2 * Lanes + lane] >> k % 2 * 16);
                float value = values[transposed ? lane * ks + k : k * Lanes + lane];
                if (actual != BFloat16.ToBits(value))
                    Assert.Fail($"{value:R} became {actual:x4}, expected {BFloat16.ToBits(value):x4}");
            }
    }
}
