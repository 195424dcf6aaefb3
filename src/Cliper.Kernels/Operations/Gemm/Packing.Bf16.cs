using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using Cliper.Kernels.Cpu;
using Cliper.Kernels.Memory;

namespace Cliper.Kernels.Operations;

/// <content>
/// Panels of bf16 pairs: a 32-bit word holds the elements 2 p (lower half) and 2 p + 1 (upper half) along k of a lane.
/// For each pair p the words of a panel's lanes lie side by side. An odd k is filled up with zeros.
/// </content>
internal static unsafe partial class Packing
{
    // Pairs of 16 lanes that are rounded into 4 KiB on the stack before they are transposed.
    private const int PairsAtOnce = 64, Lanes = 16;

    /// <summary>
    /// Rounds the elements of a panel to bf16, to nearest even, and packs them in pairs. A NaN stays one. Words of
    /// lanes that do not exist are undefined.
    /// </summary>
    /// <param name="source">Element (lane, k) at lane * laneStride + k * kStride.</param>
    /// <param name="laneStride">Elements between lanes.</param>
    /// <param name="kStride">Elements between ks.</param>
    /// <param name="lanes">Lanes that exist.</param>
    /// <param name="width">Lanes of the panel.</param>
    /// <param name="kc">Number of ks.</param>
    /// <param name="target">Receives (kc + 1) / 2 times width words.</param>
    public static void PackPairs<L>(float* source, nint laneStride, nint kStride, int lanes, int width, int kc,
        float* target) where L : struct, ILanes<L>
    {
        bool isVectorized = typeof(L) == typeof(Lanes512) && Avx512BW.IsSupported;
        for (int first = 0; first < lanes; first += Lanes)
        {
            float* from = source + first * laneStride, to = target + first;
            int count = Math.Min(Lanes, lanes - first);
            if (isVectorized && laneStride == 1)
                PackRows(from, kStride, count, width, kc, to);
            else if (isVectorized && kStride == 1)
                PackColumns(from, laneStride, count, width, kc, to);
            else
                PackElements(from, laneStride, kStride, count, width, kc, (uint*)to);
        }
    }

    // Lanes are contiguous: two rows of k become one row of words.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void PackRows(float* source, nint kStride, int lanes, int width, int kc, float* target)
    {
        Vector512<float> mask = Vector512.LessThan(Vector512<int>.Indices, Vector512.Create(lanes)).AsSingle();
        int k = 0;
        for (; k < kc - 1; k += 2, source += 2 * kStride, target += width)
            Interleave(Avx512F.MaskLoad(source, mask, Vector512<float>.Zero),
                Avx512F.MaskLoad(source + kStride, mask, Vector512<float>.Zero)).Store((uint*)target);
        if (k < kc)
            Interleave(Avx512F.MaskLoad(source, mask, Vector512<float>.Zero), Vector512<float>.Zero)
                .Store((uint*)target);
    }

    // Ks are contiguous: each lane's pairs are rounded in order, and then lanes and pairs transposed.
    [MethodImpl(MethodImplOptions.AggressiveOptimization), SkipLocalsInit]
    private static void PackColumns(float* source, nint laneStride, int lanes, int width, int kc, float* target)
    {
        uint* words = stackalloc uint[Lanes * PairsAtOnce];
        for (int k = 0; k < kc; k += 2 * PairsAtOnce, target += (nint)PairsAtOnce * width)
        {
            int ks = Math.Min(2 * PairsAtOnce, kc - k);
            for (int lane = 0; lane < lanes; lane++)
                RoundPairs(source + lane * laneStride + k, ks, words + lane * PairsAtOnce);
            Transposition.Run<Lanes512>((float*)words, PairsAtOnce, lanes, (ks + 1) / 2, target, width, Lanes);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void RoundPairs(float* source, int count, uint* words)
    {
        // The upper halves of 32 words, in order.
        Vector512<ushort> upper = Vector512<ushort>.Indices + Vector512<ushort>.Indices + Vector512<ushort>.One;
        for (int k = 0; k < count; k += 2 * Lanes)
        {
            Vector512<float> low, high;
            if (count - k >= 2 * Lanes)
            {
                (low, high) = (Vector512.Load(source + k), Vector512.Load(source + k + Lanes));
            }
            else
            {
                Vector512<int> rest = Vector512.Create(count - k);
                low = Avx512F.MaskLoad(source + k, Vector512.LessThan(Vector512<int>.Indices, rest).AsSingle(),
                    Vector512<float>.Zero);
                high = Avx512F.MaskLoad(source + k + Lanes, Vector512.LessThan(Vector512<int>.Indices
                    + Vector512.Create(Lanes), rest).AsSingle(), Vector512<float>.Zero);
            }
            Avx512BW.PermuteVar32x16x2(Round(low).AsUInt16(), upper, Round(high).AsUInt16())
                .Store((ushort*)(words + k / 2));
        }
    }

    private static void PackElements(float* source, nint laneStride, nint kStride, int lanes, int width, int kc,
        uint* target)
    {
        for (int k = 0; k < kc; k += 2, target += width)
            for (int lane = 0; lane < lanes; lane++)
            {
                float* at = source + lane * laneStride + k * kStride;
                uint low = BFloat16.ToBits(*at), high = k + 1 < kc ? BFloat16.ToBits(at[kStride]) : 0u;
                target[lane] = high << 16 | low;
            }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<uint> Interleave(Vector512<float> low, Vector512<float> high) =>
        Vector512.ShiftRightLogical(Round(low), 16) | (Round(high) & Vector512.Create(0xffff0000u));

    /// <summary>Each number rounded to bf16 in the upper half of its word; the lower half is undefined.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<uint> Round(Vector512<float> x)
    {
        Vector512<uint> bits = x.AsUInt32();
        Vector512<uint> odd = Vector512.ShiftRightLogical(bits, 16) & Vector512<uint>.One;
        Vector512<uint> quiet = bits | Vector512.Create(0x00400000u);
        return Vector512.ConditionalSelect(Vector512.Equals(x, x).AsUInt32(), bits + odd + Vector512.Create(0x7fffu),
            quiet);
    }
}
