using Cliper.Kernels.Cpu;
using Cliper.Kernels.Memory;

namespace Cliper.Kernels.Operations;

public static unsafe partial class AddClassToken
{
    private static void ForwardHost(CpuDevice host, DeviceArray x, DeviceArray classEmbedding, DeviceArray positions,
        DeviceArray y, int samples, int patches, int width) =>
        RangeLoop.Rows(host, samples, (patches + 1L) * width, new ForwardBody(x.Floats, classEmbedding.Floats,
            positions.Floats, y.Floats, (long)patches * width, width));

    private static void BackwardHost(CpuDevice host, DeviceArray dy, DeviceArray dx, bool accumulate, int samples,
        int patches, int width) =>
        RangeLoop.Rows(host, samples, (long)patches * width, new BackwardBody(dy.Floats, dx.Floats, accumulate,
            (long)patches * width, width));

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
