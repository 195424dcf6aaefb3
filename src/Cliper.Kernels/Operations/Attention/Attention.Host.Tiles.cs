using System.Runtime.CompilerServices;
using Cliper.Kernels.Simd;

namespace Cliper.Kernels.Operations;

public static unsafe partial class Attention
{
    private const int MaxRows = 12;

    /// <summary>A number that the JIT knows when it compiles a tile.</summary>
    private interface INumber
    {
        static abstract int Value { get; }
    }

    private readonly struct N1 : INumber
    {
        public static int Value => 1;
    }

    private readonly struct N2 : INumber
    {
        public static int Value => 2;
    }

    private readonly struct N3 : INumber
    {
        public static int Value => 3;
    }

    private readonly struct N4 : INumber
    {
        public static int Value => 4;
    }

    private readonly struct N5 : INumber
    {
        public static int Value => 5;
    }

    private readonly struct N6 : INumber
    {
        public static int Value => 6;
    }

    private readonly struct N7 : INumber
    {
        public static int Value => 7;
    }

    private readonly struct N8 : INumber
    {
        public static int Value => 8;
    }

    private readonly struct N9 : INumber
    {
        public static int Value => 9;
    }

    private readonly struct N10 : INumber
    {
        public static int Value => 10;
    }

    private readonly struct N11 : INumber
    {
        public static int Value => 11;
    }

    private readonly struct N12 : INumber
    {
        public static int Value => 12;
    }

