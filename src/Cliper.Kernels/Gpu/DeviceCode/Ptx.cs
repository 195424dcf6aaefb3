using System.Runtime.CompilerServices;
using Cliper.Kernels.Memory;
using ILGPU;
using ILGPU.IR.Intrinsics;

namespace Cliper.Kernels.Gpu.DeviceCode;

/// <summary>
/// Each PTX instruction that kernels use, wrapped once. Global memory is a 64-bit address, shared memory a 32-bit one, so no
/// access is ever generic. Those with a body also run on ILGPU's CPU accelerator; tensor-core ones do not.
/// </summary>
internal static unsafe class Ptx
{
    /// <summary>
    /// D = A B + C on tensor cores, A 16 x 16, B 16 x 8 in fp16, C 16 x 8 in fp32. With g = lane / 4 and q = 2 (lane % 4):
    /// <code>
    /// a.X: A[g, q..q+1]      a.Y: A[g+8, q..]     a.Z: A[g, q+8..]     a.W: A[g+8, q+8..]
    /// b0:  B[q..q+1, g]      b1:  B[q+8.., g]
    /// c.X: C[g, q]           c.Y: C[g, q+1]       c.Z: C[g+8, q]       c.W: C[g+8, q+1]
    /// </code>
    /// </summary>
    [IntrinsicImplementation]
    [Ptx("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {$0,$1,$2,$3}, {$8,$9,$10,$11}, {$12,$13}, {$4,$5,$6,$7};")]
    public static F4 MmaFp16(F4 c, U4 a, uint b0, uint b1) => throw new NotSupportedException();

    /// <summary>As <see cref="MmaFp16"/>, A and B in bf16.</summary>
    [IntrinsicImplementation]
    [Ptx("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {$0,$1,$2,$3}, {$8,$9,$10,$11}, {$12,$13}, {$4,$5,$6,$7};")]
    public static F4 MmaBf16(F4 c, U4 a, uint b0, uint b1) => throw new NotSupportedException();

    /// <summary>
    /// Four 8 x 8 matrices of 16-bit numbers from shared memory. Lanes 8 j to 8 j + 7 give the addresses of matrix j's rows; lane i
    /// receives of each matrix the elements [i / 4, 2 (i % 4)] and the next.
    /// </summary>
    [IntrinsicImplementation, Ptx("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {$0,$1,$2,$3}, [$4];")]
    public static U4 LoadMatrices(int address) => throw new NotSupportedException();

    /// <summary>As <see cref="LoadMatrices"/>, each matrix transposed.</summary>
    [IntrinsicImplementation, Ptx("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {$0,$1,$2,$3}, [$4];")]
    public static U4 LoadMatricesTransposed(int address) => throw new NotSupportedException();

    /// <summary>address + index bytes, in one instruction.</summary>
    [IntrinsicImplementation, Ptx("mad.wide.s32 $0, $2, $3, $1;")]
    public static long Offset(long address, int index, int bytes) => address + (long)index * bytes;

    /// <summary>Starts copying 16 bytes to shared memory; bytes from <paramref name="valid"/> on become zero.</summary>
    [IntrinsicImplementation, Ptx("cp.async.cg.shared.global [$0], [$1], 16, $2;")]
    public static void CopyAsync(int shared, long global, int valid) => throw new NotSupportedException();

    /// <summary>Closes a group of copies.</summary>
    [IntrinsicImplementation, Ptx("cp.async.commit_group;")]
    public static void CommitCopies() => throw new NotSupportedException();

    /// <summary>Waits until all groups of this thread are there.</summary>
    [IntrinsicImplementation, Ptx("cp.async.wait_group 0;")]
    public static void WaitForAllCopies() => throw new NotSupportedException();

    /// <summary>Waits until all groups of this thread but the last are there.</summary>
    [IntrinsicImplementation, Ptx("cp.async.wait_group 1;")]
    public static void WaitForAllCopiesButOne() => throw new NotSupportedException();

    /// <summary>The 32-bit address of an element of shared memory.</summary>
    [IntrinsicImplementation, Ptx("mov.b32 $0, $s1;")]
    public static int SharedAddress(ref U4 element) => throw new NotSupportedException();

