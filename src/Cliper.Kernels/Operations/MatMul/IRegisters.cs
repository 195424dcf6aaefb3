using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Cliper.Kernels.Operations;

/// <summary>
/// The few operations of the micro-kernel on a bare register type. Not <see cref="Simd.ILanes{T}"/>: around a struct with the
/// register inside, the JIT copies and spills every accumulator (72 instead of 238 GFLOP/s on a Zen 5 core).
/// </summary>
/// <typeparam name="V">The register type.</typeparam>
internal unsafe interface IRegisters<V> where V : struct
{
    /// <summary>fp32 lanes of a register.</summary>
    static abstract int Lanes { get; }

    /// <summary>Rows of a tile: as many as leave registers for two columns of B and one element of A.</summary>
    static abstract int MaxRows { get; }

    static abstract V Load(float* p);

    static abstract V Create(float value);

    static abstract void Store(V v, float* p);

    /// <summary>a * b + c.</summary>
    static abstract V MultiplyAdd(V a, V b, V c);
}

/// <summary>AVX-512: 14 x 32 tiles in 28 of 32 registers.</summary>
internal readonly unsafe struct Registers512 : IRegisters<Vector512<float>>
{
    public static int Lanes => 16;

    public static int MaxRows => 14;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Load(float* p) => Vector512.Load(p);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Create(float value) => Vector512.Create(value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(Vector512<float> v, float* p) => Vector512.Store(v, p);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> MultiplyAdd(Vector512<float> a, Vector512<float> b, Vector512<float> c) =>
        Avx512F.FusedMultiplyAdd(a, b, c);
}

/// <summary>AVX2 and FMA: 6 x 16 tiles in 12 of 16 registers.</summary>
internal readonly unsafe struct Registers256 : IRegisters<Vector256<float>>
{
    public static int Lanes => 8;

    public static int MaxRows => 6;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Load(float* p) => Vector256.Load(p);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Create(float value) => Vector256.Create(value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(Vector256<float> v, float* p) => Vector256.Store(v, p);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> MultiplyAdd(Vector256<float> a, Vector256<float> b, Vector256<float> c) =>
        Fma.MultiplyAdd(a, b, c);
}

/// <summary>Whatever the runtime has, in 12 registers.</summary>
internal readonly unsafe struct RegistersPortable : IRegisters<Vector<float>>
{
    public static int Lanes => Vector<float>.Count;

    public static int MaxRows => 6;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector<float> Load(float* p) => Vector.Load(p);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector<float> Create(float value) => Vector.Create(value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(Vector<float> v, float* p) => Vector.Store(v, p);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector<float> MultiplyAdd(Vector<float> a, Vector<float> b, Vector<float> c) =>
        Vector.FusedMultiplyAdd(a, b, c);
}
