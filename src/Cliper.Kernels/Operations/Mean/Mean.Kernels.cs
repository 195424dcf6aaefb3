using Cliper.Kernels.Gpu.DeviceCode;
using ILGPU;

namespace Cliper.Kernels.Operations;

public static partial class Mean
{
    /// <summary>y[sample] = mean of x[sample, frame] over the frames.</summary>
    /// <remarks>
    /// A thread has eight columns of a sample, a block 256 threads; no shared memory. Any GPU from compute capability
    /// 7.0 on.
    /// </remarks>
    [DeviceCode]
    private static void ForwardKernel(GlobalPtrFp32 x, GlobalPtrFp32 y, long samples, int frames, int width,
        int vectorized)
    {
        // (1) Find the sample and the columns.
        int chunks = (width + Vec8.Size - 1) / Vec8.Size;
        long at = (long)Grid.IdxX * GpuThreads + Group.IdxX, sample = at / chunks;
        if (sample >= samples)
            return;
        int column = (int)(at - sample * chunks) * Vec8.Size, count = width - column;

        // (2) Sum over the frames, in their order, and scale.
        Vec8 sum = default;
        for (int frame = 0; frame < frames; frame++)
            sum = Vec8.Add(sum, Vec8.Load(x, (sample * frames + frame) * width + column, count, vectorized));
        Vec8.Store(y, sample * width + column, Vec8.Scale(sum, 1f / frames), count, vectorized);
    }

    /// <summary>dx[sample, frame] (+)= dy[sample] / frames.</summary>
    /// <remarks>
    /// A thread has eight columns of a frame, a block 256 threads; no shared memory. Any GPU from compute capability
    /// 7.0 on.
    /// </remarks>
    [DeviceCode]
    private static void BackwardKernel(GlobalPtrFp32 dy, GlobalPtrFp32 dx, int accumulate, long rows, int frames,
        int width, int vectorized)
    {
        // (1) Find the frame and the columns.
        int chunks = (width + Vec8.Size - 1) / Vec8.Size;
        long at = (long)Grid.IdxX * GpuThreads + Group.IdxX, row = at / chunks;
        if (row >= rows)
            return;
        int column = (int)(at - row * chunks) * Vec8.Size, count = width - column;

        // (2) Store the share of the gradient, or add to it.
        Vec8 d = Vec8.Scale(Vec8.Load(dy, row / frames * width + column, count, vectorized), 1f / frames);
        Vec8.Write(dx, row * width + column, d, count, vectorized, accumulate);
    }
}
