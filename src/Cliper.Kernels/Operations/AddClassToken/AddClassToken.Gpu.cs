using Cliper.Kernels.Gpu.Runtime;
using Cliper.Kernels.Memory;

namespace Cliper.Kernels.Operations;

public static partial class AddClassToken
{
    private static void ForwardGpu(GpuDevice gpu, DeviceArray x, DeviceArray classEmbedding, DeviceArray positions,
        DeviceArray y, Sizes sizes) =>
        TokenRows.Assemble(gpu, x, classEmbedding, positions, default, y,
            new(sizes.Samples, sizes.Patches + 1, Inserted: 0, sizes.Width));

    private static void BackwardGpu(GpuDevice gpu, DeviceArray dy, GradientTarget dx, Sizes sizes) =>
        TokenRows.CopyBack(gpu, dy, dx,
            new(sizes.Samples, sizes.Patches + 1, sizes.Patches, sizes.Width) { Shift = 1 });
}
