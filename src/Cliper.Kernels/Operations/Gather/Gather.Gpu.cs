using Cliper.Kernels.Devices;
using Cliper.Kernels.Ptx;
using ILGPU;

namespace Cliper.Kernels.Operations;

public static partial class Gather
{
    private const int GpuThreads = 128;

    private static readonly GpuKernel HalvesToHalves = MakeForward<Halves, Halves>(), FloatsToHalves = MakeForward<Floats, Halves>(),
        FloatsToFloats = MakeForward<Floats, Floats>(), IntoHalves = MakeBackward<Halves, Halves>(), IntoFloats = MakeBackward<Halves, Floats>(),
        OfFloats = MakeBackward<Floats, Floats>();

    internal static IEnumerable<GpuKernel> GpuKernels =>
        [HalvesToHalves, FloatsToHalves, FloatsToFloats, IntoHalves, IntoFloats, OfFloats];

    private static GpuKernel MakeForward<TX, TY>() where TX : struct, INumbers where TY : struct, INumbers =>
        new(((Action<TX, Integers, TY, long, int, int, int>)CopyRows<TX, TY>).Method,
            GpuKernel.NameOf("Gather forward", typeof(TX), typeof(TY)), GpuThreads, 1, 64);

    private static GpuKernel MakeBackward<TY, TX>() where TX : struct, INumbers where TY : struct, INumbers =>
        new(((Action<Integers, TY, TX, int, int, int, int, int>)AddRows<TY, TX>).Method,
            GpuKernel.NameOf("Gather backward", typeof(TY), typeof(TX)), GpuThreads, 1, 64);

    private static void ForwardGpu(GpuDevice gpu, DeviceArray table, DeviceArray rows, DeviceArray y, int tableRows, int width)
    {
        GpuKernel kernel = (table.Type, y.Type) switch
        {
            (ElementType.Float16, _) => HalvesToHalves,
            (_, ElementType.Float16) => FloatsToHalves,
            _ => FloatsToFloats,
        };
        int chunks = Blocks.Cover(width, Chunk.Size);
        gpu.Run(kernel, new Blocks(Blocks.Cover(rows.Length * chunks, GpuThreads)), table, rows, y, rows.Length, tableRows, width,
            Chunk.IsWide(width, width, table, y));
    }

    private static void BackwardGpu(GpuDevice gpu, DeviceArray rows, DeviceArray dy, DeviceArray dtable, bool accumulate, int tableRows,
        int width)
    {
        GpuKernel kernel = (dy.Type, dtable.Type) switch
        {
            (ElementType.Float16, ElementType.Float16) => IntoHalves,
            (ElementType.Float16, _) => IntoFloats,
            _ => OfFloats,
        };
        gpu.Run(kernel, new Blocks(tableRows, Blocks.Cover(width, GpuThreads * Chunk.Size)), rows, dy, dtable, accumulate, (int)rows.Length,
            tableRows, width, Chunk.IsWide(width, width, dy, dtable));
    }

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
