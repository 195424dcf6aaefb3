using System.Runtime.CompilerServices;
using Cliper.Kernels.Cpu;
using Cliper.Kernels.Memory;

namespace Cliper.Kernels.Operations;

public static unsafe partial class Softmax
{
    private static void ForwardHost(CpuDevice host, DeviceArray x, DeviceArray y, int rows, int width) =>
        RangeLoop.Rows(host, rows, width, new ForwardBody(x.Floats, y.Floats, width));

    private static void BackwardHost(CpuDevice host, DeviceArray y, DeviceArray dy, GradientTarget dx, int rows,
        int width) =>
        RangeLoop.Rows(host, rows, width, new BackwardBody(y.Floats, dy.Floats, dx.Array.Floats, dx.Accumulate, width));

    private readonly struct ForwardBody(float* x, float* y, int width) : IRangeBody
    {
        public void Run<V>(long start, long end) where V : struct, ILanes<V>
        {
            for (long row = start; row < end; row++)
            {
                float* source = x + row * width, target = y + row * width;
                Exponentials<V>(source, RowMath.Max<V>(source, width), target, width);
                // The row is in the first-level cache: a pass for the sum costs little and needs no care for partial
                // lanes.
                RowMath.Scale<V>(target, 1 / RowMath.Sum<V>(target, width), target, width, add: false);
            }
        }

        /// <summary>y = e^(x - max).</summary>
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        private static void Exponentials<V>(float* x, float max, float* y, int count) where V : struct, ILanes<V>
        {
            V top = V.Create(max), log2OfE = V.Create(1.44269504f);
            int i = 0;
            for (; i <= count - V.Count; i += V.Count)
                VectorMath.Exp2((V.Load(x + i) - top) * log2OfE).Store(y + i);
            int rest = count - i;
            if (rest > 0)
                VectorMath.Exp2((V.LoadPartial(x + i, rest) - top) * log2OfE).StorePartial(y + i, rest);
        }
    }

    private readonly struct BackwardBody(float* y, float* dy, float* dx, bool accumulate, int width) : IRangeBody
    {
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        public void Run<V>(long start, long end) where V : struct, ILanes<V>
        {
            for (long row = start; row < end; row++)
            {
                float* py = y + row * width, pdy = dy + row * width, pdx = dx + row * width;
                V mean = V.Create(RowMath.Dot<V>(py, pdy, width));
                int i = 0;
                for (; i <= width - V.Count; i += V.Count)
                {
                    V d = V.Load(py + i) * (V.Load(pdy + i) - mean);
                    (accumulate ? V.Load(pdx + i) + d : d).Store(pdx + i);
                }
                int rest = width - i;
                if (rest > 0)
                {
                    V d = V.LoadPartial(py + i, rest) * (V.LoadPartial(pdy + i, rest) - mean);
                    (accumulate ? V.LoadPartial(pdx + i, rest) + d : d).StorePartial(pdx + i, rest);
                }
            }
        }
    }
}
