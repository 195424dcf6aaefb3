using Cliper.Kernels.Gpu.Runtime;
using Cliper.Kernels.Memory;

namespace Cliper.Kernels.Operations;

public static partial class AddClassToken
{
    private static void ForwardGpu(GpuDevice gpu, DeviceArray x, DeviceArray classEmbedding, DeviceArray positions,
        DeviceArray y, int samples, int patches, int width) =>
        TokenRows.Assemble(gpu, x, classEmbedding, positions, default, y, samples, patches + 1, 0, 0, width);

    private static void BackwardGpu(GpuDevice gpu, DeviceArray dy, DeviceArray dx, bool accumulateDx, int samples,
        int patches, int width) =>
        TokenRows.CopyBack(gpu, dy, dx, accumulateDx, samples, patches + 1, patches, 1, 0, 0, width);
}
