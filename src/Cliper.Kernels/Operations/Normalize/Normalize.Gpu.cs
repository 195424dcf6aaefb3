using Cliper.Kernels.Devices;
using Cliper.Kernels.Ptx;
using ILGPU;

namespace Cliper.Kernels.Operations;

public static partial class Normalize
{
    private const int GpuThreads = 256;

    private static readonly GpuKernel LookingUp =
        new(((Action<Bytes, Floats, Floats, long, int>)LookUpPixel).Method, "Normalize", GpuThreads, 1, 40);

    internal static IEnumerable<GpuKernel> GpuKernels => [LookingUp];

    private static void ForwardGpu(GpuDevice gpu, DeviceArray pixels, DeviceArray y, DeviceArray table, int images, int size)
    {
        long count = (long)images * size;
        gpu.Run(LookingUp, new Blocks(Blocks.Cover(count, GpuThreads)), pixels, y, table, count, size);
    }

    // A thread has a pixel: a warp writes 128 neighbouring bytes of each plane. The table makes the values the host's to the bit.
    private static void LookUpPixel(Bytes pixels, Floats y, Floats table, long count, int size)
    {
        long at = (long)Grid.IdxX * GpuThreads + Group.IdxX, image = at / size;
        if (at >= count)
            return;
        long red = at + 2 * image * size;
        y.Store(red, table.Load(pixels.Load(3 * at)));
        y.Store(red + size, table.Load(256 + pixels.Load(3 * at + 1)));
        y.Store(red + 2L * size, table.Load(512 + pixels.Load(3 * at + 2)));
    }
}
