using System.Runtime.CompilerServices;
using Cliper.Kernels.Devices;

namespace Cliper.Kernels.Ptx;

/// <summary>
/// A 16-bit format of numbers, as the type parameter of the kernels that store activations in it or multiply it on tensor cores. Sums are
/// fp32 with all of them.
/// </summary>
internal interface IFormat
{
    /// <summary>The number at an address.</summary>
    static abstract float Load(long address);

    /// <summary>Sets the number at an address, rounded to nearest.</summary>
    static abstract void Store(long address, float value);

    /// <summary>Two numbers, rounded to nearest, the first in the lower half.</summary>
    static abstract uint Pack(float low, float high);

    /// <summary>As <see cref="Pack"/>, in one instruction of cards with tensor cores for this.</summary>
    static abstract uint PackAtOnce(float low, float high);

    /// <summary>Two numbers of which the lower half comes first.</summary>
    static abstract F2 Unpack(uint pair);

    /// <summary>D = A B + C on tensor cores, see <see cref="Gpu.MmaFp16"/>.</summary>
    static abstract F4 Mma(F4 c, U4 a, uint b0, uint b1);

    /// <summary>D += A B on Hopper's tensor cores, see <see cref="Ptx.Wgmma.MultiplyAddFp16"/>.</summary>
    static abstract void Wgmma(long a, long b, int accumulate, int transposeA, int transposeB);
}

/// <summary>IEEE half precision: 11 bits of precision, up to 65504.</summary>
internal readonly struct Fp16 : IFormat
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Load(long address) => Gpu.LoadFp16(address);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(long address, float value) => Gpu.StoreFp16(address, value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static uint Pack(float low, float high) => Gpu.PackFp16(low, high);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static uint PackAtOnce(float low, float high) => Gpu.PackFp16AtOnce(low, high);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static F2 Unpack(uint pair) => Gpu.UnpackFp16(pair);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static F4 Mma(F4 c, U4 a, uint b0, uint b1) => Gpu.MmaFp16(c, a, b0, b1);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Wgmma(long a, long b, int accumulate, int transposeA, int transposeB) =>
        Ptx.Wgmma.MultiplyAddFp16(a, b, accumulate, transposeA, transposeB);
}

/// <summary>The upper half of fp32: its range, 8 bits of precision. Cards convert to it from compute capability 8.0 on.</summary>
internal readonly struct Bf16 : IFormat
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Load(long address) => Gpu.LoadBf16(address);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(long address, float value) => Gpu.StoreBf16(address, value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static uint Pack(float low, float high) => Gpu.PackBf16(low, high);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static uint PackAtOnce(float low, float high) => Gpu.PackBf16(low, high);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static F2 Unpack(uint pair) => Gpu.UnpackBf16(pair);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static F4 Mma(F4 c, U4 a, uint b0, uint b1) => Gpu.MmaBf16(c, a, b0, b1);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Wgmma(long a, long b, int accumulate, int transposeA, int transposeB) =>
        Ptx.Wgmma.MultiplyAddBf16(a, b, accumulate, transposeA, transposeB);
}

/// <summary>The types that stand for element types in a kernel.</summary>
internal static class Formats
{
    /// <summary>Every 16-bit format.</summary>
    public static IEnumerable<ElementType> All => [ElementType.Float16, ElementType.BFloat16];

    /// <summary>fp32 and every 16-bit format.</summary>
    public static IEnumerable<ElementType> AllNumbers => [ElementType.Float32, .. All];

    /// <summary>The <see cref="IFormat"/> of a 16-bit type.</summary>
    /// <exception cref="ArgumentException">It is none.</exception>
    public static Type Format(this ElementType type) => type switch
    {
        ElementType.Float16 => typeof(Fp16),
        ElementType.BFloat16 => typeof(Bf16),
        _ => throw new ArgumentException($"{type} is no 16-bit format"),
    };

    /// <summary>The <see cref="INumbers"/> of a type.</summary>
    /// <exception cref="ArgumentException">It is an integer's.</exception>
    public static Type Numbers(this ElementType type) => type switch
    {
        ElementType.Float32 => typeof(Floats),
        ElementType.Float16 => typeof(Halves<Fp16>),
        ElementType.BFloat16 => typeof(Halves<Bf16>),
        _ => throw new ArgumentException($"no arithmetic with {type}"),
    };

    /// <summary>Whether a type is <see cref="Bf16"/> or made of it.</summary>
    public static bool UsesBf16(this Type type) => type.Uses(typeof(Bf16));

    /// <summary>Whether a type is <paramref name="format"/> or made of it.</summary>
    public static bool Uses(this Type type, Type format) => type == format || type.GenericTypeArguments.Any(part => part.Uses(format));
}
