using Cliper.Kernels.Cpu;
using Cliper.Kernels.Gpu.Runtime;
using Cliper.Kernels.Memory;

namespace Cliper.Kernels.Operations;

/// <summary>
/// Rows of a table by index: y[i] = table[rows[i]]. Backward scatters and adds: dtable[r] = sum over i with rows[i] = r
/// of dy[i], added in the order of i whatever the number of threads.
/// </summary>
public static partial class Gather
{
    /// <summary>y[i] = table[rows[i]].</summary>
    /// <param name="table">[tableRows, width].</param>
    /// <param name="rows">int32, [count], each in [0, tableRows).</param>
    /// <param name="y">[count, width]; not <paramref name="table"/>.</param>
    /// <param name="tableRows">Rows of the table.</param>
    /// <param name="width">Elements of a row.</param>
    /// <exception cref="ArgumentOutOfRangeException">A row index outside the table; the message names its
    /// place.</exception>
    public static void Forward(DeviceArray table, DeviceArray rows, DeviceArray y, int tableRows, int width)
    {
        Check.Length(table, (long)tableRows * width, nameof(table));
        Check.Length(rows, rows.Length, nameof(rows), ElementType.Int32);
        Check.Length(y, rows.Length * width, nameof(y));
        switch (table.Device)
        {
            case CpuDevice host: ForwardHost(host, table, rows, y, tableRows, width); break;
            case GpuDevice gpu: ForwardGpu(gpu, table, rows, y, tableRows, width); break;
            default: throw Check.NoImplementation(nameof(Gather), table.Device);
        }
    }

    /// <summary>dtable[rows[i]] += dy[i]; rows that no index names get zero.</summary>
    /// <param name="rows">int32, [count].</param>
    /// <param name="dy">Gradient by the output, [count, width].</param>
    /// <param name="dtable">Gradient by the table, [tableRows, width].</param>
    /// <param name="tableRows">Rows of the table.</param>
    /// <param name="width">Elements of a row.</param>
    public static void Backward(DeviceArray rows, DeviceArray dy, GradientTarget dtable, int tableRows, int width)
    {
        Check.Length(rows, rows.Length, nameof(rows), ElementType.Int32);
        Check.Length(dy, rows.Length * width, nameof(dy));
        Check.Length(dtable.Array, (long)tableRows * width, nameof(dtable));
        switch (dy.Device)
        {
            case CpuDevice host: BackwardHost(host, rows, dy, dtable, tableRows, width); break;
            case GpuDevice gpu: BackwardGpu(gpu, rows, dy, dtable, tableRows, width); break;
            default: throw Check.NoImplementation(nameof(Gather), dy.Device);
        }
    }
}
