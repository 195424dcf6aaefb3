using Cliper.Kernels.Cpu;
using Cliper.Kernels.Memory;

namespace Cliper.Kernels.Operations;

public static unsafe partial class Add
{
    private static void ForwardHost(CpuDevice host, DeviceArray a, DeviceArray b, DeviceArray y) =>
        RangeLoop.Elements(host, a.Length, new ForwardBody(a.Floats, b.Floats, y.Floats));

    private readonly struct ForwardBody(float* a, float* b, float* y) : IRangeBody
    {
        public void Run<V>(long start, long end) where V : struct, ILanes<V> =>
            RowMath.Add<V>(a + start, b + start, y + start, end - start);
    }
}
