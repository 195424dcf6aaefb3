using Cliper.Kernels.Gpu.Compiler;
using Cliper.Kernels.Gpu.DeviceCode;
using Cliper.Kernels.Gpu.Runtime;
using Cliper.Kernels.Memory;
using ILGPU;

namespace Cliper.Kernels.Operations;

public static partial class Mean
{
    private const int GpuThreads = 256;

    private static readonly GpuKernel ForwardChunks =
        new(((Action<GlobalPtrFp32, GlobalPtrFp32, long, int, int, int>)ForwardChunk).Method, "Mean forward", GpuThreads, 1, 48);

    private static readonly GpuKernel BackwardChunks =
        new(((Action<GlobalPtrFp32, GlobalPtrFp32, int, long, int, int, int>)BackwardChunk).Method, "Mean backward", GpuThreads, 1, 48);

    internal static IEnumerable<GpuKernel> GpuKernels => [ForwardChunks, BackwardChunks];

    private static void ForwardGpu(GpuDevice gpu, DeviceArray x, DeviceArray y, int samples, int frames, int width) =>
        gpu.Run(ForwardChunks, BlocksOf(samples, width), x, y, (long)samples, frames, width, Vec8.IsVectorizable(width, width, x, y));

    private static void BackwardGpu(GpuDevice gpu, DeviceArray dy, DeviceArray dx, bool accumulate, int samples, int frames, int width) =>
        gpu.Run(BackwardChunks, BlocksOf((long)samples * frames, width), dy, dx, accumulate, (long)samples * frames, frames, width,
            Vec8.IsVectorizable(width, width, dy, dx));

    private static Blocks BlocksOf(long rows, int width) => new(Blocks.Cover(rows * Blocks.Cover(width, Vec8.Size), GpuThreads));

    // A thread has eight columns of a sample's mean.
    private static void ForwardChunk(GlobalPtrFp32 x, GlobalPtrFp32 y, long samples, int frames, int width, int vectorized)
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
    private static void BackwardChunk(GlobalPtrFp32 dy, GlobalPtrFp32 dx, int accumulate, long rows, int frames, int width, int vectorized)
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
