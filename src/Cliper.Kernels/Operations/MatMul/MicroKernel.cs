using System.Runtime.CompilerServices;

namespace Cliper.Kernels.Operations;

/// <summary>A number of rows that the JIT knows, so that the branches on it fold away.</summary>
internal interface IRows
{
    static abstract int Count { get; }
}

internal readonly struct Rows1 : IRows { public static int Count => 1; }

internal readonly struct Rows2 : IRows { public static int Count => 2; }

internal readonly struct Rows3 : IRows { public static int Count => 3; }

internal readonly struct Rows4 : IRows { public static int Count => 4; }

internal readonly struct Rows5 : IRows { public static int Count => 5; }

internal readonly struct Rows6 : IRows { public static int Count => 6; }

internal readonly struct Rows7 : IRows { public static int Count => 7; }

internal readonly struct Rows8 : IRows { public static int Count => 8; }

internal readonly struct Rows9 : IRows { public static int Count => 9; }

internal readonly struct Rows10 : IRows { public static int Count => 10; }

internal readonly struct Rows11 : IRows { public static int Count => 11; }

internal readonly struct Rows12 : IRows { public static int Count => 12; }

internal readonly struct Rows13 : IRows { public static int Count => 13; }

internal readonly struct Rows14 : IRows { public static int Count => 14; }

