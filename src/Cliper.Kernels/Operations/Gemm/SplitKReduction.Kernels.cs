using Cliper.Kernels.Gpu.DeviceCode;
using ILGPU;

namespace Cliper.Kernels.Operations;

internal static partial class SplitKReduction
{
    private const int Threads = 256;

    /// <summary>y[i] = sum over s of parts[s * count + i], plus y[i] when accumulating.</summary>
    /// <remarks>CTA: 256 threads, eight elements a thread. No shared memory; the loads are vectorized where rows
    /// allow it.</remarks>
    [DeviceCode]
    private static void SplitKReductionKernel<TY>(GlobalPtrFp32 parts, TY y, int splits, long count, int accumulate,
        int vectorized)
        where TY : struct, IGlobalPtr
    {
        long at = ((long)Grid.IdxX * Threads + Group.IdxX) * Vec8.Size;
        if (at >= count)
            return;
        int left = (int)Math.Min(count - at, Vec8.Size);
        Vec8 sum = default;
        if (accumulate != 0)
            sum = Vec8.Load(y, at, left, vectorized);
        for (int split = 0; split < splits; split++)
            sum = Vec8.Add(sum, Vec8.Load(parts, split * count + at, left, vectorized));
        Vec8.Store(y, at, sum, left, vectorized);
    }
}
