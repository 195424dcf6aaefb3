using System.Runtime.CompilerServices;
using Cliper.Kernels.Cpu;
using Cliper.Kernels.Memory;

namespace Cliper.Kernels.Operations;

public static unsafe partial class SoftmaxCrossEntropy
{
    private static void ForwardHost(CpuDevice host, DeviceArray logits, DeviceArray targets, DeviceArray loss,
        DeviceArray logSum, int rows, int classes)
    {
        bool soft = targets.Type == ElementType.Float32;
        if (!soft)
            Check.Labels(targets, classes);
        DeviceArray losses = host.Allocate(rows);
        RangeLoop.Rows(host, rows, classes, new ForwardBody(logits.Floats, soft ? null : targets.Ints,
            soft ? targets.Floats : null, losses.Floats, logSum.Floats, classes));
        double sum = 0;
        for (int row = 0; row < rows; row++)
            sum += losses.Floats[row];
        *loss.Floats = (float)(sum / rows);
        host.Free(losses);
    }

    private static void BackwardHost(CpuDevice host, DeviceArray logits, DeviceArray targets, DeviceArray logSum,
        DeviceArray dloss, GradientTarget dlogits, int classes)
    {
        int rows = checked((int)logSum.Length);
        bool soft = targets.Type == ElementType.Float32;
        RangeLoop.Rows(host, rows, classes, new BackwardBody(logits.Floats, soft ? null : targets.Ints,
            soft ? targets.Floats : null, logSum.Floats, *dloss.Floats / rows, dlogits, classes));
    }

    private readonly struct ForwardBody(float* logits, int* labels, float* targets, float* losses, float* logSum,
        int classes)
        : IRangeBody
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
                losses[row] = labels != null ? max - x[labels[row]] + log : Soft<V>(x, targets + row * classes, max,
                    log, classes);
            }
        }

        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        private static float Soft<V>(float* x, float* t, float max, float log, int classes) where V : struct, ILanes<V>
        {
            V top = V.Create(max), small = V.Create(log), sum = V.Zero;
            int i = 0;
            for (; i <= classes - V.Count; i += V.Count)
                sum = V.MultiplyAdd(V.Load(t + i), top - V.Load(x + i) + small, sum);
            int rest = classes - i;
            if (rest > 0)
                sum = V.MultiplyAdd(V.LoadPartial(t + i, rest), top - V.LoadPartial(x + i, rest) + small, sum);
            return V.Sum(sum);
        }
    }

    private readonly struct BackwardBody(float* logits, int* labels, float* targets, float* logSum, float factor,
        GradientTarget dlogits, int classes) : IRangeBody
    {
        public void Run<V>(long start, long end) where V : struct, ILanes<V>
        {
            float* first = dlogits.Array.Floats;
            for (long row = start; row < end; row++)
            {
                float* x = logits + row * classes, dx = first + row * classes;
                if (labels != null)
                {
                    Row<V>(x, null, logSum[row], factor, dx);
                    dx[labels[row]] -= factor;
                }
                else
                {
                    float* t = targets + row * classes;
                    Row<V>(x, t, logSum[row], factor * RowMath.Sum<V>(t, classes), dx);
                }
            }
        }

        /// <summary>dx (+)= weight e^(x - z) - factor t, without the last part when there is no t.</summary>
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        private void Row<V>(float* x, float* t, float z, float weight, float* dx) where V : struct, ILanes<V>
        {
            V log = V.Create(z), w = V.Create(weight), f = V.Create(-factor);
            bool add = dlogits.Accumulate;
            int count = classes, i = 0;
            for (; i <= count - V.Count; i += V.Count)
            {
                V d = VectorMath.Exp(V.Load(x + i) - log) * w;
                if (t != null)
                    d = V.MultiplyAdd(V.Load(t + i), f, d);
                (add ? V.Load(dx + i) + d : d).Store(dx + i);
            }
            int rest = count - i;
            if (rest > 0)
            {
                V d = VectorMath.Exp(V.LoadPartial(x + i, rest) - log) * w;
                if (t != null)
                    d = V.MultiplyAdd(V.LoadPartial(t + i, rest), f, d);
                (add ? V.LoadPartial(dx + i, rest) + d : d).StorePartial(dx + i, rest);
            }
        }
    }
}
