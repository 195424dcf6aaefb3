using Cliper.Kernels.Cpu;
using Cliper.Kernels.Memory;

namespace Cliper.Kernels.Operations;

public static unsafe partial class Mean
{
    private static void ForwardHost(CpuDevice host, DeviceArray x, DeviceArray y, int samples, int frames, int width) =>
        RangeLoop.Rows(host, samples, (long)frames * width, new ForwardBody(x.Floats, y.Floats, frames, width));

    private static void BackwardHost(CpuDevice host, DeviceArray dy, GradientTarget dx, int samples, int frames,
        int width) =>
        RangeLoop.Rows(host, samples, (long)frames * width, new BackwardBody(dy.Floats, dx.Array.Floats,
            dx.Accumulate, frames, width));

    private readonly struct ForwardBody(float* x, float* y, int frames, int width) : IRangeBody
    {
        public void Run<V>(long start, long end) where V : struct, ILanes<V>
        {
            for (long n = start; n < end; n++)
            {
                float* source = x + n * frames * width, target = y + n * width;
                RowMath.Write<V>(source, target, width, add: false);
                for (int frame = 1; frame < frames; frame++)
                    RowMath.Add<V>(source + (long)frame * width, target, target, width);
                RowMath.Scale<V>(target, 1f / frames, target, width, add: false);
            }
        }
    }

    private readonly struct BackwardBody(float* dy, float* dx, bool accumulate, int frames, int width) : IRangeBody
    {
        public void Run<V>(long start, long end) where V : struct, ILanes<V>
        {
            for (long n = start; n < end; n++)
                for (int frame = 0; frame < frames; frame++)
                    RowMath.Scale<V>(dy + n * width, 1f / frames, dx + (n * frames + frame) * width, width, accumulate);
        }
    }
}
