using Cliper.Kernels.Gpu.DeviceCode;
using ILGPU;

namespace Cliper.Kernels.Operations;

public static partial class Gather
{
    /// <summary>y[i] = table[rows[i]].</summary>
    /// <remarks>
    /// A thread has eight columns of a row, a block 128 threads; no shared memory. An index outside the table gives
    /// NaN: reading it back to say where would stop the device. Any GPU from compute capability 7.0 on, bf16 from 8.0
    /// on.
    /// </remarks>
    [DeviceCode]
    private static void ForwardKernel<TX, TY>(TX table, GlobalPtrInt32 rows, TY y, long count, int tableRows, int width,
        int vectorized)
        where TX : struct, IGlobalPtr where TY : struct, IGlobalPtr
    {
        // (1) Find the row and the columns.
        int chunks = (width + Vec8.Size - 1) / Vec8.Size;
        long at = (long)Grid.IdxX * GpuThreads + Group.IdxX, target = at / chunks;
        if (target >= count)
            return;
        int column = (int)(at - target * chunks) * Vec8.Size, row = rows.Load(target);

        // (2) Copy them.
        Vec8 value = Vec8.Scale(default, 0, float.NaN);
        if (row >= 0 && row < tableRows)
            value = Vec8.Load(table, (long)row * width + column, width - column, vectorized);
        Vec8.Store(y, target * width + column, value, width - column, vectorized);
    }

    /// <summary>dtable[r] (+)= sum of dy[i] over the i with rows[i] = r.</summary>
    /// <remarks>
    /// A block of 128 threads has up to 1024 columns, eight a thread, of one row of the table: x of the grid is the
    /// row, y the columns. It looks for the row among all indices, so that the sum has their order; no shared memory.
    /// Any GPU from compute capability 7.0 on, bf16 from 8.0 on.
    /// </remarks>
    [DeviceCode]
    private static void BackwardKernel<TY, TX>(GlobalPtrInt32 rows, TY dy, TX dtable, int accumulate, int count,
        int tableRows, int width, int vectorized)
        where TX : struct, IGlobalPtr where TY : struct, IGlobalPtr
    {
        int column = (Grid.IdxY * GpuThreads + Group.IdxX) * Vec8.Size;
        if (column >= width)
            return;

        // (1) Sum the gradients of this row.
        Vec8 sum = default;
        int found = 0;
        for (int i = 0; i < count; i++)
            if (rows.Load(i) == Grid.IdxX)
            {
                sum = Vec8.Add(sum, Vec8.Load(dy, (long)i * width + column, width - column, vectorized));
                found = 1;
            }

        // (2) Store the sum; a row that was not gathered is written only where it must become zero.
        if (found != 0 || accumulate == 0)
            Vec8.Write(dtable, (long)Grid.IdxX * width + column, sum, width - column, vectorized, accumulate);
    }
}
