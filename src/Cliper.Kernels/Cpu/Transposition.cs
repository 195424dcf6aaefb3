using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Cliper.Kernels.Cpu;

/// <summary>Transposes blocks that lie in cache.</summary>
internal static unsafe class Transposition
{
    // Absent rows are read from here.
    private static readonly float[] Zeros = GC.AllocateArray<float>(Vector512<float>.Count, pinned: true);

    /// <summary>target[c, r] = source[r, c], and 0 for rows up to <paramref name="paddedRows"/>.</summary>
    /// <param name="source">Element (r, c) at r * sourceStride + c.</param>
    /// <param name="sourceStride">Elements from one row to the next.</param>
    /// <param name="rows">Rows of the source.</param>
    /// <param name="columns">Columns of the source, rows of the target.</param>
    /// <param name="target">Element (c, r) at c * targetStride + r.</param>
    /// <param name="targetStride">Elements from one row of the target to the next.</param>
    /// <param name="paddedRows">Columns of the target, a multiple of V.Count and at least
    /// <paramref name="rows"/>.</param>
    /// <typeparam name="V">Lanes of the level to use.</typeparam>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Run<V>(float* source, nint sourceStride, int rows, int columns, float* target, nint targetStride,
        int paddedRows) where V : struct, ILanes<V>
    {
        int whole = typeof(V) == typeof(LanesPortable) ? 0 : columns - columns % V.Count;
        float* zeros = (float*)Unsafe.AsPointer(ref Zeros[0]);
        for (int row = 0; row < paddedRows; row += V.Count)
        {
            float* from = source + row * sourceStride, to = target + row;
            int count = Math.Clamp(rows - row, 0, V.Count);
            for (int column = 0; column < whole; column += V.Count)
            {
                if (typeof(V) == typeof(Lanes512))
                    Tile16(from + column, sourceStride, count, zeros, to + column * targetStride, targetStride);
                else
                    Tile8(from + column, sourceStride, count, zeros, to + column * targetStride, targetStride);
            }
            for (int column = whole; column < columns; column++)
                for (int i = 0; i < V.Count; i++)
                    to[column * targetStride + i] = i < count ? from[i * sourceStride + column] : 0;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Tile16(float* s, nint stride, int rows, float* zeros, float* t, nint targetStride)
    {
        Vector512<float> r0 = Vector512.Load(0 < rows ? s : zeros);
        Vector512<float> r1 = Vector512.Load(1 < rows ? s + stride : zeros);
        Vector512<float> r2 = Vector512.Load(2 < rows ? s + 2 * stride : zeros);
        Vector512<float> r3 = Vector512.Load(3 < rows ? s + 3 * stride : zeros);
        Vector512<float> r4 = Vector512.Load(4 < rows ? s + 4 * stride : zeros);
        Vector512<float> r5 = Vector512.Load(5 < rows ? s + 5 * stride : zeros);
        Vector512<float> r6 = Vector512.Load(6 < rows ? s + 6 * stride : zeros);
        Vector512<float> r7 = Vector512.Load(7 < rows ? s + 7 * stride : zeros);
        Vector512<float> r8 = Vector512.Load(8 < rows ? s + 8 * stride : zeros);
        Vector512<float> r9 = Vector512.Load(9 < rows ? s + 9 * stride : zeros);
        Vector512<float> r10 = Vector512.Load(10 < rows ? s + 10 * stride : zeros);
        Vector512<float> r11 = Vector512.Load(11 < rows ? s + 11 * stride : zeros);
        Vector512<float> r12 = Vector512.Load(12 < rows ? s + 12 * stride : zeros);
        Vector512<float> r13 = Vector512.Load(13 < rows ? s + 13 * stride : zeros);
        Vector512<float> r14 = Vector512.Load(14 < rows ? s + 14 * stride : zeros);
        Vector512<float> r15 = Vector512.Load(15 < rows ? s + 15 * stride : zeros);
        // Pairs, then fours of rows side by side: lane group g of f(4i + j) holds column 4g + j of rows 4i to 4i + 3.
        Vector512<float> l0 = Avx512F.UnpackLow(r0, r1), h0 = Avx512F.UnpackHigh(r0, r1);
        Vector512<float> l2 = Avx512F.UnpackLow(r2, r3), h2 = Avx512F.UnpackHigh(r2, r3);
        Vector512<float> l4 = Avx512F.UnpackLow(r4, r5), h4 = Avx512F.UnpackHigh(r4, r5);
        Vector512<float> l6 = Avx512F.UnpackLow(r6, r7), h6 = Avx512F.UnpackHigh(r6, r7);
        Vector512<float> l8 = Avx512F.UnpackLow(r8, r9), h8 = Avx512F.UnpackHigh(r8, r9);
        Vector512<float> l10 = Avx512F.UnpackLow(r10, r11), h10 = Avx512F.UnpackHigh(r10, r11);
        Vector512<float> l12 = Avx512F.UnpackLow(r12, r13), h12 = Avx512F.UnpackHigh(r12, r13);
        Vector512<float> l14 = Avx512F.UnpackLow(r14, r15), h14 = Avx512F.UnpackHigh(r14, r15);
        Vector512<float> f0 = LowPairs(l0, l2), f1 = HighPairs(l0, l2);
        Vector512<float> f2 = LowPairs(h0, h2), f3 = HighPairs(h0, h2);
        Vector512<float> f4 = LowPairs(l4, l6), f5 = HighPairs(l4, l6);
        Vector512<float> f6 = LowPairs(h4, h6), f7 = HighPairs(h4, h6);
        Vector512<float> f8 = LowPairs(l8, l10), f9 = HighPairs(l8, l10);
        Vector512<float> f10 = LowPairs(h8, h10), f11 = HighPairs(h8, h10);
        Vector512<float> f12 = LowPairs(l12, l14), f13 = HighPairs(l12, l14);
        Vector512<float> f14 = LowPairs(h12, h14), f15 = HighPairs(h12, h14);
        Column(f0, f4, f8, f12, t, 4 * targetStride);
        Column(f1, f5, f9, f13, t + targetStride, 4 * targetStride);
        Column(f2, f6, f10, f14, t + 2 * targetStride, 4 * targetStride);
        Column(f3, f7, f11, f15, t + 3 * targetStride, 4 * targetStride);

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        static Vector512<float> LowPairs(Vector512<float> a, Vector512<float> b) =>
            Avx512F.UnpackLow(a.AsDouble(), b.AsDouble()).AsSingle();

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        static Vector512<float> HighPairs(Vector512<float> a, Vector512<float> b) =>
            Avx512F.UnpackHigh(a.AsDouble(), b.AsDouble()).AsSingle();

        // Transposes four registers of four lane groups and stores them, one every `step`.
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        static void Column(Vector512<float> a, Vector512<float> b, Vector512<float> c, Vector512<float> d,
            float* t, nint step)
        {
            const byte Even = 0b10_00_10_00, Odd = 0b11_01_11_01;
            Vector512<float> ab = Avx512F.Shuffle4x128(a, b, Even), cd = Avx512F.Shuffle4x128(c, d, Even);
            Vector512<float> oddAb = Avx512F.Shuffle4x128(a, b, Odd), oddCd = Avx512F.Shuffle4x128(c, d, Odd);
            Avx512F.Shuffle4x128(ab, cd, Even).Store(t);
            Avx512F.Shuffle4x128(oddAb, oddCd, Even).Store(t + step);
            Avx512F.Shuffle4x128(ab, cd, Odd).Store(t + 2 * step);
            Avx512F.Shuffle4x128(oddAb, oddCd, Odd).Store(t + 3 * step);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Tile8(float* s, nint stride, int rows, float* zeros, float* t, nint targetStride)
    {
        Vector256<float> r0 = Vector256.Load(0 < rows ? s : zeros);
        Vector256<float> r1 = Vector256.Load(1 < rows ? s + stride : zeros);
        Vector256<float> r2 = Vector256.Load(2 < rows ? s + 2 * stride : zeros);
        Vector256<float> r3 = Vector256.Load(3 < rows ? s + 3 * stride : zeros);
        Vector256<float> r4 = Vector256.Load(4 < rows ? s + 4 * stride : zeros);
        Vector256<float> r5 = Vector256.Load(5 < rows ? s + 5 * stride : zeros);
        Vector256<float> r6 = Vector256.Load(6 < rows ? s + 6 * stride : zeros);
        Vector256<float> r7 = Vector256.Load(7 < rows ? s + 7 * stride : zeros);
        Vector256<float> l0 = Avx.UnpackLow(r0, r1), h0 = Avx.UnpackHigh(r0, r1);
        Vector256<float> l2 = Avx.UnpackLow(r2, r3), h2 = Avx.UnpackHigh(r2, r3);
        Vector256<float> l4 = Avx.UnpackLow(r4, r5), h4 = Avx.UnpackHigh(r4, r5);
        Vector256<float> l6 = Avx.UnpackLow(r6, r7), h6 = Avx.UnpackHigh(r6, r7);
        Vector256<float> f0 = LowPairs(l0, l2), f1 = HighPairs(l0, l2);
        Vector256<float> f2 = LowPairs(h0, h2), f3 = HighPairs(h0, h2);
        Vector256<float> f4 = LowPairs(l4, l6), f5 = HighPairs(l4, l6);
        Vector256<float> f6 = LowPairs(h4, h6), f7 = HighPairs(h4, h6);
        Avx.Permute2x128(f0, f4, 0x20).Store(t);
        Avx.Permute2x128(f1, f5, 0x20).Store(t + targetStride);
        Avx.Permute2x128(f2, f6, 0x20).Store(t + 2 * targetStride);
        Avx.Permute2x128(f3, f7, 0x20).Store(t + 3 * targetStride);
        Avx.Permute2x128(f0, f4, 0x31).Store(t + 4 * targetStride);
        Avx.Permute2x128(f1, f5, 0x31).Store(t + 5 * targetStride);
        Avx.Permute2x128(f2, f6, 0x31).Store(t + 6 * targetStride);
        Avx.Permute2x128(f3, f7, 0x31).Store(t + 7 * targetStride);

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        static Vector256<float> LowPairs(Vector256<float> a, Vector256<float> b) =>
            Avx.UnpackLow(a.AsDouble(), b.AsDouble()).AsSingle();

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        static Vector256<float> HighPairs(Vector256<float> a, Vector256<float> b) =>
            Avx.UnpackHigh(a.AsDouble(), b.AsDouble()).AsSingle();
    }
}
