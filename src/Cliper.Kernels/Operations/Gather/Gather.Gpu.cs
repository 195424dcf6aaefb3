using Cliper.Kernels.Gpu.Compiler;
using Cliper.Kernels.Gpu.DeviceCode;
using Cliper.Kernels.Gpu.Runtime;
using Cliper.Kernels.Memory;
using ILGPU;

namespace Cliper.Kernels.Operations;

public static partial class Gather
{
    private const int GpuThreads = 128;

    private static readonly KernelFamily
        ForwardKernels = new(typeof(Gather), nameof(CopyRows), "Gather forward", GpuThreads, 1, 64),
        BackwardKernels = new(typeof(Gather), nameof(AddRows), "Gather backward", GpuThreads, 1, 64);

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

    private static void ForwardGpu(GpuDevice gpu, DeviceArray table, DeviceArray rows, DeviceArray y, int tableRows, int width)
    {
        int chunks = Blocks.Cover(width, Vec8.Size);
        gpu.Run(ForwardKernels[table.Type.PointerType(), y.Type.PointerType()], new Blocks(Blocks.Cover(rows.Length * chunks, GpuThreads)), table,
            rows, y, rows.Length, tableRows, width, Vec8.IsVectorizable(width, width, table, y));
    }

    private static void BackwardGpu(GpuDevice gpu, DeviceArray rows, DeviceArray dy, DeviceArray dtable, bool accumulate, int tableRows,
        int width) =>
        gpu.Run(BackwardKernels[dy.Type.PointerType(), dtable.Type.PointerType()],
            new Blocks(tableRows, Blocks.Cover(width, GpuThreads * Vec8.Size)), rows, dy, dtable, accumulate, (int)rows.Length, tableRows,
            width, Vec8.IsVectorizable(width, width, dy, dtable));

    // An index outside the table gives NaN: reading it back to say where would stop the device.
    private static void CopyRows<TX, TY>(TX table, GlobalPtrInt32 rows, TY y, long count, int tableRows, int width, int vectorized)
        where TX : struct, IGlobalPtr where TY : struct, IGlobalPtr
    {
        int chunks = (width + Vec8.Size - 1) / Vec8.Size;
        long at = (long)Grid.IdxX * GpuThreads + Group.IdxX, target = at / chunks;
        if (target >= count)
            return;
        int column = (int)(at - target * chunks) * Vec8.Size, row = rows.Load(target);
        Vec8 value = Vec8.Scale(default, 0, float.NaN);
        if (row >= 0 && row < tableRows)
            value = Vec8.Load(table, (long)row * width + column, width - column, vectorized);
        Vec8.Store(y, target * width + column, value, width - column, vectorized);
    }

    // A block has a row of the table and looks for it among all indices, so that what is added comes in their order.
    private static void AddRows<TY, TX>(GlobalPtrInt32 rows, TY dy, TX dtable, int accumulate, int count, int tableRows, int width, int vectorized)
        where TX : struct, IGlobalPtr where TY : struct, IGlobalPtr
    {
        int column = (Grid.IdxY * GpuThreads + Group.IdxX) * Vec8.Size;
        if (column >= width)
            return;
        Vec8 sum = default;
        int found = 0;
        for (int i = 0; i < count; i++)
            if (rows.Load(i) == Grid.IdxX)
            {
                sum = Vec8.Add(sum, Vec8.Load(dy, (long)i * width + column, width - column, vectorized));
                found = 1;
            }
        if (found != 0 || accumulate == 0)
            Vec8.Write(dtable, (long)Grid.IdxX * width + column, sum, width - column, vectorized, accumulate);
    }
}
