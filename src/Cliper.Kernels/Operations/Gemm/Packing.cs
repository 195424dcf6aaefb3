using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Cliper.Kernels.Cpu;

namespace Cliper.Kernels.Operations;

/// <summary>
/// Packs panels of A and B into the order in which the micro-kernel reads them (GotoBLAS): for each k, mr rows of A
/// or nr columns of B side by side. Both are called lanes here, and mr or nr the width of a panel.
/// </summary>
internal static unsafe partial class Packing
{
    // Number of k that one panel takes before the next panel's turn when panels share cache lines.
    private const int KStep = 64;

    /// <summary>
    /// target[k * width + i] = source[i * laneStride + k * kStride] for i below <paramref name="lanes"/>. The
    /// elements of lanes that do not exist become zero or keep their value: what is computed of them is never used.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void PackPanel<L>(float* source, nint laneStride, nint kStride, int lanes, int width, int kc,
        float* target) where L : struct, ILanes<L>
    {
        if (laneStride == 1)
        {
            CopyRows(source, kStride, lanes, width, kc, target);
            return;
        }
        if (kStride == 1)
        {
            Transposition.Run<L>(source, laneStride, lanes, kc, target, width, width);
            return;
        }
        for (int k = 0; k < kc; k++)
            for (int lane = 0; lane < lanes; lane++)
                target[(nint)k * width + lane] = source[lane * laneStride + k * kStride];
    }

    /// <summary>
    /// Packs neighboring panels, the i-th at target + i * panelStride. When lanes are contiguous in memory the panels
    /// advance together, so that each cache line is fetched once.
    /// </summary>
    public static void PackPanels<L>(float* source, nint laneStride, nint kStride, Partition panels, int first, int end,
        int width, int kc, float* target, nint panelStride) where L : struct, ILanes<L>
    {
        int step = laneStride == 1 ? KStep : kc;
        for (int k = 0; k < kc; k += step)
            for (int panel = first; panel < end; panel++)
                PackPanel<L>(source + panels.Start(panel) * laneStride + k * kStride, laneStride, kStride,
                    panels.Size(panel), width, Math.Min(step, kc - k), target + panel * panelStride + (nint)k * width);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void CopyRows(float* source, nint kStride, int lanes, int width, int kc, float* target)
    {
        if (Vector256.IsHardwareAccelerated && lanes >= 8)
        {
            int last = lanes - 8;
            for (int k = 0; k < kc; k++, source += kStride, target += width)
            {
                for (int lane = 0; lane < last; lane += 8)
                    Vector256.Load(source + lane).Store(target + lane);
                Vector256.Load(source + last).Store(target + last);
            }
            return;
        }
        for (int k = 0; k < kc; k++, source += kStride, target += width)
            for (int lane = 0; lane < lanes; lane++)
                target[lane] = source[lane];
    }
}

/// <summary>Splits a length into parts of nearly equal size, none larger than a maximum.</summary>
/// <param name="length">Length to split.</param>
/// <param name="largest">Largest size of a part.</param>
internal readonly struct Partition(int length, int largest)
{
    /// <summary>Number of parts.</summary>
    public int Count { get; } = (length + largest - 1) / largest;

    /// <summary>Start of a part.</summary>
    public int Start(int part) => (int)((long)part * length / Count);

    /// <summary>Size of a part.</summary>
    public int Size(int part) => Start(part + 1) - Start(part);
}