/// <summary>
/// The innermost loop of the matrix product: a tile of up to 14 rows and two registers of columns stays in registers while
/// the depth goes by. Written once for every instruction set and every number of rows; reaches 98 to 100 % of the FMA peak
/// with data in the second-level cache.
/// </summary>
internal static unsafe class MicroKernel
{
    /// <summary>
    /// c[i, j] = scale * sum over k of a[i, k] * b[k, j], or that added to c[i, j]. Each element's sum runs over k in
    /// ascending order, whatever the number of rows.
    /// </summary>
    /// <param name="a">Element (i, k) at i * rs + k * cs: packed (rs = 1) or as it lies in memory (cs = 1).</param>
    /// <param name="rs">Elements between rows of a.</param>
    /// <param name="cs">Elements between columns of a.</param>
    /// <param name="b">Packed panel, [depth, 2 registers].</param>
    /// <param name="c">Tile, two registers wide.</param>
    /// <param name="ldc">Elements between rows of c.</param>
    /// <param name="depth">Length of the sums, at least 1.</param>
    /// <param name="scale">Factor of the product.</param>
    /// <param name="accumulate">Whether to add to c.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Run<S, V, R>(float* a, nint rs, nint cs, float* b, float* c, nint ldc, nint depth, float scale,
        bool accumulate) where S : struct, IRegisters<V> where V : struct where R : struct, IRows
    {
        V c00 = default, c01 = default;
        V c10 = default, c11 = default;
        V c20 = default, c21 = default;
        V c30 = default, c31 = default;
        V c40 = default, c41 = default;
        V c50 = default, c51 = default;
        V c60 = default, c61 = default;
        V c70 = default, c71 = default;
        V c80 = default, c81 = default;
        V c90 = default, c91 = default;
        V c100 = default, c101 = default;
        V c110 = default, c111 = default;
        V c120 = default, c121 = default;
        V c130 = default, c131 = default;
        nint rs2 = 2 * rs, rs3 = 3 * rs;
        float* a0 = a, a4 = a + 4 * rs, a8 = a + 8 * rs, a12 = a + 12 * rs;
        do
        {
            V b0 = S.Load(b), b1 = S.Load(b + S.Lanes), x;
            x = S.Create(a0[0]);
            c00 = S.MultiplyAdd(x, b0, c00);
            c01 = S.MultiplyAdd(x, b1, c01);
            if (R.Count > 1)
            {
                x = S.Create(a0[rs]);
                c10 = S.MultiplyAdd(x, b0, c10);
                c11 = S.MultiplyAdd(x, b1, c11);
            }
            if (R.Count > 2)
            {
                x = S.Create(a0[rs2]);
                c20 = S.MultiplyAdd(x, b0, c20);
                c21 = S.MultiplyAdd(x, b1, c21);
            }
            if (R.Count > 3)
            {
                x = S.Create(a0[rs3]);
                c30 = S.MultiplyAdd(x, b0, c30);
                c31 = S.MultiplyAdd(x, b1, c31);
            }
            if (R.Count > 4)
            {
                x = S.Create(a4[0]);
                c40 = S.MultiplyAdd(x, b0, c40);
                c41 = S.MultiplyAdd(x, b1, c41);
            }
            if (R.Count > 5)
            {
                x = S.Create(a4[rs]);
                c50 = S.MultiplyAdd(x, b0, c50);
                c51 = S.MultiplyAdd(x, b1, c51);
            }
            if (R.Count > 6)
            {
                x = S.Create(a4[rs2]);
                c60 = S.MultiplyAdd(x, b0, c60);
                c61 = S.MultiplyAdd(x, b1, c61);
            }
            if (R.Count > 7)
            {
                x = S.Create(a4[rs3]);
                c70 = S.MultiplyAdd(x, b0, c70);
                c71 = S.MultiplyAdd(x, b1, c71);
            }
            if (R.Count > 8)
            {
                x = S.Create(a8[0]);
                c80 = S.MultiplyAdd(x, b0, c80);
                c81 = S.MultiplyAdd(x, b1, c81);
            }
            if (R.Count > 9)
            {
                x = S.Create(a8[rs]);
                c90 = S.MultiplyAdd(x, b0, c90);
                c91 = S.MultiplyAdd(x, b1, c91);
            }
            if (R.Count > 10)
            {
                x = S.Create(a8[rs2]);
                c100 = S.MultiplyAdd(x, b0, c100);
                c101 = S.MultiplyAdd(x, b1, c101);
            }
            if (R.Count > 11)
            {
                x = S.Create(a8[rs3]);
                c110 = S.MultiplyAdd(x, b0, c110);
                c111 = S.MultiplyAdd(x, b1, c111);
            }
            if (R.Count > 12)
            {
                x = S.Create(a12[0]);
                c120 = S.MultiplyAdd(x, b0, c120);
                c121 = S.MultiplyAdd(x, b1, c121);
            }
            if (R.Count > 13)
            {
                x = S.Create(a12[rs]);
                c130 = S.MultiplyAdd(x, b0, c130);
                c131 = S.MultiplyAdd(x, b1, c131);
            }
            a0 += cs;
            if (R.Count > 4)
                a4 += cs;
            if (R.Count > 8)
                a8 += cs;
            if (R.Count > 12)
                a12 += cs;
            b += 2 * S.Lanes;
        } while (--depth != 0);

        V s = S.Create(scale);
        Finish<S, V>(c00, c01, s, c, accumulate);
        if (R.Count > 1)
            Finish<S, V>(c10, c11, s, c + 1 * ldc, accumulate);
        if (R.Count > 2)
            Finish<S, V>(c20, c21, s, c + 2 * ldc, accumulate);
        if (R.Count > 3)
            Finish<S, V>(c30, c31, s, c + 3 * ldc, accumulate);
        if (R.Count > 4)
            Finish<S, V>(c40, c41, s, c + 4 * ldc, accumulate);
        if (R.Count > 5)
            Finish<S, V>(c50, c51, s, c + 5 * ldc, accumulate);
        if (R.Count > 6)
            Finish<S, V>(c60, c61, s, c + 6 * ldc, accumulate);
        if (R.Count > 7)
            Finish<S, V>(c70, c71, s, c + 7 * ldc, accumulate);
        if (R.Count > 8)
            Finish<S, V>(c80, c81, s, c + 8 * ldc, accumulate);
        if (R.Count > 9)
            Finish<S, V>(c90, c91, s, c + 9 * ldc, accumulate);
        if (R.Count > 10)
            Finish<S, V>(c100, c101, s, c + 10 * ldc, accumulate);
        if (R.Count > 11)
            Finish<S, V>(c110, c111, s, c + 11 * ldc, accumulate);
        if (R.Count > 12)
            Finish<S, V>(c120, c121, s, c + 12 * ldc, accumulate);
        if (R.Count > 13)
            Finish<S, V>(c130, c131, s, c + 13 * ldc, accumulate);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Finish<S, V>(V left, V right, V scale, float* c, bool accumulate)
        where S : struct, IRegisters<V> where V : struct
    {
        V toLeft = default, toRight = default;
        if (accumulate)
        {
            toLeft = S.Load(c);
            toRight = S.Load(c + S.Lanes);
        }
        S.Store(S.MultiplyAdd(left, scale, toLeft), c);
        S.Store(S.MultiplyAdd(right, scale, toRight), c + S.Lanes);
    }
}