    /// <summary>Stores 16 bytes in shared memory.</summary>
    [IntrinsicImplementation, Ptx("st.shared.v4.b32 [$0], {$1,$2,$3,$4};")]
    public static void StoreShared(int address, U4 value) => throw new NotSupportedException();

    /// <summary>Loads four fp32 numbers from shared memory.</summary>
    [IntrinsicImplementation, Ptx("ld.shared.v4.f32 {$0,$1,$2,$3}, [$4];")]
    public static F4 LoadShared(int address) => throw new NotSupportedException();

    /// <summary>Loads 16 bytes.</summary>
    [IntrinsicImplementation, Ptx("ld.global.v4.b32 {$0,$1,$2,$3}, [$4];")]
    public static U4 Load128(long address) => *(U4*)address;

    /// <summary>Stores 16 bytes.</summary>
    [IntrinsicImplementation, Ptx("st.global.v4.b32 [$0], {$1,$2,$3,$4};")]
    public static void Store128(long address, U4 value) => *(U4*)address = value;

    /// <summary>Loads four fp32 numbers.</summary>
    [IntrinsicImplementation, Ptx("ld.global.v4.f32 {$0,$1,$2,$3}, [$4];")]
    public static F4 LoadFloats(long address) => *(F4*)address;

    /// <summary>Stores four fp32 numbers.</summary>
    [IntrinsicImplementation, Ptx("st.global.v4.f32 [$0], {$1,$2,$3,$4};")]
    public static void StoreFloats(long address, F4 value) => *(F4*)address = value;

    /// <summary>Loads two fp32 numbers.</summary>
    [IntrinsicImplementation, Ptx("ld.global.v2.f32 {$0,$1}, [$2];")]
    public static F2 LoadFloats2(long address) => *(F2*)address;

    /// <summary>Stores two fp32 numbers.</summary>
    [IntrinsicImplementation, Ptx("st.global.v2.f32 [$0], {$1,$2};")]
    public static void StoreFloats2(long address, F2 value) => *(F2*)address = value;

    /// <summary>Loads an fp32 number.</summary>
    [IntrinsicImplementation, Ptx("ld.global.f32 $0, [$1];")]
    public static float LoadFloat(long address) => *(float*)address;

    /// <summary>Stores an fp32 number.</summary>
    [IntrinsicImplementation, Ptx("st.global.f32 [$0], $1;")]
    public static void StoreFloat(long address, float value) => *(float*)address = value;

    /// <summary>Loads 32 bits.</summary>
    [IntrinsicImplementation, Ptx("ld.global.b32 $0, [$1];")]
    public static int LoadInt(long address) => *(int*)address;

    /// <summary>Stores 32 bits.</summary>
    [IntrinsicImplementation, Ptx("st.global.b32 [$0], $1;")]
    public static void StoreInt(long address, int value) => *(int*)address = value;

    /// <summary>Stores twice 32 bits.</summary>
    [IntrinsicImplementation, Ptx("st.global.v2.b32 [$0], {$1,$2};")]
    public static void StoreInts2(long address, int low, int high) => (((int*)address)[0], ((int*)address)[1]) = (low, high);

    /// <summary>Loads 64 bits.</summary>
    [IntrinsicImplementation, Ptx("ld.global.b64 $0, [$1];")]
    public static long LoadLong(long address) => *(long*)address;

    /// <summary>Loads a byte.</summary>
    [IntrinsicImplementation, Ptx("ld.global.u8 $0, [$1];")]
    public static int LoadByte(long address) => *(byte*)address;

    /// <summary>Stores the lowest byte.</summary>
    [IntrinsicImplementation, Ptx("st.global.u8 [$0], $1;")]
    public static void StoreByte(long address, int value) => *(byte*)address = (byte)value;

    /// <summary>Loads an fp16 number.</summary>
    [IntrinsicImplementation, Ptx("{ .reg .b16 h; ld.global.b16 h, [$1]; cvt.f32.f16 $0, h; }")]
    public static float LoadFp16(long address) => (float)*(System.Half*)address;

