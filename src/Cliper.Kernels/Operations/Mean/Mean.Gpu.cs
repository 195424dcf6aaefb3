using Cliper.Kernels.Devices;
using Cliper.Kernels.Ptx;
using ILGPU;

namespace Cliper.Kernels.Operations;

public static partial class Mean
{
    private const int GpuThreads = 256;

    private static readonly GpuKernel ForwardChunks =
        new(((Action<Floats, Floats, long, int, int, int>)ForwardChunk).Method, "Mean forward", GpuThreads, 1, 48);

    private static readonly GpuKernel BackwardChunks =
        new(((Action<Floats, Floats, int, long, int, int, int>)BackwardChunk).Method, "Mean backward", GpuThreads, 1, 48);

    internal static IEnumerable<GpuKernel> GpuKernels => [ForwardChunks, BackwardChunks];

    private static void ForwardGpu(GpuDevice gpu, DeviceArray x, DeviceArray y, int samples, int frames, int width) =>
        gpu.Run(ForwardChunks, BlocksOf(samples, width), x, y, (long)samples, frames, width, Chunk.IsWide(width, width, x, y));

    private static void BackwardGpu(GpuDevice gpu, DeviceArray dy, DeviceArray dx, bool accumulate, int samples, int frames, int width) =>
        gpu.Run(BackwardChunks, BlocksOf((long)samples * frames, width), dy, dx, accumulate, (long)samples * frames, frames, width,
            Chunk.IsWide(width, width, dy, dx));

    private static Blocks BlocksOf(long rows, int width) => new(Blocks.Cover(rows * Blocks.Cover(width, Chunk.Size), GpuThreads));

    // A thread has eight columns of a sample's mean.
    private static void ForwardChunk(Floats x, Floats y, long samples, int frames, int width, int wide)
    {
        int chunks = (width + Chunk.Size - 1) / Chunk.Size;
        long at = (long)Grid.IdxX * GpuThreads + Group.IdxX, sample = at / chunks;
        if (sample >= samples)
            return;
        int column = (int)(at - sample * chunks) * Chunk.Size, count = width - column;
        F8 sum = default;
        for (int frame = 0; frame < frames; frame++)
            sum = Chunk.Add(sum, Chunk.Load(x, (sample * frames + frame) * width + column, count, wide));
        Chunk.Store(y, sample * width + column, Chunk.Scale(sum, 1f / frames), count, wide);
    }

    // A thread has eight columns of a frame's gradient.
    private static void BackwardChunk(Floats dy, Floats dx, int accumulate, long rows, int frames, int width, int wide)
    {
        int chunks = (width + Chunk.Size - 1) / Chunk.Size;
        long at = (long)Grid.IdxX * GpuThreads + Group.IdxX, row = at / chunks;
        if (row >= rows)
            return;
        int column = (int)(at - row * chunks) * Chunk.Size, count = width - column;
        F8 d = Chunk.Scale(Chunk.Load(dy, row / frames * width + column, count, wide), 1f / frames);
        Chunk.Write(dx, row * width + column, d, count, wide, accumulate);
    }
}
