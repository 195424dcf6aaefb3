using System.Runtime.CompilerServices;
using Cliper.Kernels.Devices;
using Cliper.Kernels.Simd;

namespace Cliper.Kernels.Operations;

public static unsafe partial class SoftmaxCrossEntropy
{
    private static void ForwardHost(HostDevice host, DeviceArray logits, DeviceArray targets, DeviceArray loss,
        DeviceArray logSum, int rows, int classes)
    {
        bool soft = targets.Type == ElementType.Float32;
        if (!soft)
            Check.Labels(targets, classes);
        DeviceArray losses = host.Allocate(rows);
        RangeLoop.Rows(host, rows, classes, new ForwardKernel(logits.Floats, soft ? null : targets.Ints,
            soft ? targets.Floats : null, losses.Floats, logSum.Floats, classes));
        double sum = 0;
        for (int row = 0; row < rows; row++)
            sum += losses.Floats[row];
        *loss.Floats = (float)(sum / rows);
        host.Free(losses);
    }

    private static void BackwardHost(HostDevice host, DeviceArray logits, DeviceArray targets, DeviceArray logSum,
        DeviceArray dloss, DeviceArray dlogits, bool accumulate, int rows, int classes)
    {
        bool soft = targets.Type == ElementType.Float32;
        RangeLoop.Rows(host, rows, classes, new BackwardKernel(logits.Floats, soft ? null : targets.Ints,
            soft ? targets.Floats : null, logSum.Floats, *dloss.Floats / rows, dlogits.Floats, accumulate, classes));
    }

    private readonly struct ForwardKernel(float* logits, int* labels, float* targets, float* losses, float* logSum, int classes)
        : IRangeKernel
    {
        public void Run<V>(long start, long end) where V : struct, ILanes<V>
        {
            for (long row = start; row < end; row++)
            {
                float* x = logits + row * classes;
                float max = RowMath.Max<V>(x, classes);
                float log = MathF.Log(RowMath.SumOfExp<V>(x, max, classes));
                logSum[row] = max + log;
                // (max - x) + log keeps the small term that max + log would round away.
                losses[row] = labels != null ? max - x[labels[row]] + log : Soft<V>(x, targets + row * classes, max, log, classes);
            }
        }

        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        private static float Soft<V>(float* x, float* t, float max, float log, int classes) where V : struct, ILanes<V>
        {
            V top = V.Create(max), rest = V.Create(log), sum = V.Zero;
            for (int i = 0; i < classes; i += V.Count)
            {
                int n = Math.Min(V.Count, classes - i);
                sum = V.MultiplyAdd(V.LoadPartial(t + i, n), top - V.LoadPartial(x + i, n) + rest, sum);
            }
            return V.Sum(sum);
        }
    }

    private readonly struct BackwardKernel(float* logits, int* labels, float* targets, float* logSum, float factor,
        float* dlogits, bool accumulate, int classes) : IRangeKernel
    {
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        public void Run<V>(long start, long end) where V : struct, ILanes<V>
        {
            for (long row = start; row < end; row++)
            {
                float* x = logits + row * classes, dx = dlogits + row * classes;
                float* t = targets == null ? null : targets + row * classes;
                float weight = t == null ? factor : factor * RowMath.Sum<V>(t, classes);
                V log = V.Create(logSum[row]), w = V.Create(weight), f = V.Create(-factor);
                for (int i = 0; i < classes; i += V.Count)
                {
                    int n = Math.Min(V.Count, classes - i);
                    V d = VectorMath.Exp(V.LoadPartial(x + i, n) - log) * w;
                    if (t != null)
                        d = V.MultiplyAdd(V.LoadPartial(t + i, n), f, d);
                    if (accumulate)
                        d += V.LoadPartial(dx + i, n);
                    d.StorePartial(dx + i, n);
                }
                if (labels != null)
                    dx[labels[row]] -= factor;
            }
        }
    }
}
