using Cliper.Kernels.Gpu.Runtime;
using Cliper.Kernels.Memory;

namespace Cliper.Kernels.Operations;

public static partial class InsertEmbeddings
{
    private static void ForwardGpu(GpuDevice gpu, DeviceArray x, DeviceArray insert, DeviceArray y, int sequences,
        int tokens, int inserted, int start, int width) =>
        TokenRows.Assemble(gpu, x, default, default, insert, y, sequences, tokens, start, inserted, width);

    private static void BackwardGpu(GpuDevice gpu, DeviceArray dy, DeviceArray dx, bool accumulateDx,
        DeviceArray dinsert, bool accumulateDinsert, int sequences, int tokens, int inserted, int start, int width)
    {
        if (!dinsert.IsNull)
            TokenRows.CopyBack(gpu, dy, dinsert, accumulateDinsert, sequences, tokens, inserted, start, 0, 0, width);
        if (!dx.IsNull)
            TokenRows.CopyBack(gpu, dy, dx, accumulateDx, sequences, tokens, tokens, 0, start, start + inserted, width);
    }
}
