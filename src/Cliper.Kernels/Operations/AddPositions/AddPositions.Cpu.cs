using Cliper.Kernels.Cpu;
using Cliper.Kernels.Memory;

namespace Cliper.Kernels.Operations;

public static unsafe partial class AddPositions
{
    private static void ForwardHost(CpuDevice host, DeviceArray x, DeviceArray positions, DeviceArray y, int samples,
        int tokens, int width) =>
        RangeLoop.Rows(host, (long)samples * tokens, width, new ForwardBody(x.Floats, positions.Floats, y.Floats,
            tokens, width));

    private readonly struct ForwardBody(float* x, float* positions, float* y, int tokens, int width) : IRangeBody
    {
        public void Run<V>(long start, long end) where V : struct, ILanes<V>
        {
            for (long row = start; row < end; row++)
                RowMath.Add<V>(x + row * width, positions + row % tokens * width, y + row * width, width);
        }
    }
}