    /// <summary>Loads a bf16 number.</summary>
    [IntrinsicImplementation, Ptx("{ .reg .b16 l, h; mov.b16 l, 0; ld.global.b16 h, [$1]; mov.b32 $0, {l, h}; }")]
    public static float LoadBf16(long address) => BFloat16.FromBits(*(ushort*)address);

    /// <summary>Stores a number, rounded to fp16.</summary>
    [IntrinsicImplementation, Ptx("{ .reg .b16 h; cvt.rn.f16.f32 h, $1; st.global.b16 [$0], h; }")]
    public static void StoreFp16(long address, float value) => *(System.Half*)address = (System.Half)value;

    /// <summary>Stores a number, rounded to bf16.</summary>
    [IntrinsicImplementation, Ptx("{ .reg .b16 h; cvt.rn.bf16.f32 h, $1; st.global.b16 [$0], h; }")]
    public static void StoreBf16(long address, float value) => *(ushort*)address = BFloat16.ToBits(value);

    /// <summary>Two numbers rounded to fp16, the first in the lower half.</summary>
    [IntrinsicImplementation]
    [Ptx("{ .reg .b16 l, h; cvt.rn.f16.f32 l, $1; cvt.rn.f16.f32 h, $2; mov.b32 $0, {l, h}; }")]
    public static uint PackFp16(float low, float high) =>
        BitConverter.HalfToUInt16Bits((System.Half)low) | (uint)BitConverter.HalfToUInt16Bits((System.Half)high) << 16;

    /// <summary>As <see cref="PackFp16"/>, in one instruction of cards with tensor cores for this.</summary>
    [IntrinsicImplementation, Ptx("cvt.rn.f16x2.f32 $0, $2, $1;")]
    public static uint PackFp16x2(float low, float high) => throw new NotSupportedException();

    /// <summary>Two numbers rounded to bf16, the first in the lower half.</summary>
    [IntrinsicImplementation, Ptx("cvt.rn.bf16x2.f32 $0, $2, $1;")]
    public static uint PackBf16(float low, float high) => BFloat16.ToBits(low) | (uint)BFloat16.ToBits(high) << 16;

    /// <summary>Two fp16 numbers of which the lower half comes first.</summary>
    [IntrinsicImplementation, Ptx("{ .reg .b16 l, h; mov.b32 {l, h}, $2; cvt.f32.f16 $0, l; cvt.f32.f16 $1, h; }")]
    public static F2 UnpackFp16(uint pair) => new()
    {
        X = (float)BitConverter.UInt16BitsToHalf((ushort)pair),
        Y = (float)BitConverter.UInt16BitsToHalf((ushort)(pair >> 16)),
    };

    /// <summary>Two bf16 numbers of which the lower half comes first.</summary>
    [IntrinsicImplementation]
    [Ptx("{ .reg .b32 w; shl.b32 w, $2, 16; mov.b32 $0, w; and.b32 w, $2, 0xffff0000; mov.b32 $1, w; }")]
    public static F2 UnpackBf16(uint pair) => new() { X = BFloat16.FromBits((ushort)pair), Y = BFloat16.FromBits((ushort)(pair >> 16)) };

    /// <summary>The fp64 number of these bits.</summary>
    [IntrinsicImplementation, Ptx("mov.b64 $0, $1;")]
    public static double AsDouble(long bits) => BitConverter.Int64BitsToDouble(bits);

    /// <summary>2^x, error at most 2^-22 of the result.</summary>
    [IntrinsicImplementation, Ptx("ex2.approx.ftz.f32 $0, $1;")]
    public static float Exp2(float x) => MathF.Pow(2, x);

    /// <summary>log2 x, error at most 2^-22 of 1 or of the result.</summary>
    [IntrinsicImplementation, Ptx("lg2.approx.ftz.f32 $0, $1;")]
    public static float Log2(float x) => MathF.Log2(x);

    /// <summary>1 / sqrt(x), error at most 2^-22.9 of the result.</summary>
    [IntrinsicImplementation, Ptx("rsqrt.approx.ftz.f32 $0, $1;")]
    public static float InverseSqrt(float x) => 1 / MathF.Sqrt(x);

