using System.Runtime.CompilerServices;
using Cliper.Kernels.Cpu;
using Cliper.Kernels.Memory;

namespace Cliper.Kernels.Operations;

public static unsafe partial class Elementwise
{
    private static void ForwardHost<TOp>(CpuDevice host, DeviceArray x, DeviceArray y) where TOp : struct,
        IUnaryOperation =>
        RangeLoop.Elements(host, x.Length, new ForwardBody<TOp>(x.Floats, y.Floats));

    private static void BackwardHost<TOp>(CpuDevice host, DeviceArray x, DeviceArray dy, GradientTarget dx)
        where TOp : struct, IUnaryOperation =>
        RangeLoop.Elements(host, x.Length, new BackwardBody<TOp>(x.Floats, dy.Floats, dx.Array.Floats,
            dx.Accumulate));

    private readonly struct ForwardBody<TOp>(float* x, float* y) : IRangeBody where TOp : struct, IUnaryOperation
    {
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        public void Run<V>(long start, long end) where V : struct, ILanes<V>
        {
            float* px = x, py = y;
            long i = start;
            for (; i <= end - V.Count; i += V.Count)
                TOp.Forward(V.Load(px + i)).Store(py + i);
            // The rest goes through the same lanes: an element's bits do not depend on its place.
            int rest = (int)(end - i);
            if (rest > 0)
                TOp.Forward(V.LoadPartial(px + i, rest)).StorePartial(py + i, rest);
        }
    }

    private readonly struct BackwardBody<TOp>(float* x, float* dy, float* dx, bool accumulate) : IRangeBody
        where TOp : struct, IUnaryOperation
    {
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        public void Run<V>(long start, long end) where V : struct, ILanes<V>
        {
            float* px = x, pdy = dy, pdx = dx;
            bool add = accumulate;
            long i = start;
            for (; i <= end - V.Count; i += V.Count)
            {
                V d = V.Load(pdy + i) * TOp.Derivative(V.Load(px + i));
                (add ? V.Load(pdx + i) + d : d).Store(pdx + i);
            }
            int rest = (int)(end - i);
            if (rest > 0)
            {
                V d = V.LoadPartial(pdy + i, rest) * TOp.Derivative(V.LoadPartial(px + i, rest));
                (add ? V.LoadPartial(pdx + i, rest) + d : d).StorePartial(pdx + i, rest);
            }
        }
    }
}
