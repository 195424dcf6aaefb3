using System.Runtime.CompilerServices;
using Cliper.Kernels.Memory;
using ILGPU.IR.Intrinsics;

namespace Cliper.Kernels.Gpu.DeviceCode;

/// <summary>
/// Wraps each PTX instruction that kernels use once. Global memory is a 64-bit address, shared memory a 32-bit one, so
/// no access is ever generic. Methods with a body also run on ILGPU's CPU accelerator; those of tensor cores do not.
/// </summary>
/// <remarks>
/// Matrix shapes of mma.sync m16n8k16: M = 16, N = 8, K = 16, D[M x N] = A[M x K] B[K x N] + C[M x N]; A is row-major,
/// B column-major, C and D are fp32. A fragment is the part of a matrix that one lane has in its registers. With
/// g = lane / 4 and q = 2 (lane % 4):
/// <code>
/// A (U4, two elements a register)   X: A[g, q..q+1]   Y: A[g+8, q..]   Z: A[g, q+8..]   W: A[g+8, q+8..]
/// B (two registers)                 b0: B[q..q+1, g]  b1: B[q+8.., g]
/// C, D (F4)                         X: C[g, q]        Y: C[g, q+1]     Z: C[g+8, q]     W: C[g+8, q+1]
/// </code>
/// The four lanes of equal g are a quad: they share rows of A and C. Two C fragments side by side, rounded to 16 bits,
/// are an A fragment.
/// </remarks>
[DeviceCode]
internal static unsafe partial class Ptx
{
    /// <summary>mma.sync m16n8k16: D = A B + C with A and B in fp16, in the fragment layout above.</summary>
    [IntrinsicImplementation]
    [Ptx("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {$0,$1,$2,$3}, {$8,$9,$10,$11}, {$12,$13}, {$4,$5,$6,$7};")]
    public static F4 MmaFp16(F4 c, U4 a, uint b0, uint b1) => throw new NotSupportedException();

    /// <summary>mma.sync m16n8k16: D = A B + C with A and B in bf16, in the fragment layout above.</summary>
    [IntrinsicImplementation]
    [Ptx("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 "
        + "{$0,$1,$2,$3}, {$8,$9,$10,$11}, {$12,$13}, {$4,$5,$6,$7};")]
    public static F4 MmaBf16(F4 c, U4 a, uint b0, uint b1) => throw new NotSupportedException();

    /// <summary>
    /// ldmatrix: loads four 8x8 matrices of 16-bit elements from shared memory. Lanes 8 j to 8 j + 7 give the addresses
    /// of the rows of matrix j; lane i receives the elements [i / 4, 2 (i % 4)] and the next of each matrix.
    /// </summary>
    [IntrinsicImplementation, Ptx("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {$0,$1,$2,$3}, [$4];")]
    public static U4 LoadMatrices(int address) => throw new NotSupportedException();

    /// <summary>ldmatrix.trans: does the same as <see cref="LoadMatrices"/> with each matrix transposed.</summary>
    [IntrinsicImplementation, Ptx("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {$0,$1,$2,$3}, [$4];")]
    public static U4 LoadMatricesTransposed(int address) => throw new NotSupportedException();

    /// <summary>address + index * bytes, in one instruction.</summary>
    [IntrinsicImplementation, Ptx("mad.wide.s32 $0, $2, $3, $1;")]
    public static long Offset(long address, int index, int bytes) => address + (long)index * bytes;

    /// <summary>
    /// cp.async: starts copying 16 bytes from global to shared memory; bytes from <paramref name="valid"/> on become
    /// zero.
    /// </summary>
    [IntrinsicImplementation, Ptx("cp.async.cg.shared.global [$0], [$1], 16, $2;")]
    public static void CopyAsync(int shared, long global, int valid) => throw new NotSupportedException();

    /// <summary>cp.async.commit_group: closes a group of this thread's copies.</summary>
    [IntrinsicImplementation, Ptx("cp.async.commit_group;")]
    public static void CommitCopies() => throw new NotSupportedException();

    /// <summary>cp.async.wait_group 0: waits until all groups of this thread are complete.</summary>
    [IntrinsicImplementation, Ptx("cp.async.wait_group 0;")]
    public static void WaitForAllCopies() => throw new NotSupportedException();

    /// <summary>cp.async.wait_group 1: waits until all groups of this thread but the last are complete.</summary>
    [IntrinsicImplementation, Ptx("cp.async.wait_group 1;")]
    public static void WaitForAllCopiesButOne() => throw new NotSupportedException();

    /// <summary>Address of an element of shared memory, in the 32-bit shared window.</summary>
    [IntrinsicImplementation, Ptx("mov.b32 $0, $s1;")]
    public static int SharedAddress(ref U4 element) => throw new NotSupportedException();

    /// <summary>Stores 16 bytes in shared memory, at an address aligned to 16.</summary>
    [IntrinsicImplementation, Ptx("st.shared.v4.b32 [$0], {$1,$2,$3,$4};")]
    public static void StoreShared(int address, U4 value) => throw new NotSupportedException();

