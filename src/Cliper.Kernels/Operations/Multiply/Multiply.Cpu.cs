using System.Runtime.CompilerServices;
using Cliper.Kernels.Cpu;
using Cliper.Kernels.Memory;

namespace Cliper.Kernels.Operations;

public static unsafe partial class Multiply
{
    private static void ForwardHost(CpuDevice host, DeviceArray a, DeviceArray b, DeviceArray y, bool accumulate)
    {
        if (b.Length == 1)
            Scale.Forward(a, *b.Floats, y, accumulate);
        else
            RangeLoop.Elements(host, a.Length, new ForwardBody(a.Floats, b.Floats, y.Floats, accumulate));
    }

    private readonly struct ForwardBody(float* a, float* b, float* y, bool accumulate) : IRangeBody
    {
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        public void Run<V>(long start, long end) where V : struct, ILanes<V>
        {
            float* pa = a, pb = b, py = y;
            bool add = accumulate;
            long i = start;
            for (; i <= end - V.Count; i += V.Count)
            {
                V va = V.Load(pa + i), vb = V.Load(pb + i);
                (add ? V.MultiplyAdd(va, vb, V.Load(py + i)) : va * vb).Store(py + i);
            }
            int rest = (int)(end - i);
            if (rest > 0)
            {
                V va = V.LoadPartial(pa + i, rest), vb = V.LoadPartial(pb + i, rest);
                (add ? V.MultiplyAdd(va, vb, V.LoadPartial(py + i, rest)) : va * vb).StorePartial(py + i, rest);
            }
        }
    }
}
