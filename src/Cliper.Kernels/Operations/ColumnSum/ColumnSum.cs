using Cliper.Kernels.Cpu;
using Cliper.Kernels.Gpu.Runtime;
using Cliper.Kernels.Memory;

namespace Cliper.Kernels.Operations;

/// <summary>
/// Sums over rows: y[c] = sum over r of x[r, c], the gradient of whatever was added to every row. Rows are summed in
/// runs of 64, then the runs in order, whatever the number of threads.
/// </summary>
/// <remarks>A NaN or infinity reaches its own column and no other.</remarks>
public static partial class ColumnSum
{
    /// <summary>y[c] = sum over r of x[r, c].</summary>
    /// <param name="x">[rows, width], one row every <paramref name="stride"/> elements.</param>
    /// <param name="y">[width].</param>
    /// <param name="rows">Number of rows; none gives zeros.</param>
    /// <param name="width">Columns.</param>
    /// <param name="stride">Elements from one row to the next, at least <paramref name="width"/>.</param>
    public static void Forward(DeviceArray x, GradientTarget y, int rows, int width, long stride)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(stride, width);
        Check.Length(x, rows == 0 ? 0 : (rows - 1) * stride + width, nameof(x));
        Check.Length(y.Array, width, nameof(y));
        switch (x.Device)
        {
            case CpuDevice host: ForwardHost(host, x, y, rows, width, stride); break;
            case GpuDevice gpu: ForwardGpu(gpu, x, y, rows, width, stride); break;
            default: throw Check.NoImplementation(nameof(ColumnSum), x.Device);
        }
    }
}