    /// <summary>The square root, error at most one unit in the last place.</summary>
    [IntrinsicImplementation, Ptx("sqrt.approx.ftz.f32 $0, $1;")]
    public static float SquareRoot(float x) => MathF.Sqrt(x);

    /// <summary>1 / x, error at most one unit in the last place.</summary>
    [IntrinsicImplementation, Ptx("rcp.approx.ftz.f32 $0, $1;")]
    public static float Inverse(float x) => 1 / x;

    /// <summary>a b + c, rounded once.</summary>
    [IntrinsicImplementation, Ptx("fma.rn.f32 $0, $1, $2, $3;")]
    public static float Fma(float a, float b, float c) => MathF.FusedMultiplyAdd(a, b, c);

    /// <summary>a b, rounded, and never joined with a sum: the host's bits.</summary>
    [IntrinsicImplementation, Ptx("mul.rn.f32 $0, $1, $2;")]
    public static float Multiply(float a, float b) => a * b;

    /// <summary>a + b, rounded, and never joined with a product.</summary>
    [IntrinsicImplementation, Ptx("add.rn.f32 $0, $1, $2;")]
    public static float Add(float a, float b) => a + b;

    /// <summary>The larger, or NaN where either is NaN.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Max(float a, float b) => a > b || float.IsNaN(a) ? a : b;

    /// <summary>As <see cref="Max"/>, in one instruction of cards with tensor cores for this.</summary>
    [IntrinsicImplementation, Ptx("max.NaN.f32 $0, $1, $2;")]
    public static float MaxNaN(float a, float b) => MathF.Max(a, b);

    /// <summary>The sum of all lanes of a warp, in every lane; always added in the same order.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float WarpSum(float value)
    {
        value += Warp.ShuffleXor(value, 16);
        value += Warp.ShuffleXor(value, 8);
        value += Warp.ShuffleXor(value, 4);
        value += Warp.ShuffleXor(value, 2);
        return value + Warp.ShuffleXor(value, 1);
    }

    /// <summary>As above, of integers.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int WarpSum(int value)
    {
        value += Warp.ShuffleXor(value, 16);
        value += Warp.ShuffleXor(value, 8);
        value += Warp.ShuffleXor(value, 4);
        value += Warp.ShuffleXor(value, 2);
        return value + Warp.ShuffleXor(value, 1);
    }

    /// <summary>The largest of all lanes of a warp, in every lane.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float WarpMax(float value)
    {
        value = Max(value, Warp.ShuffleXor(value, 16));
        value = Max(value, Warp.ShuffleXor(value, 8));
        value = Max(value, Warp.ShuffleXor(value, 4));
        value = Max(value, Warp.ShuffleXor(value, 2));
        return Max(value, Warp.ShuffleXor(value, 1));
    }

    /// <summary>The largest of the four lanes that share rows of an accumulator; cards with tensor cores for this.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float QuadMax(float value)
    {
        value = MaxNaN(value, Warp.ShuffleXor(value, 1));
        return MaxNaN(value, Warp.ShuffleXor(value, 2));
    }

    /// <summary>The sum of the four lanes that share rows of an accumulator.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float QuadSum(float value)
    {
        value += Warp.ShuffleXor(value, 1);
        return value + Warp.ShuffleXor(value, 2);
    }

    /// <summary>
    /// Transposes four words in each of a quad's four lanes: lane q then has word q of lane 0, of lane 1, of lane 2 and of lane 3. All
    /// lanes of a warp call it.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static U4 TransposeQuad(U4 words)
    {
        int odd = Warp.LaneIdx & 1, high = Warp.LaneIdx & 2;
        Exchange(ref words.X, ref words.Y, odd, 1);
        Exchange(ref words.Z, ref words.W, odd, 1);
        Exchange(ref words.X, ref words.Z, high, 2);
        Exchange(ref words.Y, ref words.W, high, 2);
        return words;
    }

    // Of two lanes, the one without the bit gives its second word for the other's first.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Exchange(ref uint first, ref uint second, int hasBit, int bit)
    {
        uint received = Warp.ShuffleXor(hasBit != 0 ? first : second, bit);
        first = hasBit != 0 ? received : first;
        second = hasBit != 0 ? second : received;
    }
}
