using System.Runtime.CompilerServices;
using Cliper.Kernels.Gpu.DeviceCode;
using ILGPU;

namespace Cliper.Kernels.Operations;

/// <summary>
/// Attention on tensor cores in the form of FlashAttention-2 (Dao 2023, arXiv 2307.08691): heads of up to 64, 16-bit
/// operands, the softmax in fp32 and never in memory.
/// </summary>
/// <remarks>
/// A CTA owns 64 or 128 rows of one head of one sample, 16 rows a warp, and keeps them in registers as A fragments.
/// It streams the other side through shared memory in tiles of 64 rows, double-buffered with cp.async. Within a tile
/// it takes fragments of 16 rows as far as there are any, so that padding and what a causal mask hides cost nothing;
/// only fragments at those edges are masked. The backward pass has one kernel for dK and dV and one for dQ, each of
/// which owns what it writes: two GEMMs more than with atomic additions, and the same bits in every run.
/// <para>
/// Shared-memory tile: 64 rows of 128 bytes, one row per key or query of the head, 64 columns of 16 bits; columns
/// beyond the head size are zero. A row has eight 16-byte chunks; chunk c of row r lies at chunk c ^ (r % 8), so that
/// ldmatrix reads eight rows from different banks. Fragments are those of mma.m16n8k16, see
/// <see cref="Ptx.MmaFp16"/>: a lane has rows lane / 4 and lane / 4 + 8, and of every eight columns 2 (lane % 4) and
/// the next.
/// </para>
/// </remarks>
internal static partial class MmaSyncAttention
{
    /// <summary>Largest head size; a smaller head is padded with zeros.</summary>
    public const int MaxHeadSize = 64;

    // TileRows is the height of a shared-memory tile, FragmentRows the 16 rows (M, or two times N) of one mma.
    private const int TileRows = 64, FragmentRows = 16, RowBytes = 2 * MaxHeadSize,
        FragmentBytes = FragmentRows * RowBytes, TileBytes = TileRows * RowBytes;

    private const float Log2OfE = 1.44269504f, LogOf2 = 0.69314718f;

    /// <summary>The rows that a CTA owns, 16 a warp.</summary>
    private interface ICtaTile
    {
        static abstract int Warps { get; }

        /// <summary>Unrolls over the 16-byte copies that a thread makes of one tile.</summary>
        static abstract void ForCopies<TBody>(ref TBody body) where TBody : struct, IUnrolledBody;
    }

    [DeviceCode]
    private readonly struct Rows64 : ICtaTile
    {
        public static int Warps => 4;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static void ForCopies<TBody>(ref TBody body) where TBody : struct, IUnrolledBody =>
            Unroll4.For(ref body);
    }

    [DeviceCode]
    private readonly struct Rows128 : ICtaTile
    {
        public static int Warps => 8;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static void ForCopies<TBody>(ref TBody body) where TBody : struct, IUnrolledBody =>
            Unroll2.For(ref body);
    }

    /// <summary>First of the 16 rows that this warp owns.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static int FirstRowOfWarp<TTile>() where TTile : struct, ICtaTile =>
        (Grid.IdxX * TTile.Warps + (Group.IdxX >> 5)) * FragmentRows;

    /// <summary>
    /// Shared-memory address of the first tile: a multiple of a row's bytes, so that the swizzle, which is defined on
    /// chunk numbers, can be applied to addresses.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static int SharedTiles() =>
        Ptx.SharedAddress(ref SharedMemory.GetDynamic<U4>()[0]) + RowBytes - 1 & -RowBytes;

    /// <summary>Byte offset of a 16-byte chunk of a tile's row.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static int Swizzle(int row, int chunk) => row * RowBytes + ((chunk ^ (row & 7)) << 4);

    /// <summary>
    /// Offset in a tile that this lane passes to ldmatrix to load a 16x16 A fragment (row-major), or, with .trans, a
    /// B fragment stored [k][n]: rows 0 to 15, columns 0 to 15. The next 16 rows lie <see cref="FragmentBytes"/>
    /// further, the next 16 columns at <see cref="AtColumn"/>.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static int FragmentOffsetA(int lane) => Swizzle(row: lane & 15, chunk: lane >> 4);

    /// <summary>The same for a 16x16 B fragment stored [n][k] (K-major), without .trans.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static int FragmentOffsetB(int lane) => Swizzle(row: (lane & 7) + (lane >> 4 << 3), chunk: lane >> 3 & 1);