    /// <summary>
    /// c (+)= a b for a of [rows, depth], b of [depth, columns] and c of [rows, columns], all within cache.
    /// </summary>
    /// <param name="rows">Rows of c.</param>
    /// <param name="columns">Columns of c; a multiple of V.Count.</param>
    /// <param name="depth">Terms of each sum, at least 1; added in order.</param>
    /// <param name="a">Element (i, k) at i * aRow + k * aStep: as it stands or transposed.</param>
    /// <param name="aRow">See <paramref name="a"/>.</param>
    /// <param name="aStep">See <paramref name="a"/>.</param>
    /// <param name="b">Right factor.</param>
    /// <param name="c">Product.</param>
    /// <param name="add">Whether to add to c.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Multiply<V>(int rows, int columns, int depth, float* a, nint aRow, nint aStep, Rows b, Rows c,
        bool add) where V : struct, ILanes<V>
    {
        // Accumulators, two of b and one of a have to fit the registers: 32 with AVX-512, else 16.
        int most = typeof(V) == typeof(Lanes512) ? MaxRows : MaxRows / 2;
        int blocks = (rows + most - 1) / most;
        for (int column = 0; column < columns; column += 2 * V.Count)
        {
            bool pair = column + V.Count < columns;
            for (int block = 0, row = 0; block < blocks; block++)
            {
                // Blocks of nearly equal height: a last block of one row would wait for its few sums.
                int end = (int)((long)rows * (block + 1) / blocks);
                float* at = a + row * aRow, target = c.From(row).First + column;
                if (pair)
                    Tile<V, N2>(end - row, depth, at, aRow, aStep, b.First + column, b.Stride, target, c.Stride, add);
                else
                    Tile<V, N1>(end - row, depth, at, aRow, aStep, b.First + column, b.Stride, target, c.Stride, add);
                row = end;
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Tile<V, TVectors>(int rows, int depth, float* a, nint aRow, nint aStep, float* b, nint bRow,
        float* c, nint cRow, bool add) where V : struct, ILanes<V> where TVectors : struct, INumber
    {
        switch (rows)
        {
            case 1: Tile<V, N1, TVectors>(depth, a, aRow, aStep, b, bRow, c, cRow, add); break;
            case 2: Tile<V, N2, TVectors>(depth, a, aRow, aStep, b, bRow, c, cRow, add); break;
            case 3: Tile<V, N3, TVectors>(depth, a, aRow, aStep, b, bRow, c, cRow, add); break;
            case 4: Tile<V, N4, TVectors>(depth, a, aRow, aStep, b, bRow, c, cRow, add); break;
            case 5: Tile<V, N5, TVectors>(depth, a, aRow, aStep, b, bRow, c, cRow, add); break;
            case 6: Tile<V, N6, TVectors>(depth, a, aRow, aStep, b, bRow, c, cRow, add); break;
            case 7: Tile<V, N7, TVectors>(depth, a, aRow, aStep, b, bRow, c, cRow, add); break;
            case 8: Tile<V, N8, TVectors>(depth, a, aRow, aStep, b, bRow, c, cRow, add); break;
            case 9: Tile<V, N9, TVectors>(depth, a, aRow, aStep, b, bRow, c, cRow, add); break;
            case 10: Tile<V, N10, TVectors>(depth, a, aRow, aStep, b, bRow, c, cRow, add); break;
            case 11: Tile<V, N11, TVectors>(depth, a, aRow, aStep, b, bRow, c, cRow, add); break;
            case 12: Tile<V, N12, TVectors>(depth, a, aRow, aStep, b, bRow, c, cRow, add); break;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Tile<V, TRows, TVectors>(int depth, float* a, nint aRow, nint aStep, float* b, nint bRow, float* c,
        nint cRow, bool add)
        where V : struct, ILanes<V> where TRows : struct, INumber where TVectors : struct, INumber
    {
        // Every third row has a pointer; x86 reaches the two that follow with index registers.
        nint row = aRow * sizeof(float), step = aStep * sizeof(float);
        byte* a0 = (byte*)a, a3 = a0 + 3 * row, a6 = a0 + 6 * row, a9 = a0 + 9 * row;
        V c0 = V.Zero, d0 = V.Zero;
        V c1 = V.Zero, d1 = V.Zero;
        V c2 = V.Zero, d2 = V.Zero;
        V c3 = V.Zero, d3 = V.Zero;
        V c4 = V.Zero, d4 = V.Zero;
        V c5 = V.Zero, d5 = V.Zero;
        V c6 = V.Zero, d6 = V.Zero;
        V c7 = V.Zero, d7 = V.Zero;
        V c8 = V.Zero, d8 = V.Zero;
        V c9 = V.Zero, d9 = V.Zero;
        V c10 = V.Zero, d10 = V.Zero;
        V c11 = V.Zero, d11 = V.Zero;
        if (add)
        {
            if (TRows.Value > 0)
            {
                c0 = V.Load(c + 0 * cRow);
                if (TVectors.Value > 1)
                    d0 = V.Load(c + 0 * cRow + V.Count);
            }
            if (TRows.Value > 1)
            {
                c1 = V.Load(c + 1 * cRow);
                if (TVectors.Value > 1)
                    d1 = V.Load(c + 1 * cRow + V.Count);
            }
            if (TRows.Value > 2)
            {
                c2 = V.Load(c + 2 * cRow);
                if (TVectors.Value > 1)
                    d2 = V.Load(c + 2 * cRow + V.Count);
            }
            if (TRows.Value > 3)
            {
                c3 = V.Load(c + 3 * cRow);
                if (TVectors.Value > 1)
                    d3 = V.Load(c + 3 * cRow + V.Count);
            }
            if (TRows.Value > 4)
            {
                c4 = V.Load(c + 4 * cRow);
                if (TVectors.Value > 1)
                    d4 = V.Load(c + 4 * cRow + V.Count);
            }
            if (TRows.Value > 5)
            {
                c5 = V.Load(c + 5 * cRow);
                if (TVectors.Value > 1)
                    d5 = V.Load(c + 5 * cRow + V.Count);
            }
            if (TRows.Value > 6)
            {
                c6 = V.Load(c + 6 * cRow);
                if (TVectors.Value > 1)
                    d6 = V.Load(c + 6 * cRow + V.Count);
            }
            if (TRows.Value > 7)
            {
                c7 = V.Load(c + 7 * cRow);
                if (TVectors.Value > 1)
                    d7 = V.Load(c + 7 * cRow + V.Count);
            }
            if (TRows.Value > 8)
            {
                c8 = V.Load(c + 8 * cRow);
                if (TVectors.Value > 1)
                    d8 = V.Load(c + 8 * cRow + V.Count);
            }
            if (TRows.Value > 9)
            {
                c9 = V.Load(c + 9 * cRow);
                if (TVectors.Value > 1)
                    d9 = V.Load(c + 9 * cRow + V.Count);
            }
            if (TRows.Value > 10)
            {
                c10 = V.Load(c + 10 * cRow);
                if (TVectors.Value > 1)
                    d10 = V.Load(c + 10 * cRow + V.Count);
            }
            if (TRows.Value > 11)
            {
                c11 = V.Load(c + 11 * cRow);
                if (TVectors.Value > 1)
                    d11 = V.Load(c + 11 * cRow + V.Count);
            }
        }
        for (int k = 0; k < depth; k++)
        {
            V x, p = V.Load(b), q = TVectors.Value > 1 ? V.Load(b + V.Count) : V.Zero;
            if (TRows.Value > 0)
            {
                x = V.Create(*(float*)(a0));
                c0 = V.MultiplyAdd(x, p, c0);
                if (TVectors.Value > 1)
                    d0 = V.MultiplyAdd(x, q, d0);
            }
            if (TRows.Value > 1)
            {
                x = V.Create(*(float*)(a0 + row));
                c1 = V.MultiplyAdd(x, p, c1);
                if (TVectors.Value > 1)
                    d1 = V.MultiplyAdd(x, q, d1);
            }
            if (TRows.Value > 2)
            {
                x = V.Create(*(float*)(a0 + 2 * row));
                c2 = V.MultiplyAdd(x, p, c2);
                if (TVectors.Value > 1)
                    d2 = V.MultiplyAdd(x, q, d2);
            }
            if (TRows.Value > 3)
            {
                x = V.Create(*(float*)(a3));
                c3 = V.MultiplyAdd(x, p, c3);
                if (TVectors.Value > 1)
                    d3 = V.MultiplyAdd(x, q, d3);
            }
            if (TRows.Value > 4)
            {
                x = V.Create(*(float*)(a3 + row));
                c4 = V.MultiplyAdd(x, p, c4);
                if (TVectors.Value > 1)
                    d4 = V.MultiplyAdd(x, q, d4);
            }
            if (TRows.Value > 5)
            {
                x = V.Create(*(float*)(a3 + 2 * row));
                c5 = V.MultiplyAdd(x, p, c5);
                if (TVectors.Value > 1)
                    d5 = V.MultiplyAdd(x, q, d5);
            }
            if (TRows.Value > 6)
            {
                x = V.Create(*(float*)(a6));
                c6 = V.MultiplyAdd(x, p, c6);
                if (TVectors.Value > 1)
                    d6 = V.MultiplyAdd(x, q, d6);
            }
            if (TRows.Value > 7)
            {
                x = V.Create(*(float*)(a6 + row));
                c7 = V.MultiplyAdd(x, p, c7);
                if (TVectors.Value > 1)
                    d7 = V.MultiplyAdd(x, q, d7);
            }
            if (TRows.Value > 8)
            {
                x = V.Create(*(float*)(a6 + 2 * row));
                c8 = V.MultiplyAdd(x, p, c8);
                if (TVectors.Value > 1)
                    d8 = V.MultiplyAdd(x, q, d8);
            }
            if (TRows.Value > 9)
            {
                x = V.Create(*(float*)(a9));
                c9 = V.MultiplyAdd(x, p, c9);
                if (TVectors.Value > 1)
                    d9 = V.MultiplyAdd(x, q, d9);
            }
            if (TRows.Value > 10)
            {
                x = V.Create(*(float*)(a9 + row));
                c10 = V.MultiplyAdd(x, p, c10);
                if (TVectors.Value > 1)
                    d10 = V.MultiplyAdd(x, q, d10);
            }
            if (TRows.Value > 11)
            {
                x = V.Create(*(float*)(a9 + 2 * row));
                c11 = V.MultiplyAdd(x, p, c11);
                if (TVectors.Value > 1)
                    d11 = V.MultiplyAdd(x, q, d11);
            }
            b += bRow;
            a0 += step;
            if (TRows.Value > 3)
                a3 += step;
            if (TRows.Value > 6)
                a6 += step;
            if (TRows.Value > 9)
                a9 += step;
        }
        if (TRows.Value > 0)
        {
            c0.Store(c + 0 * cRow);
            if (TVectors.Value > 1)
                d0.Store(c + 0 * cRow + V.Count);
        }
        if (TRows.Value > 1)
        {
            c1.Store(c + 1 * cRow);
            if (TVectors.Value > 1)
                d1.Store(c + 1 * cRow + V.Count);
        }
        if (TRows.Value > 2)
        {
            c2.Store(c + 2 * cRow);
            if (TVectors.Value > 1)
                d2.Store(c + 2 * cRow + V.Count);
        }
        if (TRows.Value > 3)
        {
            c3.Store(c + 3 * cRow);
            if (TVectors.Value > 1)
                d3.Store(c + 3 * cRow + V.Count);
        }
        if (TRows.Value > 4)
        {
            c4.Store(c + 4 * cRow);
            if (TVectors.Value > 1)
                d4.Store(c + 4 * cRow + V.Count);
        }
        if (TRows.Value > 5)
        {
            c5.Store(c + 5 * cRow);
            if (TVectors.Value > 1)
                d5.Store(c + 5 * cRow + V.Count);
        }
        if (TRows.Value > 6)
        {
            c6.Store(c + 6 * cRow);
            if (TVectors.Value > 1)
                d6.Store(c + 6 * cRow + V.Count);
        }
        if (TRows.Value > 7)
        {
            c7.Store(c + 7 * cRow);
            if (TVectors.Value > 1)
                d7.Store(c + 7 * cRow + V.Count);
        }
        if (TRows.Value > 8)
        {
            c8.Store(c + 8 * cRow);
            if (TVectors.Value > 1)
                d8.Store(c + 8 * cRow + V.Count);
        }
        if (TRows.Value > 9)
        {
            c9.Store(c + 9 * cRow);
            if (TVectors.Value > 1)
                d9.Store(c + 9 * cRow + V.Count);
        }
        if (TRows.Value > 10)
        {
            c10.Store(c + 10 * cRow);
            if (TVectors.Value > 1)
                d10.Store(c + 10 * cRow + V.Count);
        }
        if (TRows.Value > 11)
        {
            c11.Store(c + 11 * cRow);
            if (TVectors.Value > 1)
                d11.Store(c + 11 * cRow + V.Count);
        }
    }
}
