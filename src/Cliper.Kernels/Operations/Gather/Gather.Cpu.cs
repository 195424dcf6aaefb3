using Cliper.Kernels.Cpu;
using Cliper.Kernels.Memory;

namespace Cliper.Kernels.Operations;

public static unsafe partial class Gather
{
    // Backward splits the columns, never the rows: each thread adds all rows in order within its own columns.
    private const int ColumnsPerUnit = 64;

    private static void ForwardHost(CpuDevice host, DeviceArray table, DeviceArray rows, DeviceArray y, int tableRows,
        int width)
    {
        CheckRows(rows, tableRows);
        RangeLoop.Rows(host, rows.Length, width, new ForwardBody(table.Floats, rows.Ints, y.Floats, width));
    }

    private static void BackwardHost(CpuDevice host, DeviceArray rows, DeviceArray dy, GradientTarget dtable,
        int tableRows, int width)
    {
        CheckRows(rows, tableRows);
        if (!dtable.Accumulate)
            host.Clear(dtable.Array);
        RangeLoop.Run(host, width, ColumnsPerUnit, new BackwardBody(rows.Ints, dy.Floats, dtable.Array.Floats,
            rows.Length, width));
    }

    private static void CheckRows(DeviceArray rows, int tableRows)
    {
        int* p = rows.Ints;
        for (long i = 0; i < rows.Length; i++)
            if ((uint)p[i] >= (uint)tableRows)
                throw new ArgumentOutOfRangeException(nameof(rows),
                    $"rows[{i}] is {p[i]}, the table has {tableRows} rows");
    }

    private readonly struct ForwardBody(float* table, int* rows, float* y, int width) : IRangeBody
    {
        public void Run<V>(long start, long end) where V : struct, ILanes<V>
        {
            for (long i = start; i < end; i++)
                RowMath.Write<V>(table + (long)rows[i] * width, y + i * width, width, add: false);
        }
    }

    private readonly struct BackwardBody(int* rows, float* dy, float* dtable, long count, int width) : IRangeBody
    {
        public void Run<V>(long start, long end) where V : struct, ILanes<V>
        {
            for (long i = 0; i < count; i++)
                RowMath.Write<V>(dy + i * width + start, dtable + (long)rows[i] * width + start, end - start,
                    add: true);
        }
    }
}
