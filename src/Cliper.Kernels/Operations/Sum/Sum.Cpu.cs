using System.Runtime.CompilerServices;
using Cliper.Kernels.Cpu;
using Cliper.Kernels.Memory;

namespace Cliper.Kernels.Operations;

public static unsafe partial class Sum
{
    // Elements summed in fp32 before a sum in double takes over: short enough for four lanes to stay accurate.
    private const long RunLength = 1024;

    private static void ForwardHost(CpuDevice host, DeviceArray x, DeviceArray y, bool accumulate) =>
        Slices(host, x.Length, y, accumulate, partial => RangeLoop.Elements(host, x.Length, new ForwardBody(x.Floats,
            partial)));

    private static void ProductsHost(CpuDevice host, DeviceArray a, DeviceArray b, DeviceArray y, bool accumulate) =>
        Slices(host, a.Length, y, accumulate, partial =>
            RangeLoop.Elements(host, a.Length, new ProductsBody(a.Floats, b.Floats, partial)));

    private delegate void SumSlices(float* partial);

    /// <summary>Lets <paramref name="sumSlices"/> leave one sum a slice and adds them up in order.</summary>
    private static void Slices(CpuDevice host, long count, DeviceArray y, bool accumulate, SumSlices sumSlices)
    {
        DeviceArray partial = host.Allocate((count + RangeLoop.Grain - 1) / RangeLoop.Grain);
        sumSlices(partial.Floats);
        double sum = accumulate ? *y.Floats : 0;
        for (long slice = 0; slice < partial.Length; slice++)
            sum += partial.Floats[slice];
        *y.Floats = (float)sum;
        host.Free(partial);
    }

    private static void BackwardHost(CpuDevice host, DeviceArray dy, GradientTarget dx) =>
        RangeLoop.Elements(host, dx.Array.Length, new BackwardBody(*dy.Floats, dx.Array.Floats, dx.Accumulate));

    private readonly struct ForwardBody(float* x, float* partial) : IRangeBody
    {
        public void Run<V>(long start, long end) where V : struct, ILanes<V>
        {
            double sum = 0;
            for (long at = start; at < end; at += RunLength)
                sum += RowMath.Sum<V>(x + at, Math.Min(RunLength, end - at));
            partial[start / RangeLoop.Grain] = (float)sum;
        }
    }

    private readonly struct ProductsBody(float* a, float* b, float* partial) : IRangeBody
    {
        public void Run<V>(long start, long end) where V : struct, ILanes<V>
        {
            double sum = 0;
            for (long at = start; at < end; at += RunLength)
                sum += RowMath.Dot<V>(a + at, b + at, Math.Min(RunLength, end - at));
            partial[start / RangeLoop.Grain] = (float)sum;
        }
    }

    private readonly struct BackwardBody(float value, float* dx, bool accumulate) : IRangeBody
    {
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        public void Run<V>(long start, long end) where V : struct, ILanes<V>
        {
            float* target = dx;
            if (!accumulate)
            {
                new Span<float>(target + start, (int)(end - start)).Fill(value);
                return;
            }
            V v = V.Create(value);
            long i = start;
            for (; i <= end - V.Count; i += V.Count)
                (V.Load(target + i) + v).Store(target + i);
            for (; i < end; i++)
                target[i] += value;
        }
    }
}
