using Cliper.Kernels.Gpu.Compiler;
using Cliper.Kernels.Gpu.DeviceCode;
using Cliper.Kernels.Gpu.Runtime;
using Cliper.Kernels.Memory;

namespace Cliper.Kernels.Operations;

public static partial class PatchEmbedding
{
    private const int GpuThreads = 256;

    private static readonly KernelFamily UnfoldKernels =
        new(typeof(PatchEmbedding), nameof(UnfoldKernel), "PatchEmbedding unfold", GpuThreads, 1, 64);

    internal static IEnumerable<GpuKernel> GpuKernels => UnfoldKernels.ForEachDtype16;

    private static void UnfoldGpu(GpuDevice gpu, DeviceArray images, DeviceArray unfolded, Sizes sizes)
    {
        long rows = (long)sizes.Images * sizes.Patches;
        gpu.Run(UnfoldKernels[unfolded.Type.Dtype()],
            new Blocks(Blocks.Cover(rows * Blocks.Cover(sizes.Pixels, Vec8.Size), GpuThreads)), images, unfolded,
            rows, sizes.Channels,
                sizes.Height, sizes.Width, sizes.Patch,
            sizes.Patch % Vec8.Size == 0 && Vec8.IsVectorizable(sizes.Width, sizes.Width, images, unfolded));
    }
}
