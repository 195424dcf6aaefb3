using Cliper.Kernels.Gpu.DeviceCode;
using ILGPU;

namespace Cliper.Kernels.Operations;

public static partial class Gather
{
    // An index outside the table gives NaN: reading it back to say where would stop the device.
    [DeviceCode]
    private static void ForwardKernel<TX, TY>(TX table, GlobalPtrInt32 rows, TY y, long count, int tableRows, int width, int vectorized)
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
    [DeviceCode]
    private static void BackwardKernel<TY, TX>(GlobalPtrInt32 rows, TY dy, TX dtable, int accumulate, int count, int tableRows, int width, int vectorized)
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
