using Cliper.Kernels.Cpu;
using Cliper.Kernels.Memory;

namespace Cliper.Kernels.Operations;

public static unsafe partial class InsertEmbeddings
{
    private static void ForwardHost(CpuDevice host, DeviceArray x, DeviceArray insert, DeviceArray y,
        Sizes sizes) =>
        RangeLoop.Rows(host, sizes.Sequences, sizes.Row, new ForwardBody(x.Floats, insert.Floats, y.Floats,
            sizes.Before, sizes.Middle, sizes.After));

    private static void BackwardHost(CpuDevice host, DeviceArray dy, GradientTarget dx,
        GradientTarget dinsert, Sizes sizes) =>
        RangeLoop.Rows(host, sizes.Sequences, sizes.Row, new BackwardBody(dy.Floats, dx, dinsert, sizes.Before,
            sizes.Middle, sizes.After));

    private readonly struct ForwardBody(float* x, float* insert, float* y, long before, long middle, long after)
        : IRangeBody
    {
        public void Run<V>(long start, long end) where V : struct, ILanes<V>
        {
            for (long p = start; p < end; p++)
            {
                float* source = x + p * (before + middle + after), target = y + p * (before + middle + after);
                RowMath.Write<V>(source, target, before, add: false);
                RowMath.Write<V>(insert + p * middle, target + before, middle, add: false);
                RowMath.Write<V>(source + before + middle, target + before + middle, after, add: false);
            }
        }
    }

    private readonly struct BackwardBody(float* dy, GradientTarget dx, GradientTarget dinsert, long before,
        long middle, long after) : IRangeBody
    {
        public void Run<V>(long start, long end) where V : struct, ILanes<V>
        {
            for (long p = start; p < end; p++)
            {
                float* source = dy + p * (before + middle + after);
                if (!dinsert.IsNull)
                    RowMath.Write<V>(source + before, dinsert.Array.Floats + p * middle, middle, dinsert.Accumulate);
                if (dx.IsNull)
                    continue;
                float* target = dx.Array.Floats + p * (before + middle + after);
                RowMath.Write<V>(source, target, before, dx.Accumulate);
                if (!dx.Accumulate)
                    new Span<float>(target + before, checked((int)middle)).Clear();
                RowMath.Write<V>(source + before + middle, target + before + middle, after, dx.Accumulate);
            }
        }
    }
}
