using System.Numerics.Tensors;
using System.Runtime.InteropServices;

namespace Cliper.Kernels.Memory;

/// <summary>Numbers of <see cref="ElementType.BFloat16"/> as their bits: the upper half of those of fp32.</summary>
public static class BFloat16
{
    /// <summary>Rounds to nearest, ties to even; NaN stays NaN.</summary>
    public static ushort ToBits(float value)
    {
        uint bits = BitConverter.SingleToUInt32Bits(value);
        return float.IsNaN(value) ? (ushort)(bits >> 16 | 0x40)
            : (ushort)(bits + 0x7fff + (bits >> 16 & 1) >> 16);
    }

    /// <summary>Rounds each number of <paramref name="source"/> like <see cref="ToBits(float)"/>.</summary>
    public static void ToBits(ReadOnlySpan<float> source, Span<ushort> target)
    {
        for (int i = 0; i < source.Length; i++)
            target[i] = ToBits(source[i]);
    }

    /// <summary>Widens to fp32, exactly.</summary>
    public static float FromBits(ushort bits) => BitConverter.UInt32BitsToSingle((uint)bits << 16);

    /// <summary>
    /// Widens each number of <paramref name="source"/>; <paramref name="target"/> has the same length.
    /// </summary>
    public static void FromBits(ReadOnlySpan<ushort> source, Span<float> target)
    {
        Span<uint> bits = MemoryMarshal.Cast<float, uint>(target);
        TensorPrimitives.ConvertTruncating(source, bits);
        TensorPrimitives.ShiftLeft(bits, 16, bits);
    }
}