    /// <summary>Loads four fp32 elements from shared memory, at an address aligned to 16.</summary>
    [IntrinsicImplementation, Ptx("ld.shared.v4.f32 {$0,$1,$2,$3}, [$4];")]
    public static F4 LoadShared(int address) => throw new NotSupportedException();

    /// <summary>128-bit load of 16 bytes, at an address aligned to 16.</summary>
    [IntrinsicImplementation, Ptx("ld.global.v4.b32 {$0,$1,$2,$3}, [$4];")]
    public static U4 Load128(long address) => *(U4*)address;

    /// <summary>128-bit store of 16 bytes, at an address aligned to 16.</summary>
    [IntrinsicImplementation, Ptx("st.global.v4.b32 [$0], {$1,$2,$3,$4};")]
    public static void Store128(long address, U4 value) => *(U4*)address = value;

    /// <summary>128-bit load of four fp32 elements, at an address aligned to 16.</summary>
    [IntrinsicImplementation, Ptx("ld.global.v4.f32 {$0,$1,$2,$3}, [$4];")]
    public static F4 LoadFloats(long address) => *(F4*)address;

    /// <summary>128-bit store of four fp32 elements, at an address aligned to 16.</summary>
    [IntrinsicImplementation, Ptx("st.global.v4.f32 [$0], {$1,$2,$3,$4};")]
    public static void StoreFloats(long address, F4 value) => *(F4*)address = value;

    /// <summary>64-bit load of two fp32 elements, at an address aligned to 8.</summary>
    [IntrinsicImplementation, Ptx("ld.global.v2.f32 {$0,$1}, [$2];")]
    public static F2 LoadFloats2(long address) => *(F2*)address;

    /// <summary>64-bit store of two fp32 elements, at an address aligned to 8.</summary>
    [IntrinsicImplementation, Ptx("st.global.v2.f32 [$0], {$1,$2};")]
    public static void StoreFloats2(long address, F2 value) => *(F2*)address = value;

    /// <summary>Loads an fp32 element.</summary>
    [IntrinsicImplementation, Ptx("ld.global.f32 $0, [$1];")]
    public static float LoadFloat(long address) => *(float*)address;

    /// <summary>Stores an fp32 element.</summary>
    [IntrinsicImplementation, Ptx("st.global.f32 [$0], $1;")]
    public static void StoreFloat(long address, float value) => *(float*)address = value;

    /// <summary>Loads 32 bits.</summary>
    [IntrinsicImplementation, Ptx("ld.global.b32 $0, [$1];")]
    public static int LoadInt(long address) => *(int*)address;

    /// <summary>Stores 32 bits.</summary>
    [IntrinsicImplementation, Ptx("st.global.b32 [$0], $1;")]
    public static void StoreInt(long address, int value) => *(int*)address = value;

    /// <summary>64-bit store of two 32-bit words, at an address aligned to 8.</summary>
    [IntrinsicImplementation, Ptx("st.global.v2.b32 [$0], {$1,$2};")]
    public static void StoreInts2(long address, int low, int high) =>
        (((int*)address)[0], ((int*)address)[1]) = (low, high);

    /// <summary>Loads 64 bits.</summary>
    [IntrinsicImplementation, Ptx("ld.global.b64 $0, [$1];")]
    public static long LoadLong(long address) => *(long*)address;

    /// <summary>Loads a byte.</summary>
    [IntrinsicImplementation, Ptx("ld.global.u8 $0, [$1];")]
    public static int LoadByte(long address) => *(byte*)address;

    /// <summary>Stores the lowest byte.</summary>
    [IntrinsicImplementation, Ptx("st.global.u8 [$0], $1;")]
    public static void StoreByte(long address, int value) => *(byte*)address = (byte)value;

    /// <summary>Loads an fp16 element and converts it to fp32.</summary>
    [IntrinsicImplementation, Ptx("{ .reg .b16 h; ld.global.b16 h, [$1]; cvt.f32.f16 $0, h; }")]
    public static float LoadFp16(long address) => (float)*(System.Half*)address;

    /// <summary>Loads a bf16 element and converts it to fp32.</summary>
    [IntrinsicImplementation, Ptx("{ .reg .b16 l, h; mov.b16 l, 0; ld.global.b16 h, [$1]; mov.b32 $0, {l, h}; }")]
    public static float LoadBf16(long address) => BFloat16.FromBits(*(ushort*)address);

    /// <summary>Rounds a number to fp16 and stores it.</summary>
    [IntrinsicImplementation, Ptx("{ .reg .b16 h; cvt.rn.f16.f32 h, $1; st.global.b16 [$0], h; }")]
    public static void StoreFp16(long address, float value) => *(System.Half*)address = (System.Half)value;

    /// <summary>Rounds a number to bf16 and stores it.</summary>
    [IntrinsicImplementation, Ptx("{ .reg .b16 h; cvt.rn.bf16.f32 h, $1; st.global.b16 [$0], h; }")]
    public static void StoreBf16(long address, float value) => *(ushort*)address = BFloat16.ToBits(value);

