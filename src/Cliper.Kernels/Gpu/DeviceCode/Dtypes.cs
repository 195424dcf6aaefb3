using System.Runtime.CompilerServices;
using Cliper.Kernels.Memory;

namespace Cliper.Kernels.Gpu.DeviceCode;

/// <summary>
/// A 16-bit floating-point dtype, as the type parameter of the kernels that store activations in it or multiply it on
/// tensor cores. Accumulators are fp32 with all of them.
/// </summary>
internal interface IDtype16
{
    /// <summary>Loads the element at an address.</summary>
    static abstract float Load(long address);

    /// <summary>Stores an element at an address, rounded to nearest.</summary>
    static abstract void Store(long address, float value);

    /// <summary>Packs two elements, rounded to nearest, the first in the lower half.</summary>
    static abstract uint Pack(float low, float high);

    /// <summary>
    /// Does the same as <see cref="Pack"/> in one instruction, which GPUs from compute capability 8.0 on have.
    /// </summary>
    static abstract uint PackX2(float low, float high);

    /// <summary>Unpacks two elements; X is the lower half.</summary>
    static abstract F2 Unpack(uint pair);

    /// <summary>mma.sync m16n8k16: D = A B + C, see <see cref="Ptx.MmaFp16"/>.</summary>
    static abstract F4 Mma(F4 c, U4 a, uint b0, uint b1);

    /// <summary>wgmma m64n256k16: starts D += A B, see <see cref="Wgmma.MultiplyAddFp16"/>.</summary>
    static abstract void WarpgroupMma(long a, long b, int accumulate, int transposeA, int transposeB);
}

/// <summary>IEEE half precision: 11 bits of precision, up to 65504.</summary>
[DeviceCode]
internal readonly struct Fp16 : IDtype16
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Load(long address) => Ptx.LoadFp16(address);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(long address, float value) => Ptx.StoreFp16(address, value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static uint Pack(float low, float high) => Ptx.PackFp16(low, high);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static uint PackX2(float low, float high) => Ptx.PackFp16x2(low, high);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static F2 Unpack(uint pair) => Ptx.UnpackFp16(pair);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static F4 Mma(F4 c, U4 a, uint b0, uint b1) => Ptx.MmaFp16(c, a, b0, b1);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void WarpgroupMma(long a, long b, int accumulate, int transposeA, int transposeB) =>
        Wgmma.MultiplyAddFp16(a, b, accumulate, transposeA, transposeB);
}

/// <summary>
/// bfloat16, the upper half of fp32: its range, 8 bits of precision. GPUs convert to it from compute capability 8.0 on.
/// </summary>
[DeviceCode]
internal readonly struct Bf16 : IDtype16
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Load(long address) => Ptx.LoadBf16(address);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(long address, float value) => Ptx.StoreBf16(address, value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static uint Pack(float low, float high) => Ptx.PackBf16(low, high);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static uint PackX2(float low, float high) => Ptx.PackBf16(low, high);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static F2 Unpack(uint pair) => Ptx.UnpackBf16(pair);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static F4 Mma(F4 c, U4 a, uint b0, uint b1) => Ptx.MmaBf16(c, a, b0, b1);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void WarpgroupMma(long a, long b, int accumulate, int transposeA, int transposeB) =>
        Wgmma.MultiplyAddBf16(a, b, accumulate, transposeA, transposeB);
}

/// <summary>Maps element types to the types that stand for them in a kernel.</summary>
internal static class Dtypes
{
    /// <summary>All 16-bit dtypes.</summary>
    public static IEnumerable<ElementType> All16 => [ElementType.Float16, ElementType.BFloat16];

    /// <summary>fp32 and all 16-bit dtypes.</summary>
    public static IEnumerable<ElementType> AllFloating => [ElementType.Float32, .. All16];

    /// <summary>The <see cref="IDtype16"/> of a 16-bit element type.</summary>
    /// <exception cref="ArgumentException">The element type has no 16-bit floating-point dtype.</exception>
    public static Type Dtype(this ElementType type) => type switch
    {
        ElementType.Float16 => typeof(Fp16),
        ElementType.BFloat16 => typeof(Bf16),
        _ => throw new ArgumentException($"{type} is no 16-bit format"),
    };

    /// <summary>The <see cref="IGlobalPtr"/> to elements of a floating-point type.</summary>
    /// <exception cref="ArgumentException">The element type is an integer.</exception>
    public static Type PointerType(this ElementType type) => type switch
    {
        ElementType.Float32 => typeof(GlobalPtrFp32),
        ElementType.Float16 => typeof(GlobalPtr16<Fp16>),
        ElementType.BFloat16 => typeof(GlobalPtr16<Bf16>),
        _ => throw new ArgumentException($"no arithmetic with {type}"),
    };

    /// <summary>Whether a type is <see cref="Bf16"/> or has it as a type argument.</summary>
    public static bool UsesBf16(this Type type) => type.Uses(typeof(Bf16));

    /// <summary>Whether a type is <paramref name="dtype"/> or has it as a type argument.</summary>
    public static bool Uses(this Type type, Type dtype) =>
        type == dtype || type.GenericTypeArguments.Any(part => part.Uses(dtype));
}
