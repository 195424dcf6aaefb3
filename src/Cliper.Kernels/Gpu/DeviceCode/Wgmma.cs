using System.Runtime.CompilerServices;
using ILGPU;
using ILGPU.IR.Intrinsics;

namespace Cliper.Kernels.Gpu.DeviceCode;

/// <summary>
/// The products of a warpgroup (four warps) on Hopper's tensor cores: D += A B with A 64 x 16 and B 16 x 256 of a 16-bit format, both read
/// from shared memory while the warps go on, D in fp32. PTX has it that nothing touches D between an instruction and the wait
/// for it, copies from register to register included; so D lives in registers of its own, which ILGPU does not know, and the
/// methods here name them. Warp w of the group holds rows 16 w to 16 w + 15 of D: with g = lane / 4 and q = 2 (lane % 4), its registers
/// 4 j to 4 j + 3 are D[g, 8 j + q], D[g, 8 j + q + 1], D[g + 8, 8 j + q] and D[g + 8, 8 j + q + 1].
/// </summary>
internal static class Wgmma
{
    /// <summary>Rows of D.</summary>
    public const int Rows = 64;

    /// <summary>Columns of D.</summary>
    public const int Columns = 256;

    /// <summary>Depth of an instruction.</summary>
    public const int Depth = 16;

    /// <summary>Depth of a <see cref="Block"/>.</summary>
    public const int BlockDepth = 64;

    /// <summary>
    /// Bytes of what an operand is laid out in: 64 of its rows or columns with 64 of depth, in 64 lines of 128 bytes. Where neighbours
    /// differ in depth, the lines are rows or columns and blocks follow each other; where they do not, lines are of depth.
    /// </summary>
    public const int Block = 64 * Line;

    /// <summary>Bytes at whose multiples blocks begin; a kernel asks for as much more shared memory, for the driver promises 16.</summary>
    public const int Alignment = Pattern;

    /// <summary>Bytes of a line.</summary>
    public const int Line = 128;

    private const int Pattern = 8 * Line;

    /// <summary>The address of the first block.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int SharedStart() => (Ptx.SharedAddress(ref SharedMemory.GetDynamic<U4>()[0]) + Alignment - 1) & -Alignment;

    /// <summary>
    /// Byte offset of a 16-byte chunk, given by its line and its place in the line: the chunks of a line are swapped by its number, so that
    /// neither those of a line nor those of eight lines share banks. The hardware does the same to the addresses that it forms, by
    /// their bits 7 to 9; blocks therefore begin at multiples of <see cref="Alignment"/>.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int Swizzled(int line, int chunk) => line * Line + ((chunk ^ (line & 7)) << 4);

    /// <summary>
    /// Where an operand begins, as the instruction wants it: address, distance of blocks, distance of groups of eight
    /// lines, all in units of 16 bytes, and the swizzle of 128 bytes.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static long Descriptor(int shared) =>
        ((shared & 0x3FFFF) >> 4) | (long)(Block >> 4) << 16 | (long)(Pattern >> 4) << 32 | 1L << 62;

    /// <summary>What so many bytes, a multiple of <see cref="Alignment"/>, add to a descriptor.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int Ahead(int bytes) => bytes >> 4;

    /// <summary>What one step of <see cref="Depth"/> adds to a descriptor.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int NextDepth(bool alongDepth) => (alongDepth ? Depth * 2 : Depth * Line) >> 4;

    /// <summary>Makes the registers of D; once, before everything else.</summary>
    [IntrinsicImplementation, Ptx(".reg .f32 %sum<128>;")]
    public static void Declare() => throw new NotSupportedException();

    /// <summary>
    /// Sets D to zero. Before the first product it has to be, also where that adds nothing: else ptxas sets D itself, between the
    /// products, and makes them wait for each other.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Clear()
    {
        ClearStep step = default;
        Unroll128.For(ref step);
    }

    private struct ClearStep : IUnrolledBody
    {
        public void Run(int index) => Clear(index);
    }

    [IntrinsicImplementation, Ptx("mov.f32 %sum$i0, 0f00000000;")]
    private static void Clear(int register) => throw new NotSupportedException();

    /// <summary>A register of D, by its constant number.</summary>
    [IntrinsicImplementation, Ptx("mov.f32 $0, %sum$i1;")]
    public static float Read(int register) => throw new NotSupportedException();

    /// <summary>Orders what the warps did with D before the products that follow.</summary>
    [IntrinsicImplementation, Ptx("wgmma.fence.sync.aligned;")]
    public static void Fence() => throw new NotSupportedException();

    /// <summary>Lets products see what this thread has written to shared memory; comes before the barrier that tells the others.</summary>
    [IntrinsicImplementation, Ptx("fence.proxy.async.shared::cta;")]
    public static void PublishShared() => throw new NotSupportedException();

    /// <summary>
    /// Starts D += A B, or D = A B where <paramref name="accumulate"/> is 0; an operand is transposed (constants 0 or 1) where its
    /// neighbours do not differ in depth.
    /// </summary>
    [IntrinsicImplementation]
    [Ptx("{ .reg .pred p; setp.ne.b32 p, $2, 0; "
        + "wgmma.mma_async.sync.aligned.m64n256k16.f32.f16.f16 {%sum<128>}, $0, $1, p, 1, 1, $i3, $i4; }")]
    public static void MultiplyAddFp16(long a, long b, int accumulate, int transposeA, int transposeB) => throw new NotSupportedException();

    /// <summary>As <see cref="MultiplyAddFp16"/>, A and B in bf16.</summary>
    [IntrinsicImplementation]
    [Ptx("{ .reg .pred p; setp.ne.b32 p, $2, 0; "
        + "wgmma.mma_async.sync.aligned.m64n256k16.f32.bf16.bf16 {%sum<128>}, $0, $1, p, 1, 1, $i3, $i4; }")]
    public static void MultiplyAddBf16(long a, long b, int accumulate, int transposeA, int transposeB) => throw new NotSupportedException();

    /// <summary>Closes a group of products.</summary>
    [IntrinsicImplementation, Ptx("wgmma.commit_group.sync.aligned;")]
    public static void Commit() => throw new NotSupportedException();

    /// <summary>Waits for all groups but the last.</summary>
    [IntrinsicImplementation, Ptx("wgmma.wait_group.sync.aligned 1;")]
    public static void AwaitAllButOne() => throw new NotSupportedException();

    /// <summary>Waits for all groups.</summary>
    [IntrinsicImplementation, Ptx("wgmma.wait_group.sync.aligned 0;")]
    public static void AwaitAll() => throw new NotSupportedException();
}
