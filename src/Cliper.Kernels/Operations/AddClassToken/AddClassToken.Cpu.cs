using Cliper.Kernels.Cpu;
using Cliper.Kernels.Memory;

namespace Cliper.Kernels.Operations;

public static unsafe partial class AddClassToken
{
    private static void ForwardHost(CpuDevice host, DeviceArray x, DeviceArray classEmbedding, DeviceArray positions,
        DeviceArray y, Sizes sizes) =>
        RangeLoop.Rows(host, sizes.Samples, sizes.RowWithClass, new ForwardBody(x.Floats, classEmbedding.Floats,
            positions.Floats, y.Floats, sizes.Row, sizes.Width));

    private static void BackwardHost(CpuDevice host, DeviceArray dy, GradientTarget dx, Sizes sizes) =>
        RangeLoop.Rows(host, sizes.Samples, sizes.Row, new BackwardBody(dy.Floats, dx.Array.Floats, dx.Accumulate,
            sizes.Row, sizes.Width));

    private readonly struct ForwardBody(float* x, float* classEmbedding, float* positions, float* y, long row,
        int width)
        : IRangeBody
    {
        public void Run<V>(long start, long end) where V : struct, ILanes<V>
        {
            for (long n = start; n < end; n++)
            {
                float* target = y + n * (row + width);
                RowMath.Add<V>(classEmbedding, positions, target, width);
                RowMath.Add<V>(x + n * row, positions + width, target + width, row);
            }
        }
    }

    private readonly struct BackwardBody(float* dy, float* dx, bool accumulate, long row, int width) : IRangeBody
    {
        public void Run<V>(long start, long end) where V : struct, ILanes<V>
        {
            for (long n = start; n < end; n++)
                RowMath.Write<V>(dy + n * (row + width) + width, dx + n * row, row, accumulate);
        }
    }
}