    /// <summary>Rounds two numbers to fp16 and packs them, the first in the lower half.</summary>
    [IntrinsicImplementation]
    [Ptx("{ .reg .b16 l, h; cvt.rn.f16.f32 l, $1; cvt.rn.f16.f32 h, $2; mov.b32 $0, {l, h}; }")]
    public static uint PackFp16(float low, float high) =>
        BitConverter.HalfToUInt16Bits((System.Half)low) | (uint)BitConverter.HalfToUInt16Bits((System.Half)high) << 16;

    /// <summary>Does the same as <see cref="PackFp16"/> in one instruction, from compute capability 8.0 on.</summary>
    [IntrinsicImplementation, Ptx("cvt.rn.f16x2.f32 $0, $2, $1;")]
    public static uint PackFp16x2(float low, float high) => throw new NotSupportedException();

    /// <summary>Rounds two numbers to bf16 and packs them, the first in the lower half.</summary>
    [IntrinsicImplementation, Ptx("cvt.rn.bf16x2.f32 $0, $2, $1;")]
    public static uint PackBf16(float low, float high) => BFloat16.ToBits(low) | (uint)BFloat16.ToBits(high) << 16;

    /// <summary>Converts two packed fp16 numbers to fp32; X is the lower half.</summary>
    [IntrinsicImplementation, Ptx("{ .reg .b16 l, h; mov.b32 {l, h}, $2; cvt.f32.f16 $0, l; cvt.f32.f16 $1, h; }")]
    public static F2 UnpackFp16(uint pair) => new()
    {
        X = (float)BitConverter.UInt16BitsToHalf((ushort)pair),
        Y = (float)BitConverter.UInt16BitsToHalf((ushort)(pair >> 16)),
    };

    /// <summary>Converts two packed bf16 numbers to fp32; X is the lower half.</summary>
    [IntrinsicImplementation]
    [Ptx("{ .reg .b32 w; shl.b32 w, $2, 16; mov.b32 $0, w; and.b32 w, $2, 0xffff0000; mov.b32 $1, w; }")]
    public static F2 UnpackBf16(uint pair) =>
        new() { X = BFloat16.FromBits((ushort)pair), Y = BFloat16.FromBits((ushort)(pair >> 16)) };

    /// <summary>Reinterprets 64 bits as an fp64 number.</summary>
    [IntrinsicImplementation, Ptx("mov.b64 $0, $1;")]
    public static double AsDouble(long bits) => BitConverter.Int64BitsToDouble(bits);

    /// <summary>2^x, with a relative error of at most 2^-22.</summary>
    [IntrinsicImplementation, Ptx("ex2.approx.ftz.f32 $0, $1;")]
    public static float Exp2(float x) => MathF.Pow(2, x);

    /// <summary>log2 x, with an error of at most 2^-22 of 1 or of the result.</summary>
    [IntrinsicImplementation, Ptx("lg2.approx.ftz.f32 $0, $1;")]
    public static float Log2(float x) => MathF.Log2(x);

    /// <summary>1 / sqrt(x), with a relative error of at most 2^-22.9.</summary>
    [IntrinsicImplementation, Ptx("rsqrt.approx.ftz.f32 $0, $1;")]
    public static float InverseSqrt(float x) => 1 / MathF.Sqrt(x);

    /// <summary>sqrt(x), with an error of at most one unit in the last place.</summary>
    [IntrinsicImplementation, Ptx("sqrt.approx.ftz.f32 $0, $1;")]
    public static float SquareRoot(float x) => MathF.Sqrt(x);

    /// <summary>1 / x, with an error of at most one unit in the last place.</summary>
    [IntrinsicImplementation, Ptx("rcp.approx.ftz.f32 $0, $1;")]
    public static float Inverse(float x) => 1 / x;

    /// <summary>a b + c, rounded once.</summary>
    [IntrinsicImplementation, Ptx("fma.rn.f32 $0, $1, $2, $3;")]
    public static float Fma(float a, float b, float c) => MathF.FusedMultiplyAdd(a, b, c);

    /// <summary>a b, rounded, and never contracted with a sum to an fma: it gives the bits of the CPU.</summary>
    [IntrinsicImplementation, Ptx("mul.rn.f32 $0, $1, $2;")]
    public static float Multiply(float a, float b) => a * b;

    /// <summary>a + b, rounded, and never contracted with a product to an fma.</summary>
    [IntrinsicImplementation, Ptx("add.rn.f32 $0, $1, $2;")]
    public static float Add(float a, float b) => a + b;

    /// <summary>Maximum of two numbers, NaN when either is NaN.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Max(float a, float b) => a > b || float.IsNaN(a) ? a : b;

    /// <summary>Does the same as <see cref="Max"/> in one instruction, from compute capability 8.0 on.</summary>
    [IntrinsicImplementation, Ptx("max.NaN.f32 $0, $1, $2;")]
    public static float MaxNaN(float a, float b) => MathF.Max(a, b);
}
