using Cliper.Kernels.Gpu.Runtime;
using Cliper.Kernels.Memory;

namespace Cliper.Kernels.Operations;

public static partial class Place
{
    private static void ForwardGpu(GpuDevice gpu, DeviceArray x, DeviceArray insert, DeviceArray slots, DeviceArray y,
        Sizes sizes) =>
        TokenRows.Assemble(gpu, x, default, default, new(insert, slots), y, sizes);

    private static void BackwardGpu(GpuDevice gpu, DeviceArray dy, DeviceArray slots, GradientTarget dx,
        GradientTarget dinsert, Sizes sizes)
    {
        if (!dinsert.IsNull)
            TokenRows.Take(gpu, dy, slots, dinsert, sizes);
        if (!dx.IsNull)
            TokenRows.CopyBack(gpu, dy, dx, new(sizes.Sequences, sizes.Tokens, sizes.Tokens, sizes.Width)
            {
                Holes = slots,
                HolesOfSequence = sizes.Inserted,
            });
    }
}
