using Cliper.Kernels.Gpu.DeviceCode;
using ILGPU;

namespace Cliper.Kernels.Operations;

public static partial class Mean
{
    // A thread has eight columns of a sample's mean.
    [DeviceCode]
    private static void ForwardKernel(GlobalPtrFp32 x, GlobalPtrFp32 y, long samples, int frames, int width, int vectorized)
    {
        int chunks = (width + Vec8.Size - 1) / Vec8.Size;
        long at = (long)Grid.IdxX * GpuThreads + Group.IdxX, sample = at / chunks;
        if (sample >= samples)
            return;
        int column = (int)(at - sample * chunks) * Vec8.Size, count = width - column;
        Vec8 sum = default;
        for (int frame = 0; frame < frames; frame++)
            sum = Vec8.Add(sum, Vec8.Load(x, (sample * frames + frame) * width + column, count, vectorized));
        Vec8.Store(y, sample * width + column, Vec8.Scale(sum, 1f / frames), count, vectorized);
    }

    // A thread has eight columns of a frame's gradient.
    [DeviceCode]
    private static void BackwardKernel(GlobalPtrFp32 dy, GlobalPtrFp32 dx, int accumulate, long rows, int frames, int width, int vectorized)
    {
        int chunks = (width + Vec8.Size - 1) / Vec8.Size;
        long at = (long)Grid.IdxX * GpuThreads + Group.IdxX, row = at / chunks;
        if (row >= rows)
            return;
        int column = (int)(at - row * chunks) * Vec8.Size, count = width - column;
        Vec8 d = Vec8.Scale(Vec8.Load(dy, row / frames * width + column, count, vectorized), 1f / frames);
        Vec8.Write(dx, row * width + column, d, count, vectorized, accumulate);
    }
}
