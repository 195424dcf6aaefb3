using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Cliper.Kernels.Cpu;

namespace Cliper.Kernels.Operations;

/// <summary>
/// Copies strips of a matrix into the order in which the micro-kernel reads them: for each depth, <c>width</c>
/// neighbouring rows of A or columns of B, called lanes here.
/// </summary>
internal static unsafe class Packing
{
    // Depths copied of one strip before the next strip's turn, where strips share cache lines.
    private const int DepthStep = 64;

    /// <summary>
    /// target[k * width + i] = source[i * laneStride + k * depthStride] for i below <paramref name="lanes"/>. The
    /// places of lanes that do not exist become zero or stay as they are: their products are never used.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Strip<L>(float* source, nint laneStride, nint depthStride, int lanes, int width, int depth,
        float* target) where L : struct, ILanes<L>
    {
        if (laneStride == 1)
        {
            CopyRows(source, depthStride, lanes, width, depth, target);
            return;
        }
        if (depthStride == 1)
        {
            Transposition.Run<L>(source, laneStride, lanes, depth, target, width, width);
            return;
        }
        for (int k = 0; k < depth; k++)
            for (int lane = 0; lane < lanes; lane++)
                target[(nint)k * width + lane] = source[lane * laneStride + k * depthStride];
    }

    /// <summary>
    /// Neighbouring strips, the i-th of lanes [starts(i), starts(i + 1)), at target + i * stripStride. Where lanes are
    /// contiguous in memory the strips advance together, so that each cache line is fetched once.
    /// </summary>
    public static void Strips<L>(float* source, nint laneStride, nint depthStride, Partition strips, int first, int end,
        int width, int depth, float* target, nint stripStride) where L : struct, ILanes<L>
    {
        int step = laneStride == 1 ? DepthStep : depth;
        for (int k = 0; k < depth; k += step)
            for (int strip = first; strip < end; strip++)
                Strip<L>(source + strips.Start(strip) * laneStride + k * depthStride, laneStride, depthStride,
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
