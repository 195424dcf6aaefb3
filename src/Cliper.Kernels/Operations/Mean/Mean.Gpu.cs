using Cliper.Kernels.Devices;
using Cliper.Kernels.Ptx;
using ILGPU;

namespace Cliper.Kernels.Operations;

public static partial class Mean
{
    private const int GpuThreads = 256;

    private static readonly GpuKernel ForwardElements =
        new(((Action<Floats, Floats, long, int, int>)ForwardElement).Method, "Mean forward", GpuThreads, 1, 48);

    private static readonly GpuKernel BackwardElements =
        new(((Action<Floats, Floats, int, long, int, int>)BackwardElement).Method, "Mean backward", GpuThreads, 1, 48);

    internal static IEnumerable<GpuKernel> GpuKernels => [ForwardElements, BackwardElements];

    private static void ForwardGpu(GpuDevice gpu, DeviceArray x, DeviceArray y, int frames, int width) =>
        gpu.Run(ForwardElements, new Blocks(Blocks.Cover(y.Length, GpuThreads)), x, y, y.Length, frames, width);

    private static void BackwardGpu(GpuDevice gpu, DeviceArray dy, DeviceArray dx, bool accumulate, int frames, int width) =>
        gpu.Run(BackwardElements, new Blocks(Blocks.Cover(dx.Length, GpuThreads)), dy, dx, accumulate, dx.Length, frames, width);

    private static void ForwardElement(Floats x, Floats y, long count, int frames, int width)
    {
        long at = (long)Grid.IdxX * GpuThreads + Group.IdxX;
        if (at >= count)
            return;
        long sample = at / width, first = sample * frames * width + (at - sample * width);
        float sum = 0;
        for (int frame = 0; frame < frames; frame++)
            sum += x.Load(first + (long)frame * width);
        y.Store(at, sum / frames);
    }

    private static void BackwardElement(Floats dy, Floats dx, int accumulate, long count, int frames, int width)
    {
        long at = (long)Grid.IdxX * GpuThreads + Group.IdxX;
        if (at >= count)
            return;
        long row = at / width;
        float d = dy.Load(row / frames * width + (at - row * width)) / frames;
        dx.Store(at, accumulate != 0 ? dx.Load(at) + d : d);
    }
}
