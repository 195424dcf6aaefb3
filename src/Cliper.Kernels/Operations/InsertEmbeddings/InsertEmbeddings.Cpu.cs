using Cliper.Kernels.Cpu;
using Cliper.Kernels.Memory;

namespace Cliper.Kernels.Operations;

public static unsafe partial class InsertEmbeddings
{
    private static void ForwardHost(CpuDevice host, DeviceArray x, DeviceArray insert, DeviceArray y, int sequences,
        int tokens, int inserted, int start, int width) =>
        RangeLoop.Rows(host, sequences, (long)tokens * width, new ForwardBody(x.Floats, insert.Floats, y.Floats,
            (long)start * width, (long)inserted * width, (long)(tokens - start - inserted) * width));

    private static void BackwardHost(CpuDevice host, DeviceArray dy, DeviceArray dx, bool accumulateDx,
        DeviceArray dinsert, bool accumulateDinsert, int sequences, int tokens, int inserted, int start, int width) =>
        RangeLoop.Rows(host, sequences, (long)tokens * width, new BackwardBody(dy.Floats, dx.Floats, accumulateDx,
            dinsert.Floats, accumulateDinsert, (long)start * width, (long)inserted * width,
            (long)(tokens - start - inserted) * width));

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

    private readonly struct BackwardBody(float* dy, float* dx, bool addDx, float* dinsert, bool addDinsert, long before,
        long middle, long after) : IRangeBody
    {
        public void Run<V>(long start, long end) where V : struct, ILanes<V>
        {
            for (long p = start; p < end; p++)
            {
                float* source = dy + p * (before + middle + after);
                if (dinsert != null)
                    RowMath.Write<V>(source + before, dinsert + p * middle, middle, addDinsert);
                if (dx == null)
                    continue;
                float* target = dx + p * (before + middle + after);
                RowMath.Write<V>(source, target, before, addDx);
                if (!addDx)
                    new Span<float>(target + before, checked((int)middle)).Clear();
                RowMath.Write<V>(source + before + middle, target + before + middle, after, addDx);
            }
        }
    }
}
