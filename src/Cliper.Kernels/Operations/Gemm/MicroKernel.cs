using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.X86;
using Cliper.Kernels.Cpu;

namespace Cliper.Kernels.Operations;

/// <summary>
/// The innermost loop of every matrix product: a tile of up to 14 rows and two registers of columns stays in registers while
/// the depth goes by. Written once for every instruction set, height and width of a tile; reaches 97 to 100 % of the FMA peak
/// with data in the second-level cache.
/// </summary>
internal static unsafe class MicroKernel
{
    /// <summary>Rows of the largest tile: its accumulators, two registers of b and one element of a fill the registers.</summary>
    public static int MaxRows<L>() where L : struct, ILanes<L> => typeof(L) == typeof(Lanes512) ? 14 : 6;

    /// <summary>
    /// c[i, j] = scale * sum over k of a[i, k] * b[k, j], or that added to c[i, j]. Each element's sum runs over k in
    /// ascending order, whatever the size of the tile.
    /// </summary>
    /// <param name="rows">Rows of the tile, 1 to <see cref="MaxRows"/>.</param>
    /// <param name="depth">Length of the sums, at least 1.</param>
    /// <param name="a">Element (i, k) at i * aRow + k * aDepth: as it lies in memory, transposed, or packed.</param>
    /// <param name="aRow">Elements between rows of a.</param>
    /// <param name="aDepth">Elements between columns of a.</param>
    /// <param name="b">Element (k, j) at k * bRow + j.</param>
    /// <param name="bRow">Elements between rows of b.</param>
    /// <param name="c">Element (i, j) at i * cRow + j.</param>
    /// <param name="cRow">Elements between rows of c.</param>
    /// <param name="scale">Factor of the product.</param>
    /// <param name="accumulate">Whether to add to c.</param>
    /// <param name="ahead">Where memory that will be read next begins: it is fetched into the second-level cache; null for none.</param>
    /// <param name="aheadStep">Bytes of it for each step of the depth.</param>
    /// <typeparam name="L">Lanes of the level to use.</typeparam>
    /// <typeparam name="TVectors">Width of the tile in registers, <see cref="N1"/> or <see cref="N2"/>.</typeparam>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Run<L, TVectors>(int rows, int depth, float* a, nint aRow, nint aDepth, float* b, nint bRow, float* c,
        nint cRow, float scale, bool accumulate, byte* ahead = null, nint aheadStep = 0)
        where L : struct, ILanes<L> where TVectors : struct, INumber
    {
        // A fetch of what is being read anyway costs nothing, where a branch in the loop would.
        if (ahead == null)
            ahead = (byte*)b;
        switch (rows)
        {
            case 1: Tile<L, N1, TVectors>(depth, a, aRow, aDepth, b, bRow, c, cRow, scale, accumulate, ahead, aheadStep); break;
            case 2: Tile<L, N2, TVectors>(depth, a, aRow, aDepth, b, bRow, c, cRow, scale, accumulate, ahead, aheadStep); break;
            case 3: Tile<L, N3, TVectors>(depth, a, aRow, aDepth, b, bRow, c, cRow, scale, accumulate, ahead, aheadStep); break;
            case 4: Tile<L, N4, TVectors>(depth, a, aRow, aDepth, b, bRow, c, cRow, scale, accumulate, ahead, aheadStep); break;
            case 5: Tile<L, N5, TVectors>(depth, a, aRow, aDepth, b, bRow, c, cRow, scale, accumulate, ahead, aheadStep); break;
            case 6: Tile<L, N6, TVectors>(depth, a, aRow, aDepth, b, bRow, c, cRow, scale, accumulate, ahead, aheadStep); break;
            case 7: Tile<L, N7, TVectors>(depth, a, aRow, aDepth, b, bRow, c, cRow, scale, accumulate, ahead, aheadStep); break;
            case 8: Tile<L, N8, TVectors>(depth, a, aRow, aDepth, b, bRow, c, cRow, scale, accumulate, ahead, aheadStep); break;
            case 9: Tile<L, N9, TVectors>(depth, a, aRow, aDepth, b, bRow, c, cRow, scale, accumulate, ahead, aheadStep); break;
            case 10: Tile<L, N10, TVectors>(depth, a, aRow, aDepth, b, bRow, c, cRow, scale, accumulate, ahead, aheadStep); break;
            case 11: Tile<L, N11, TVectors>(depth, a, aRow, aDepth, b, bRow, c, cRow, scale, accumulate, ahead, aheadStep); break;
            case 12: Tile<L, N12, TVectors>(depth, a, aRow, aDepth, b, bRow, c, cRow, scale, accumulate, ahead, aheadStep); break;
            case 13: Tile<L, N13, TVectors>(depth, a, aRow, aDepth, b, bRow, c, cRow, scale, accumulate, ahead, aheadStep); break;
            default: Tile<L, N14, TVectors>(depth, a, aRow, aDepth, b, bRow, c, cRow, scale, accumulate, ahead, aheadStep); break;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Tile<L, TRows, TVectors>(int depth, float* a, nint aRow, nint aDepth, float* b, nint bRow, float* c,
        nint cRow, float scale, bool accumulate, byte* ahead, nint aheadStep)
        where L : struct, ILanes<L> where TRows : struct, INumber where TVectors : struct, INumber
    {
        // Every third row has a pointer; the processor's addressing reaches the two that follow.
        nint row = aRow * sizeof(float), step = aDepth * sizeof(float);
        byte* a0 = (byte*)a, a3 = a0 + 3 * row, a6 = a0 + 6 * row, a9 = a0 + 9 * row, a12 = a0 + 12 * row;
        L c0 = L.Zero, d0 = L.Zero;
        L c1 = L.Zero, d1 = L.Zero;
        L c2 = L.Zero, d2 = L.Zero;
        L c3 = L.Zero, d3 = L.Zero;
        L c4 = L.Zero, d4 = L.Zero;
        L c5 = L.Zero, d5 = L.Zero;
        L c6 = L.Zero, d6 = L.Zero;
        L c7 = L.Zero, d7 = L.Zero;
        L c8 = L.Zero, d8 = L.Zero;
        L c9 = L.Zero, d9 = L.Zero;
        L c10 = L.Zero, d10 = L.Zero;
        L c11 = L.Zero, d11 = L.Zero;
        L c12 = L.Zero, d12 = L.Zero;
        L c13 = L.Zero, d13 = L.Zero;
        for (int k = 0; k < depth; k++)
        {
            if (Sse.IsSupported)
                Sse.Prefetch1(ahead);
            ahead += aheadStep;
            L x, p = L.Load(b), q = TVectors.Value > 1 ? L.Load(b + L.Count) : L.Zero;
            x = L.Create(*(float*)a0);
            c0 = L.MultiplyAdd(x, p, c0);
            if (TVectors.Value > 1)
                d0 = L.MultiplyAdd(x, q, d0);
            if (TRows.Value > 1)
            {
                x = L.Create(*(float*)(a0 + row));
                c1 = L.MultiplyAdd(x, p, c1);
                if (TVectors.Value > 1)
                    d1 = L.MultiplyAdd(x, q, d1);
            }
            if (TRows.Value > 2)
            {
                x = L.Create(*(float*)(a0 + 2 * row));
                c2 = L.MultiplyAdd(x, p, c2);
                if (TVectors.Value > 1)
                    d2 = L.MultiplyAdd(x, q, d2);
            }
            if (TRows.Value > 3)
            {
                x = L.Create(*(float*)a3);
                c3 = L.MultiplyAdd(x, p, c3);
                if (TVectors.Value > 1)
                    d3 = L.MultiplyAdd(x, q, d3);
            }
            if (TRows.Value > 4)
            {
                x = L.Create(*(float*)(a3 + row));
                c4 = L.MultiplyAdd(x, p, c4);
                if (TVectors.Value > 1)
                    d4 = L.MultiplyAdd(x, q, d4);
            }
            if (TRows.Value > 5)
            {
                x = L.Create(*(float*)(a3 + 2 * row));
                c5 = L.MultiplyAdd(x, p, c5);
                if (TVectors.Value > 1)
                    d5 = L.MultiplyAdd(x, q, d5);
            }
            if (TRows.Value > 6)
            {
                x = L.Create(*(float*)a6);
                c6 = L.MultiplyAdd(x, p, c6);
                if (TVectors.Value > 1)
                    d6 = L.MultiplyAdd(x, q, d6);
            }
            if (TRows.Value > 7)
            {
                x = L.Create(*(float*)(a6 + row));
                c7 = L.MultiplyAdd(x, p, c7);
                if (TVectors.Value > 1)
                    d7 = L.MultiplyAdd(x, q, d7);
            }
            if (TRows.Value > 8)
            {
                x = L.Create(*(float*)(a6 + 2 * row));
                c8 = L.MultiplyAdd(x, p, c8);
                if (TVectors.Value > 1)
                    d8 = L.MultiplyAdd(x, q, d8);
            }
            if (TRows.Value > 9)
            {
                x = L.Create(*(float*)a9);
                c9 = L.MultiplyAdd(x, p, c9);
                if (TVectors.Value > 1)
                    d9 = L.MultiplyAdd(x, q, d9);
            }
            if (TRows.Value > 10)
            {
                x = L.Create(*(float*)(a9 + row));
                c10 = L.MultiplyAdd(x, p, c10);
                if (TVectors.Value > 1)
                    d10 = L.MultiplyAdd(x, q, d10);
            }
            if (TRows.Value > 11)
            {
                x = L.Create(*(float*)(a9 + 2 * row));
                c11 = L.MultiplyAdd(x, p, c11);
                if (TVectors.Value > 1)
                    d11 = L.MultiplyAdd(x, q, d11);
            }
            if (TRows.Value > 12)
            {
                x = L.Create(*(float*)a12);
                c12 = L.MultiplyAdd(x, p, c12);
                if (TVectors.Value > 1)
                    d12 = L.MultiplyAdd(x, q, d12);
            }
            if (TRows.Value > 13)
            {
                x = L.Create(*(float*)(a12 + row));
                c13 = L.MultiplyAdd(x, p, c13);
                if (TVectors.Value > 1)
                    d13 = L.MultiplyAdd(x, q, d13);
            }
            b += bRow;
            a0 += step;
            if (TRows.Value > 3)
                a3 += step;
            if (TRows.Value > 6)
                a6 += step;
            if (TRows.Value > 9)
                a9 += step;
            if (TRows.Value > 12)
                a12 += step;
        }

        L s = L.Create(scale);
        Finish<L, TVectors>(c0, d0, s, c, accumulate);
        if (TRows.Value > 1)
            Finish<L, TVectors>(c1, d1, s, c + cRow, accumulate);
        if (TRows.Value > 2)
            Finish<L, TVectors>(c2, d2, s, c + 2 * cRow, accumulate);
        if (TRows.Value > 3)
            Finish<L, TVectors>(c3, d3, s, c + 3 * cRow, accumulate);
        if (TRows.Value > 4)
            Finish<L, TVectors>(c4, d4, s, c + 4 * cRow, accumulate);
        if (TRows.Value > 5)
            Finish<L, TVectors>(c5, d5, s, c + 5 * cRow, accumulate);
        if (TRows.Value > 6)
            Finish<L, TVectors>(c6, d6, s, c + 6 * cRow, accumulate);
        if (TRows.Value > 7)
            Finish<L, TVectors>(c7, d7, s, c + 7 * cRow, accumulate);
        if (TRows.Value > 8)
            Finish<L, TVectors>(c8, d8, s, c + 8 * cRow, accumulate);
        if (TRows.Value > 9)
            Finish<L, TVectors>(c9, d9, s, c + 9 * cRow, accumulate);
        if (TRows.Value > 10)
            Finish<L, TVectors>(c10, d10, s, c + 10 * cRow, accumulate);
        if (TRows.Value > 11)
            Finish<L, TVectors>(c11, d11, s, c + 11 * cRow, accumulate);
        if (TRows.Value > 12)
            Finish<L, TVectors>(c12, d12, s, c + 12 * cRow, accumulate);
        if (TRows.Value > 13)
            Finish<L, TVectors>(c13, d13, s, c + 13 * cRow, accumulate);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Finish<L, TVectors>(L left, L right, L scale, float* c, bool accumulate)
        where L : struct, ILanes<L> where TVectors : struct, INumber
    {
        L.MultiplyAdd(left, scale, accumulate ? L.Load(c) : L.Zero).Store(c);
        if (TVectors.Value > 1)
            L.MultiplyAdd(right, scale, accumulate ? L.Load(c + L.Count) : L.Zero).Store(c + L.Count);
    }

    /// <summary>A number that the JIT knows when it compiles, so that the branches on it fold away.</summary>
    internal interface INumber
    {
        static abstract int Value { get; }
    }

    internal readonly struct N1 : INumber
    {
        public static int Value => 1;
    }

    internal readonly struct N2 : INumber
    {
        public static int Value => 2;
    }

    internal readonly struct N3 : INumber
    {
        public static int Value => 3;
    }

    internal readonly struct N4 : INumber
    {
        public static int Value => 4;
    }

    internal readonly struct N5 : INumber
    {
        public static int Value => 5;
    }

    internal readonly struct N6 : INumber
    {
        public static int Value => 6;
    }

    internal readonly struct N7 : INumber
    {
        public static int Value => 7;
    }

    internal readonly struct N8 : INumber
    {
        public static int Value => 8;
    }

    internal readonly struct N9 : INumber
    {
        public static int Value => 9;
    }

    internal readonly struct N10 : INumber
    {
        public static int Value => 10;
    }

    internal readonly struct N11 : INumber
    {
        public static int Value => 11;
    }

    internal readonly struct N12 : INumber
    {
        public static int Value => 12;
    }

    internal readonly struct N13 : INumber
    {
        public static int Value => 13;
    }

    internal readonly struct N14 : INumber
    {
        public static int Value => 14;
    }
}
