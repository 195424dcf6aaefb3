using Cliper.Kernels.Gpu.Compiler;
using Cliper.Kernels.Gpu.DeviceCode;
using Cliper.Kernels.Gpu.Runtime;
using Cliper.Kernels.Memory;

namespace Cliper.Kernels.Operations;

public static partial class Gather
{
    private const int GpuThreads = 128;

    private static readonly KernelFamily
        ForwardKernels = new(typeof(Gather), nameof(ForwardKernel), "Gather forward", GpuThreads, 1, 64),
        BackwardKernels = new(typeof(Gather), nameof(BackwardKernel), "Gather backward", GpuThreads, 1, 64);

    internal static IEnumerable<GpuKernel> GpuKernels
    {
        get
        {
            Type floats = typeof(GlobalPtrFp32);
            yield return ForwardKernels[floats, floats];
            yield return BackwardKernels[floats, floats];
            foreach (Type stored in Dtypes.All16.Select(Dtypes.PointerType))
            {
                yield return ForwardKernels[stored, stored];
                yield return ForwardKernels[floats, stored];
                yield return BackwardKernels[stored, stored];
                yield return BackwardKernels[stored, floats];
            }
        }
    }

    private static void ForwardGpu(GpuDevice gpu, DeviceArray table, DeviceArray rows, DeviceArray y, int tableRows,
        int width)
    {
        int chunks = Blocks.Cover(width, Vec8.Size);
        gpu.Run(ForwardKernels[table.Type.PointerType(), y.Type.PointerType()],
            new Blocks(Blocks.Cover(rows.Length * chunks, GpuThreads)), table, rows, y, rows.Length, tableRows, width,
            Vec8.IsVectorizable(width, width, table, y));
    }

    private static void BackwardGpu(GpuDevice gpu, DeviceArray rows, DeviceArray dy, GradientTarget dtable,
        int tableRows, int width) =>
        gpu.Run(BackwardKernels[dy.Type.PointerType(), dtable.Array.Type.PointerType()],
            new Blocks(tableRows, Blocks.Cover(width, GpuThreads * Vec8.Size)), rows, dy, dtable.Array,
            dtable.Accumulate, (int)rows.Length, tableRows, width,
            Vec8.IsVectorizable(width, width, dy, dtable.Array));
}
