using System.Runtime.CompilerServices;
using Cliper.Kernels.Gpu.DeviceCode;
using ILGPU;

namespace Cliper.Kernels.Operations;

public static partial class Sum
{
    /// <summary>y[block] (+)= sum over the block's elements of a, or of a b.</summary>
    /// <remarks>
    /// A block of 256 threads has 16384 elements, eight a thread at a time. Shared memory: one float a warp. Any GPU
    /// from compute capability 7.0 on.
    /// </remarks>
    [DeviceCode]
    private static void SumKernel(GlobalPtrFp32 a, GlobalPtrFp32 b, GlobalPtrFp32 y, long length, int accumulate,
        int vectorized)
    {
        long start = (long)Grid.IdxX * PerBlock, end = start + PerBlock;
        if (end > length)
            end = length;

        // (1) Sum this thread's elements.
        float sum = 0;
        for (long at = start + Group.IdxX * Vec8.Size; at < end; at += GpuThreads * Vec8.Size)
        {
            int count = (int)(end - at), whole = count < Vec8.Size ? 0 : vectorized;
            Vec8 value = Vec8.Load(a, at, count, whole);
            if (!b.IsNull)
                value = Vec8.Multiply(value, Vec8.Load(b, at, count, whole));
            sum += Vec8.Sum(value);
        }

        // (2) Sum over the block's threads.
        sum = OfBlock(sum, accumulate != 0 && Group.IdxX == 0 ? y.Load(Grid.IdxX) : 0f);
        if (Group.IdxX == 0)
            y.Store(Grid.IdxX, sum);
    }

    /// <summary>
    /// start + the values of all threads of a block of <see cref="GpuThreads"/>, in its first thread; once in a kernel.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static float OfBlock(float value, float start)
    {
        ArrayView<float> shared = SharedMemory.Allocate<float>(GpuThreads / 32);
        value = Ptx.WarpSum(value);
        if ((Group.IdxX & 31) == 0)
            shared[Group.IdxX >> 5] = value;
        Group.Barrier();
        float sum = start;
        if (Group.IdxX == 0)
            for (int warp = 0; warp < GpuThreads / 32; warp++)
                sum += shared[warp];
        return sum;
    }
}
