using Cliper.Kernels.Memory;

namespace Cliper.Kernels.Cpu.MachineCode;

/// <summary>VDPBF16PS in ordinary arithmetic, with the same bits (a NaN may have another payload).</summary>
internal static unsafe class Bf16Emulation
{
    private const float SmallestNormal = 1.17549435e-38f;

    /// <summary>
    /// One lane: sum + a1 b1, rounded, then that + a0 b0, rounded. The manual says so, and a Zen 4 does it. Each is a
    /// fused multiply-add to nearest even. Subnormal operands count as zero, and subnormal results become zero.
    /// </summary>
    /// <param name="sum">The sum so far.</param>
    /// <param name="a">A pair: a1 in the upper half, a0 in the lower one.</param>
    /// <param name="b">Likewise.</param>
    public static float Add(float sum, uint a, uint b)
    {
        sum = Flush(MathF.FusedMultiplyAdd(Half(a >> 16), Half(b >> 16), Flush(sum)));
        return Flush(MathF.FusedMultiplyAdd(Half(a), Half(b), sum));
    }

    /// <summary>See <see cref="Bf16Kernels.Run"/>.</summary>
    public static void Run(int mr, int nr, int widthA, in Bf16Kernels.Operands operands)
    {
        uint* a = (uint*)operands.A, b = (uint*)operands.B;
        float* tile = (float*)operands.Tile;
        for (int row = 0; row < mr; row++)
            for (int column = 0; column < nr; column++)
            {
                float sum = 0;
                for (nint pair = 0; pair < operands.Pairs; pair++)
                    sum = Add(sum, a[pair * widthA + row], b[pair * nr + column]);
                tile[row * nr + column] = sum;
            }
    }

    private static float Half(uint bits) => Flush(BFloat16.FromBits((ushort)bits));

    private static float Flush(float x) => MathF.Abs(x) < SmallestNormal ? MathF.CopySign(0, x) : x;
}
