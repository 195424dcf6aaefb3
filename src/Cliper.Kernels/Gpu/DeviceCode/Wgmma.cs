using System.Runtime.CompilerServices;
using ILGPU;
using ILGPU.IR.Intrinsics;

namespace Cliper.Kernels.Gpu.DeviceCode;

/// <summary>
/// wgmma: the mma of a warpgroup (four warps) on Hopper's tensor cores.
/// </summary>
/// <remarks>
/// M, N, K = 64, 256, 16: D[M x N] += A[M x K] B[K x N], A and B of a 16-bit dtype, D in fp32. Both operands are read
/// from shared memory, asynchronously to the warps.
/// <para>
/// Fragment layout of D: warp w of the warpgroup has rows 16 w to 16 w + 15. With g = lane / 4 and q = 2 (lane % 4),
/// registers 4 j to 4 j + 3 of a lane are D[g, 8 j + q], D[g, 8 j + q + 1], D[g + 8, 8 j + q] and
/// D[g + 8, 8 j + q + 1].
/// </para>
/// <para>
/// PTX demands that nothing touches D between an instruction and the wait for it, copies from register to register
/// included. D therefore lives in registers of its own, which ILGPU does not know and the methods here name.
/// </para>
/// <para>
/// Layout of an operand in shared memory: blocks of 64 lines of 128 bytes, that is, 64 k by 64 m or n. In a K-major
/// operand a line is one m or n with 64 k, and blocks follow each other along M or N; in an MN-major operand a line
/// is one k with 64 m or n.
/// </para>
/// </remarks>
[DeviceCode]
internal static class Wgmma
{
    /// <summary>M of one instruction: rows of D.</summary>
    public const int M = 64;

    /// <summary>N of one instruction: columns of D.</summary>
    public const int N = 256;

    /// <summary>K of one instruction.</summary>
    public const int K = 16;

    /// <summary>K extent of a <see cref="Block"/>.</summary>
    public const int BlockK = 64;

    /// <summary>Bytes of a block of an operand, 64 lines.</summary>
    public const int Block = 64 * Line;

    /// <summary>
    /// Alignment of blocks in bytes. A kernel asks for as much more shared memory, because the driver promises only 16.
    /// </summary>
    public const int Alignment = Pattern;

    /// <summary>Bytes of a line.</summary>
    public const int Line = 128;

    // The swizzle repeats after eight lines.
    private const int Pattern = 8 * Line;

    /// <summary>Shared-memory address of the first block.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int SharedStart() =>
        (Ptx.SharedAddress(ref SharedMemory.GetDynamic<U4>()[0]) + Alignment - 1) & -Alignment;

    /// <summary>
    /// Byte offset in a block of a 16-byte chunk, given by its line and its position there: chunk c of line l lies at
    /// c ^ (l % 8), so that neither the chunks of a line nor those of eight lines share banks. The hardware does the
    /// same to the addresses that it forms, by their bits 7 to 9; blocks therefore begin at multiples of
    /// <see cref="Alignment"/>.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int Swizzle(int line, int chunk) => line * Line + ((chunk ^ (line & 7)) << 4);

    /// <summary>
    /// The matrix descriptor of an operand that begins at an address: address, distance of blocks and distance of
    /// groups of eight lines, in units of 16 bytes, and the 128-byte swizzle mode.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static long Descriptor(int shared) =>
        ((shared & 0x3FFFF) >> 4) | (long)(Block >> 4) << 16 | (long)(Pattern >> 4) << 32 | 1L << 62;

    /// <summary>
    /// Advances a descriptor, when added to it, by so many bytes, a multiple of <see cref="Alignment"/>.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int Ahead(int bytes) => bytes >> 4;

    /// <summary>Advances a descriptor, when added to it, by <see cref="K"/> k.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int NextK(bool isKMajor) => (isKMajor ? K * 2 : K * Line) >> 4;

    /// <summary>Declares the registers of D. A kernel calls it once, before everything else.</summary>
    [IntrinsicImplementation, Ptx(".reg .f32 %sum<128>;")]
    public static void Declare() => throw new NotSupportedException();

    /// <summary>
    /// Sets D to zero. This is needed before the first wgmma even if that one does not read D: otherwise ptxas sets D
    /// itself, between the wgmma, and serializes them.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Clear()
    {
        ClearBody body = default;
        Unroll128.For(ref body);
    }

    private struct ClearBody : IUnrolledBody
    {
        public void Run(int index) => Clear(index);
    }

    [IntrinsicImplementation, Ptx("mov.f32 %sum$i0, 0f00000000;")]
    private static void Clear(int register) => throw new NotSupportedException();

    /// <summary>Reads a register of D; <paramref name="register"/> is a constant to the compiler.</summary>
    [IntrinsicImplementation, Ptx("mov.f32 $0, %sum$i1;")]
    public static float Read(int register) => throw new NotSupportedException();

    /// <summary>wgmma.fence: orders accesses of this warp to D before the wgmma that follow.</summary>
    [IntrinsicImplementation, Ptx("wgmma.fence.sync.aligned;")]
    public static void Fence() => throw new NotSupportedException();

    /// <summary>
    /// fence.proxy.async: makes this thread's writes to shared memory visible to wgmma. It stands before the barrier
    /// at which the threads meet.
    /// </summary>
    [IntrinsicImplementation, Ptx("fence.proxy.async.shared::cta;")]
    public static void PublishShared() => throw new NotSupportedException();

    /// <summary>
    /// Starts D += A B, or D = A B when <paramref name="accumulate"/> is 0, for fp16 operands. The transpose flags,
    /// constants 0 or 1, are 1 for an MN-major operand.
    /// </summary>
    [IntrinsicImplementation]
    [Ptx("{ .reg .pred p; setp.ne.b32 p, $2, 0; "
        + "wgmma.mma_async.sync.aligned.m64n256k16.f32.f16.f16 {%sum<128>}, $0, $1, p, 1, 1, $i3, $i4; }")]
    public static void MultiplyAddFp16(long a, long b, int accumulate, int transposeA, int transposeB) =>
        throw new NotSupportedException();

    /// <summary>Does the same as <see cref="MultiplyAddFp16"/> for bf16 operands.</summary>
    [IntrinsicImplementation]
    [Ptx("{ .reg .pred p; setp.ne.b32 p, $2, 0; "
        + "wgmma.mma_async.sync.aligned.m64n256k16.f32.bf16.bf16 {%sum<128>}, $0, $1, p, 1, 1, $i3, $i4; }")]
    public static void MultiplyAddBf16(long a, long b, int accumulate, int transposeA, int transposeB) =>
        throw new NotSupportedException();

    /// <summary>wgmma.commit_group: closes a group of wgmma.</summary>
    [IntrinsicImplementation, Ptx("wgmma.commit_group.sync.aligned;")]
    public static void Commit() => throw new NotSupportedException();

    /// <summary>wgmma.wait_group 1: waits for all groups but the last.</summary>
    [IntrinsicImplementation, Ptx("wgmma.wait_group.sync.aligned 1;")]
    public static void AwaitAllButOne() => throw new NotSupportedException();

    /// <summary>wgmma.wait_group 0: waits for all groups.</summary>
    [IntrinsicImplementation, Ptx("wgmma.wait_group.sync.aligned 0;")]
    public static void AwaitAll() => throw new NotSupportedException();
}
