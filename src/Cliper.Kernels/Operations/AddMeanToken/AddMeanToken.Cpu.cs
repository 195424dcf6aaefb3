using Cliper.Kernels.Cpu;
using Cliper.Kernels.Memory;

namespace Cliper.Kernels.Operations;

public static unsafe partial class AddMeanToken
{
    private static void ForwardCpu(CpuDevice host, DeviceArray x, DeviceArray positions, DeviceArray y, int samples,
        int pixels, int width) =>
        RangeLoop.Rows(host, samples, (pixels + 1L) * width,
            new ForwardRange(x.Floats, positions.Floats, y.Floats, pixels, width));

    private static void BackwardCpu(CpuDevice host, DeviceArray dy, GradientTarget dx, int samples, int pixels,
        int width) =>
        RangeLoop.Rows(host, samples, (pixels + 1L) * width, new BackwardRange(dy.Floats, dx, pixels, width));

    private readonly struct ForwardRange(float* x, float* positions, float* y, int pixels, int width) : IRangeBody
    {
        public void Run<V>(long start, long end) where V : struct, ILanes<V>
        {
            long row = (long)pixels * width;
            for (long n = start; n < end; n++)
            {
                float* source = x + n * row, target = y + n * (row + width);
                RowMath.Write<V>(source, target, width, add: false);
                for (int pixel = 1; pixel < pixels; pixel++)
                    RowMath.Add<V>(source + (long)pixel * width, target, target, width);
                RowMath.Scale<V>(target, 1f / pixels, target, width, add: false);
                RowMath.Add<V>(target, positions, target, width);
                RowMath.Add<V>(source, positions + width, target + width, row);
            }
        }
    }

    private readonly struct BackwardRange(float* dy, GradientTarget dx, int pixels, int width) : IRangeBody
    {
        public void Run<V>(long start, long end) where V : struct, ILanes<V>
        {
            long row = (long)pixels * width;
            for (long n = start; n < end; n++)
            {
                float* source = dy + n * (row + width), target = dx.Array.Floats + n * row;
                RowMath.Write<V>(source + width, target, row, dx.Accumulate);
                for (int pixel = 0; pixel < pixels; pixel++)
                    RowMath.Scale<V>(source, 1f / pixels, target + (long)pixel * width, width, add: true);
            }
        }
    }
}
