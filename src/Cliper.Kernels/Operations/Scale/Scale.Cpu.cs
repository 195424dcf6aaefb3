using Cliper.Kernels.Cpu;
using Cliper.Kernels.Memory;

namespace Cliper.Kernels.Operations;

public static unsafe partial class Scale
{
    private static void ForwardHost(CpuDevice host, DeviceArray x, float factor, DeviceArray y, bool accumulate) =>
        RangeLoop.Elements(host, x.Length, new ForwardBody(x.Floats, factor, y.Floats, accumulate));

    private readonly struct ForwardBody(float* x, float factor, float* y, bool accumulate) : IRangeBody
    {
        public void Run<V>(long start, long end) where V : struct, ILanes<V> =>
            RowMath.Scale<V>(x + start, factor, y + start, end - start, accumulate);
    }
}
