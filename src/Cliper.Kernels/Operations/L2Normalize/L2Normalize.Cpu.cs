using System.Runtime.CompilerServices;
using Cliper.Kernels.Cpu;
using Cliper.Kernels.Memory;

namespace Cliper.Kernels.Operations;

public static unsafe partial class L2Normalize
{
    private static void ForwardHost(CpuDevice host, DeviceArray x, DeviceArray y, DeviceArray inverse, int rows,
        int width) =>
        RangeLoop.Rows(host, rows, width, new ForwardBody(x.Floats, y.Floats, inverse.Floats, width));

    private static void BackwardHost(CpuDevice host, DeviceArray y, DeviceArray inverse, DeviceArray dy,
        GradientTarget dx, int rows, int width) =>
        RangeLoop.Rows(host, rows, width, new BackwardBody(y.Floats, inverse.Floats, dy.Floats, dx.Array.Floats,
            dx.Accumulate, width));

    private readonly struct ForwardBody(float* x, float* y, float* inverse, int width) : IRangeBody
    {
        public void Run<V>(long start, long end) where V : struct, ILanes<V>
        {
            for (long row = start; row < end; row++)
            {
                float* source = x + row * width;
                float squares = RowMath.Dot<V>(source, source, width);
                // An infinite length would leave zeros and hide the overflow: inf - inf makes the row NaN.
                float factor = squares == 0 ? 0 : 1 / MathF.Sqrt(squares) + (squares - squares);
                RowMath.Scale<V>(source, factor, y + row * width, width, add: false);
                if (inverse != null)
                    inverse[row] = factor;
            }
        }
    }

    private readonly struct BackwardBody(float* y, float* inverse, float* dy, float* dx, bool accumulate, int width)
        : IRangeBody
    {
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        public void Run<V>(long start, long end) where V : struct, ILanes<V>
        {
            for (long row = start; row < end; row++)
            {
                float* py = y + row * width, pdy = dy + row * width, pdx = dx + row * width;
                V along = V.Create(-RowMath.Dot<V>(py, pdy, width)), factor = V.Create(inverse[row]);
                for (int i = 0; i < width; i += V.Count)
                {
                    int n = Math.Min(V.Count, width - i);
                    bool whole = n == V.Count;
                    V vy = whole ? V.Load(py + i) : V.LoadPartial(py + i, n);
                    V d = V.MultiplyAdd(vy, along, whole ? V.Load(pdy + i) : V.LoadPartial(pdy + i, n)) * factor;
                    if (accumulate)
                        d += whole ? V.Load(pdx + i) : V.LoadPartial(pdx + i, n);
                    if (whole)
                        d.Store(pdx + i);
                    else
                        d.StorePartial(pdx + i, n);
                }
            }
        }
    }
}