    /// <summary>
    /// Advances an address by so many times 16 columns, that is, two chunks each: an exclusive or, which the swizzle
    /// leaves valid.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static int AtColumn(int address, int sixteens) => address ^ sixteens << 5;

    /// <summary>
    /// Copies this thread's share of a tile from global to shared memory: 16 bytes of row <see cref="Row"/> and of
    /// every <see cref="RowsAtOnce"/>-th row after it.
    /// </summary>
    [DeviceCode]
    private struct TileCopy : IUnrolledBody
    {
        // From is the chunk's address in row 0 of the head, To that in the thread's first row of the tile. Row lies
        // beyond all rows where the chunk is not in the head.
        public long From;
        public int To, Row, RowsAtOnce, StrideBytes, First, End;

        public void Run(int index)
        {
            int row = First + Row + index * RowsAtOnce;
            Ptx.CopyAsync(To + index * RowsAtOnce * RowBytes, Ptx.Offset(From, row, StrideBytes), row < End ? 16 : 0);
        }
    }

    /// <summary>Row 0 of this CTA's head in an operand that has so many rows a sample.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static GlobalPtr16<TDtype> HeadOf<TDtype>(GlobalPtr16<TDtype> x, int rows, int stride, int headSize)
        where TDtype : struct, IDtype16 =>
        new(Ptx.Offset(x.At(Grid.IdxY * headSize), Grid.IdxZ * rows, stride * 2));

    /// <summary>This CTA's head in [samples, heads, count] fp32 numbers.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static GlobalPtrFp32 HeadOf(GlobalPtrFp32 x, int count) =>
        new(Ptx.Offset(x.At(0), Grid.IdxZ * Grid.DimY + Grid.IdxY, count * 4));

    /// <summary>This thread's copies of an operand's tiles, before the tile and its rows are known.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static TileCopy TileCopyOf<TDtype>(GlobalPtr16<TDtype> source, int rows, int stride, int headSize,
        int warps)
        where TDtype : struct, IDtype16
    {
        int chunk = Group.IdxX & 7;
        return new TileCopy
        {
            From = HeadOf(source, rows, stride, headSize).At(chunk * 8),
            RowsAtOnce = warps * 4,
            StrideBytes = stride * 2,
            Row = chunk * 8 < headSize ? Group.IdxX >> 3 : int.MaxValue / 2,
            To = Swizzle(Group.IdxX >> 3, chunk),
        };
    }

    /// <summary>
    /// Starts copying rows [first, first + 64) to a tile; rows from <paramref name="end"/> on, and columns beyond the
    /// head, become zero.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void CopyTile<TTile>(TileCopy copy, int tile, int first, int end) where TTile : struct, ICtaTile
    {
        copy.To += tile;
        (copy.First, copy.End) = (first, end);
        TTile.ForCopies(ref copy);
    }

    /// <summary>Starts copying the rows that the CTA owns, 16 a warp, in the same way.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void CopyOwnRows(TileCopy copy, int tile, int first, int end)
    {
        copy.To += tile;
        (copy.First, copy.End) = (first, end);
        Unroll4.For(ref copy);
    }

    [DeviceCode]
    private struct ZeroBody : IUnrolledBody
    {
        public ArrayView<F4> Accumulators;

        public void Run(int index) => Accumulators[index] = default;
    }

    [DeviceCode]
    private struct LoadFragmentBody : IUnrolledBody
    {
        public ArrayView<U4> Fragments;
        public int Address;

        public void Run(int index) => Fragments[index] = Ptx.LoadMatrices(AtColumn(Address, index));
    }

    /// <summary>
    /// Loads the 16 rows at an address of shared memory as four A fragments, one per 16 columns of the head.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void LoadFragmentsA(ArrayView<U4> fragments, int address, int lane)
    {
        var body = new LoadFragmentBody { Fragments = fragments, Address = address + FragmentOffsetA(lane) };
        Unroll4.For(ref body);
    }

    /// <summary>
    /// D[16 x 16] += A[16 x 16] B[16 x 16], D being accumulators 2 <paramref name="pair"/> and the next.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Mma<TDtype>(ArrayView<F4> accumulators, int pair, U4 a, U4 b) where TDtype : struct, IDtype16
    {
        accumulators[2 * pair] = TDtype.Mma(accumulators[2 * pair], a, b.X, b.Y);
        accumulators[2 * pair + 1] = TDtype.Mma(accumulators[2 * pair + 1], a, b.Z, b.W);
    }
}
