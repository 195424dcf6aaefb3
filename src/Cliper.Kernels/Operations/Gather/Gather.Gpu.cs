using Cliper.Kernels.Devices;
using Cliper.Kernels.Ptx;
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
            Type floats = typeof(Floats);
            yield return ForwardKernels[floats, floats];
            yield return BackwardKernels[floats, floats];
            foreach (Type stored in Formats.All.Select(Formats.Numbers))
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
        int chunks = Blocks.Cover(width, Chunk.Size);
        gpu.Run(ForwardKernels[table.Type.Numbers(), y.Type.Numbers()], new Blocks(Blocks.Cover(rows.Length * chunks, GpuThreads)), table,
            rows, y, rows.Length, tableRows, width, Chunk.IsWide(width, width, table, y));
    }

    private static void BackwardGpu(GpuDevice gpu, DeviceArray rows, DeviceArray dy, DeviceArray dtable, bool accumulate, int tableRows,
        int width) =>
        gpu.Run(BackwardKernels[dy.Type.Numbers(), dtable.Type.Numbers()],
            new Blocks(tableRows, Blocks.Cover(width, GpuThreads * Chunk.Size)), rows, dy, dtable, accumulate, (int)rows.Length, tableRows,
            width, Chunk.IsWide(width, width, dy, dtable));

    // An index outside the table gives NaN: reading it back to say where would stop the device.
    private static void CopyRows<TX, TY>(TX table, Integers rows, TY y, long count, int tableRows, int width, int wide)
        where TX : struct, INumbers where TY : struct, INumbers
    {
        int chunks = (width + Chunk.Size - 1) / Chunk.Size;
        long at = (long)Grid.IdxX * GpuThreads + Group.IdxX, target = at / chunks;
        if (target >= count)
            return;
        int column = (int)(at - target * chunks) * Chunk.Size, row = rows.Load(target);
        F8 value = Chunk.Scale(default, 0, float.NaN);
        if (row >= 0 && row < tableRows)
            value = Chunk.Load(table, (long)row * width + column, width - column, wide);
        Chunk.Store(y, target * width + column, value, width - column, wide);
    }

    // A block has a row of the table and looks for it among all indices, so that what is added comes in their order.
    private static void AddRows<TY, TX>(Integers rows, TY dy, TX dtable, int accumulate, int count, int tableRows, int width, int wide)
        where TX : struct, INumbers where TY : struct, INumbers
    {
        int column = (Grid.IdxY * GpuThreads + Group.IdxX) * Chunk.Size;
        if (column >= width)
            return;
        F8 sum = default;
        int found = 0;
        for (int i = 0; i < count; i++)
            if (rows.Load(i) == Grid.IdxX)
            {
                sum = Chunk.Add(sum, Chunk.Load(dy, (long)i * width + column, width - column, wide));
                found = 1;
            }
        if (found != 0 || accumulate == 0)
            Chunk.Write(dtable, (long)Grid.IdxX * width + column, sum, width - column, wide, accumulate);
    }
}
