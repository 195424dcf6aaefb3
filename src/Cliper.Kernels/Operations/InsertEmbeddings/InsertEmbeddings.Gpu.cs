using Cliper.Kernels.Gpu.Runtime;
using Cliper.Kernels.Memory;

namespace Cliper.Kernels.Operations;

public static partial class InsertEmbeddings
{
    private static void ForwardGpu(GpuDevice gpu, DeviceArray x, DeviceArray insert, DeviceArray y,
        Sizes sizes) =>
        TokenRows.Assemble(gpu, x, default, default, insert, y, sizes);

    private static void BackwardGpu(GpuDevice gpu, DeviceArray dy, GradientTarget dx,
        GradientTarget dinsert, Sizes sizes)
    {
        (int sequences, int tokens, int inserted, int start, int width) = sizes;
        if (!dinsert.IsNull)
            TokenRows.CopyBack(gpu, dy, dinsert, new(sequences, tokens, inserted, width) { Shift = start });
        if (!dx.IsNull)
            TokenRows.CopyBack(gpu, dy, dx, new(sequences, tokens, tokens, width)
            {
                HoleStart = start,
                HoleEnd = start + inserted,
            });
    }
}
