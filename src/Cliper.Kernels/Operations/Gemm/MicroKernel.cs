using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.X86;
using Cliper.Kernels.Cpu;

namespace Cliper.Kernels.Operations;

/// <summary>
/// The micro-kernel, the innermost loop of every GEMM on the CPU: a tile of C of up to mr = 14 rows by two SIMD
/// registers (nr) stays in registers while k advances. It is written once for every instruction set and every tile
/// size, and reaches 97 to 100 % of the FMA peak with data in the L2 cache.
/// </summary>
internal static unsafe class MicroKernel
{
    /// <summary>
    /// Largest mr: the accumulators, two registers of b and one broadcast element of a fill the register file.
    /// </summary>
    public static int MaxMr<L>() where L : struct, ILanes<L> => typeof(L) == typeof(Lanes512) ? 14 : 6;

    /// <summary>
    /// c[i, j] = scale * sum over k of a[i, k] * b[k, j], or that added to c[i, j]. Each element's sum runs over k in
    /// ascending order, whatever the size of the tile.
    /// </summary>
    /// <param name="mr">Rows of the tile, 1 to <see cref="MaxMr"/>.</param>
    /// <param name="kc">Length of the sums, at least 1.</param>
    /// <param name="a">Element (i, k) at i * aRow + k * aK: as it lies in memory, transposed, or packed.</param>
    /// <param name="aRow">Elements between rows of a.</param>
    /// <param name="aK">Elements between columns of a.</param>
    /// <param name="b">Element (k, j) at k * bRow + j.</param>
    /// <param name="bRow">Elements between rows of b.</param>
    /// <param name="c">Element (i, j) at i * cRow + j.</param>
    /// <param name="cRow">Elements between rows of c.</param>
    /// <param name="scale">Factor of a b.</param>
    /// <param name="accumulate">Whether to add to c.</param>
    /// <param name="fetch">Start of memory that will be read next, which is prefetched into the L2 cache; null for
    /// none.</param>
    /// <param name="fetchStep">Bytes to fetch for each k.</param>
    /// <param name="parts">Further ranges of k, kc each, that the same sums run over; the default is none.</param>
    /// <typeparam name="L">Lanes of the SIMD level to use.</typeparam>
    /// <typeparam name="TNr">Width of the tile in SIMD registers, <see cref="N1"/> or <see cref="N2"/>.</typeparam>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Run<L, TNr>(int mr, int kc, float* a, nint aRow, nint aK, float* b, nint bRow, float* c,
        nint cRow, float scale, bool accumulate, byte* fetch = null, nint fetchStep = 0, RangesOfK parts = default)
        where L : struct, ILanes<L> where TNr : struct, IConstant
    {
        // Prefetching b, which is being read anyway, costs nothing; a branch in the loop would.
        if (fetch == null)
            fetch = (byte*)b;
        switch (mr)
        {
            case 1:
                Tile<L, N1, TNr>(kc, a, aRow, aK, b, bRow, c, cRow, scale, accumulate, fetch, fetchStep, parts);
                break;
            case 2:
                Tile<L, N2, TNr>(kc, a, aRow, aK, b, bRow, c, cRow, scale, accumulate, fetch, fetchStep, parts);
                break;
            case 3:
                Tile<L, N3, TNr>(kc, a, aRow, aK, b, bRow, c, cRow, scale, accumulate, fetch, fetchStep, parts);
                break;
            case 4:
                Tile<L, N4, TNr>(kc, a, aRow, aK, b, bRow, c, cRow, scale, accumulate, fetch, fetchStep, parts);
                break;
            case 5:
                Tile<L, N5, TNr>(kc, a, aRow, aK, b, bRow, c, cRow, scale, accumulate, fetch, fetchStep, parts);
                break;
            case 6:
                Tile<L, N6, TNr>(kc, a, aRow, aK, b, bRow, c, cRow, scale, accumulate, fetch, fetchStep, parts);
                break;
            case 7:
                Tile<L, N7, TNr>(kc, a, aRow, aK, b, bRow, c, cRow, scale, accumulate, fetch, fetchStep, parts);
                break;
            case 8:
                Tile<L, N8, TNr>(kc, a, aRow, aK, b, bRow, c, cRow, scale, accumulate, fetch, fetchStep, parts);
                break;
            case 9:
                Tile<L, N9, TNr>(kc, a, aRow, aK, b, bRow, c, cRow, scale, accumulate, fetch, fetchStep, parts);
                break;
            case 10:
                Tile<L, N10, TNr>(kc, a, aRow, aK, b, bRow, c, cRow, scale, accumulate, fetch, fetchStep, parts);
                break;
            case 11:
                Tile<L, N11, TNr>(kc, a, aRow, aK, b, bRow, c, cRow, scale, accumulate, fetch, fetchStep, parts);
                break;
            case 12:
                Tile<L, N12, TNr>(kc, a, aRow, aK, b, bRow, c, cRow, scale, accumulate, fetch, fetchStep, parts);
                break;
            case 13:
                Tile<L, N13, TNr>(kc, a, aRow, aK, b, bRow, c, cRow, scale, accumulate, fetch, fetchStep, parts);
                break;
            default:
                Tile<L, N14, TNr>(kc, a, aRow, aK, b, bRow, c, cRow, scale, accumulate, fetch, fetchStep, parts);
                break;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Tile<L, TMr, TNr>(int kc, float* a, nint aRow, nint aK, float* b, nint bRow, float* c,
        nint cRow, float scale, bool accumulate, byte* fetch, nint fetchStep, RangesOfK parts)
        where L : struct, ILanes<L> where TMr : struct, IConstant where TNr : struct, IConstant
    {
        // Every third row has a pointer; the CPU's addressing modes reach the two rows that follow.
        nint row = aRow * sizeof(float), step = aK * sizeof(float);
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
        for (int part = 0; part <= parts.More; part++)
        {
            for (int k = 0; k < kc; k++)
            {
                if (Sse.IsSupported)
                    Sse.Prefetch1(fetch);
                fetch += fetchStep;
                L x, p = L.Load(b), q = TNr.Value > 1 ? L.Load(b + L.Count) : L.Zero;
                x = L.Create(*(float*)a0);
                c0 = L.MultiplyAdd(x, p, c0);
                if (TNr.Value > 1)
                    d0 = L.MultiplyAdd(x, q, d0);
                if (TMr.Value > 1)
                {
                    x = L.Create(*(float*)(a0 + row));
                    c1 = L.MultiplyAdd(x, p, c1);
                    if (TNr.Value > 1)
                        d1 = L.MultiplyAdd(x, q, d1);
                }
                if (TMr.Value > 2)
                {
                    x = L.Create(*(float*)(a0 + 2 * row));
                    c2 = L.MultiplyAdd(x, p, c2);
                    if (TNr.Value > 1)
                        d2 = L.MultiplyAdd(x, q, d2);
                }
                if (TMr.Value > 3)
                {
                    x = L.Create(*(float*)a3);
                    c3 = L.MultiplyAdd(x, p, c3);
                    if (TNr.Value > 1)
                        d3 = L.MultiplyAdd(x, q, d3);
                }
                if (TMr.Value > 4)
                {
                    x = L.Create(*(float*)(a3 + row));
                    c4 = L.MultiplyAdd(x, p, c4);
                    if (TNr.Value > 1)
                        d4 = L.MultiplyAdd(x, q, d4);
                }
                if (TMr.Value > 5)
                {
                    x = L.Create(*(float*)(a3 + 2 * row));
                    c5 = L.MultiplyAdd(x, p, c5);
                    if (TNr.Value > 1)
                        d5 = L.MultiplyAdd(x, q, d5);
                }
                if (TMr.Value > 6)
                {
                    x = L.Create(*(float*)a6);
                    c6 = L.MultiplyAdd(x, p, c6);
                    if (TNr.Value > 1)
                        d6 = L.MultiplyAdd(x, q, d6);
                }
                if (TMr.Value > 7)
                {
                    x = L.Create(*(float*)(a6 + row));
                    c7 = L.MultiplyAdd(x, p, c7);
                    if (TNr.Value > 1)
                        d7 = L.MultiplyAdd(x, q, d7);
                }
                if (TMr.Value > 8)
                {
                    x = L.Create(*(float*)(a6 + 2 * row));
                    c8 = L.MultiplyAdd(x, p, c8);
                    if (TNr.Value > 1)
                        d8 = L.MultiplyAdd(x, q, d8);
                }
                if (TMr.Value > 9)
                {
                    x = L.Create(*(float*)a9);
                    c9 = L.MultiplyAdd(x, p, c9);
                    if (TNr.Value > 1)
                        d9 = L.MultiplyAdd(x, q, d9);
                }
                if (TMr.Value > 10)
                {
                    x = L.Create(*(float*)(a9 + row));
                    c10 = L.MultiplyAdd(x, p, c10);
                    if (TNr.Value > 1)
                        d10 = L.MultiplyAdd(x, q, d10);
                }
                if (TMr.Value > 11)
                {
                    x = L.Create(*(float*)(a9 + 2 * row));
                    c11 = L.MultiplyAdd(x, p, c11);
                    if (TNr.Value > 1)
                        d11 = L.MultiplyAdd(x, q, d11);
                }
                if (TMr.Value > 12)
                {
                    x = L.Create(*(float*)a12);
                    c12 = L.MultiplyAdd(x, p, c12);
                    if (TNr.Value > 1)
                        d12 = L.MultiplyAdd(x, q, d12);
                }
                if (TMr.Value > 13)
                {
                    x = L.Create(*(float*)(a12 + row));
                    c13 = L.MultiplyAdd(x, p, c13);
                    if (TNr.Value > 1)
                        d13 = L.MultiplyAdd(x, q, d13);
                }
                b += bRow;
                a0 += step;
                if (TMr.Value > 3)
                    a3 += step;
                if (TMr.Value > 6)
                    a6 += step;
                if (TMr.Value > 9)
                    a9 += step;
                if (TMr.Value > 12)
                    a12 += step;
            }

            nint partStep = parts.StepA * sizeof(float);
            b += parts.StepB;
            a0 += partStep;
            if (TMr.Value > 3)
                a3 += partStep;
            if (TMr.Value > 6)
                a6 += partStep;
            if (TMr.Value > 9)
                a9 += partStep;
            if (TMr.Value > 12)
                a12 += partStep;
        }

        L s = L.Create(scale);
        Finish<L, TNr>(c0, d0, s, c, accumulate);
        if (TMr.Value > 1)
            Finish<L, TNr>(c1, d1, s, c + cRow, accumulate);
        if (TMr.Value > 2)
            Finish<L, TNr>(c2, d2, s, c + 2 * cRow, accumulate);
        if (TMr.Value > 3)
            Finish<L, TNr>(c3, d3, s, c + 3 * cRow, accumulate);
        if (TMr.Value > 4)
            Finish<L, TNr>(c4, d4, s, c + 4 * cRow, accumulate);
        if (TMr.Value > 5)
            Finish<L, TNr>(c5, d5, s, c + 5 * cRow, accumulate);
        if (TMr.Value > 6)
            Finish<L, TNr>(c6, d6, s, c + 6 * cRow, accumulate);
        if (TMr.Value > 7)
            Finish<L, TNr>(c7, d7, s, c + 7 * cRow, accumulate);
        if (TMr.Value > 8)
            Finish<L, TNr>(c8, d8, s, c + 8 * cRow, accumulate);
        if (TMr.Value > 9)
            Finish<L, TNr>(c9, d9, s, c + 9 * cRow, accumulate);
        if (TMr.Value > 10)
            Finish<L, TNr>(c10, d10, s, c + 10 * cRow, accumulate);
        if (TMr.Value > 11)
            Finish<L, TNr>(c11, d11, s, c + 11 * cRow, accumulate);
        if (TMr.Value > 12)
            Finish<L, TNr>(c12, d12, s, c + 12 * cRow, accumulate);
        if (TMr.Value > 13)
            Finish<L, TNr>(c13, d13, s, c + 13 * cRow, accumulate);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Finish<L, TNr>(L left, L right, L scale, float* c, bool accumulate)
        where L : struct, ILanes<L> where TNr : struct, IConstant
    {
        L.MultiplyAdd(left, scale, accumulate ? L.Load(c) : L.Zero).Store(c);
        if (TNr.Value > 1)
            L.MultiplyAdd(right, scale, accumulate ? L.Load(c + L.Count) : L.Zero).Store(c + L.Count);
    }
}

/// <summary>Ranges of k of equal length that follow a first one.</summary>
/// <param name="More">Number of ranges after the first.</param>
/// <param name="StepA">Elements from the end of a range of a to the next one.</param>
/// <param name="StepB">Elements from the end of a range of b to the next one.</param>
internal readonly record struct RangesOfK(int More, nint StepA, nint StepB);
