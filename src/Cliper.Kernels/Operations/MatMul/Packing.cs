using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Cliper.Kernels.Operations;

/// <summary>
/// Copies strips of a matrix into the order in which the micro-kernel reads them: for each depth, <c>width</c> neighbouring
/// rows of A or columns of B, called lanes here.
/// </summary>
internal static unsafe class Packing
{
    // Depths copied of one strip before the next strip's turn, where strips share cache lines.
    private const int DepthStep = 64;

    /// <summary>
    /// target[k * width + i] = source[i * laneStride + k * depthStride] for i below <paramref name="lanes"/>. The places of
    /// lanes that do not exist hold copies of others or stay as they are: their products are never used.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Strip(float* source, nint laneStride, nint depthStride, int lanes, int width, int depth, float* target)
    {
        if (laneStride == 1)
        {
            CopyRows(source, depthStride, lanes, width, depth, target);
            return;
        }
        int k = 0;
        if (depthStride == 1 && Avx.IsSupported && width % 8 == 0)
        {
            for (; k + 8 <= depth; k += 8)
                for (int lane = 0; lane < lanes; lane += 8)
                    Transpose8(source + lane * laneStride + k, laneStride, Math.Min(8, lanes - lane),
                        target + (nint)k * width + lane, width);
        }
        for (; k < depth; k++)
            for (int lane = 0; lane < lanes; lane++)
                target[(nint)k * width + lane] = source[lane * laneStride + k * depthStride];
    }

    /// <summary>
    /// Neighbouring strips, the i-th of lanes [starts(i), starts(i + 1)), at target + i * stripStride. Where lanes are
    /// contiguous in memory the strips advance together, so that each cache line is fetched once.
    /// </summary>
    public static void Strips(float* source, nint laneStride, nint depthStride, Partition strips, int first, int end, int width,
        int depth, float* target, nint stripStride)
    {
        int step = laneStride == 1 ? DepthStep : depth;
        for (int k = 0; k < depth; k += step)
            for (int strip = first; strip < end; strip++)
                Strip(source + strips.Start(strip) * laneStride + k * depthStride, laneStride, depthStride,
                    strips.Size(strip), width, Math.Min(step, depth - k), target + strip * stripStride + (nint)k * width);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void CopyRows(float* source, nint depthStride, int lanes, int width, int depth, float* target)
    {
        if (Vector256.IsHardwareAccelerated && lanes >= 8)
        {
            int last = lanes - 8;
            for (int k = 0; k < depth; k++, source += depthStride, target += width)
            {
                for (int lane = 0; lane < last; lane += 8)
                    Vector256.Load(source + lane).Store(target + lane);
                Vector256.Load(source + last).Store(target + last);
            }
            return;
        }
        for (int k = 0; k < depth; k++, source += depthStride, target += width)
            for (int lane = 0; lane < lanes; lane++)
                target[lane] = source[lane];
    }

    /// <summary>An 8 x 8 transpose: two insertions, two interleavings and two shuffles for every two columns.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Transpose8(float* source, nint stride, int rows, float* target, nint targetStride)
    {
        float* last = source + (rows - 1) * stride;
        float* r0 = source, r1 = Row(1), r2 = Row(2), r3 = Row(3), r4 = Row(4), r5 = Row(5), r6 = Row(6), r7 = Row(7);
        for (int half = 0; half < 2; half++)
        {
            Vector256<float> a = Pair(r0, r4), b = Pair(r1, r5), c = Pair(r2, r6), d = Pair(r3, r7);
            Vector256<float> abLow = Avx.UnpackLow(a, b), abHigh = Avx.UnpackHigh(a, b);
            Vector256<float> cdLow = Avx.UnpackLow(c, d), cdHigh = Avx.UnpackHigh(c, d);
            Avx.Shuffle(abLow, cdLow, 0x44).Store(target);
            Avx.Shuffle(abLow, cdLow, 0xEE).Store(target + targetStride);
            Avx.Shuffle(abHigh, cdHigh, 0x44).Store(target + 2 * targetStride);
            Avx.Shuffle(abHigh, cdHigh, 0xEE).Store(target + 3 * targetStride);
            target += 4 * targetStride;
            r0 += 4;
            r1 += 4;
            r2 += 4;
            r3 += 4;
            r4 += 4;
            r5 += 4;
            r6 += 4;
            r7 += 4;
        }

        float* Row(int row)
        {
            float* p = source + row * stride;
            return p < last ? p : last;
        }

        static Vector256<float> Pair(float* low, float* high) =>
            Avx.InsertVector128(Vector256.Create(Sse.LoadVector128(low), default), Sse.LoadVector128(high), 1);
    }
}

/// <summary>A length cut into parts of nearly equal size, none larger than a maximum.</summary>
/// <param name="length">What is cut.</param>
/// <param name="largest">Largest part.</param>
internal readonly struct Partition(int length, int largest)
{
    /// <summary>Number of parts.</summary>
    public int Count { get; } = (length + largest - 1) / largest;

    /// <summary>Where a part begins.</summary>
    public int Start(int part) => (int)((long)part * length / Count);

    /// <summary>Size of a part.</summary>
    public int Size(int part) => Start(part + 1) - Start(part);
}
