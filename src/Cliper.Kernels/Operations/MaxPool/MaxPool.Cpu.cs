using System.Runtime.CompilerServices;
using Cliper.Kernels.Cpu;
using Cliper.Kernels.Memory;

namespace Cliper.Kernels.Operations;

public static unsafe partial class MaxPool
{
    private static void ForwardCpu(CpuDevice host, DeviceArray x, DeviceArray y, FeatureMap input) =>
        RangeLoop.Rows(host, (long)input.Images * Output(input).Height, Size * input.Line,
            new ForwardRange(x.Floats, y.Floats, input));

    private static void BackwardCpu(CpuDevice host, DeviceArray x, DeviceArray y, DeviceArray dy, GradientTarget dx,
        FeatureMap input)
    {
        // An element that no window sees has no gradient, and the rest is added to that.
        if (!dx.Accumulate)
            host.Clear(dx.Array);
        RangeLoop.Rows(host, (long)input.Images * Output(input).Height, Size * input.Line,
            new BackwardRange(x.Floats, y.Floats, dy.Floats, dx.Array.Floats, input));
    }

    private readonly struct ForwardRange(float* x, float* y, FeatureMap input) : IRangeBody
    {
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        public void Run<V>(long start, long end) where V : struct, ILanes<V>
        {
            int channels = input.Channels;
            FeatureMap output = Output(input);
            for (long line = start; line < end; line++)
            {
                long image = line / output.Height, row = line % output.Height;
                float* upper = x + (image * input.Height + Size * row) * input.Line, lower = upper + input.Line;
                float* target = y + line * output.Line;
                for (int column = 0; column < output.Width; column++, target += channels)
                {
                    float* a = upper + (long)Size * column * channels, b = lower + (long)Size * column * channels;
                    int c = 0;
                    for (; c <= channels - V.Count; c += V.Count)
                        V.Max(V.Max(V.Load(a + c), V.Load(a + channels + c)),
                            V.Max(V.Load(b + c), V.Load(b + channels + c)))
                            .Store(target + c);
                    int n = channels - c;
                    if (n > 0)
                        V.Max(V.Max(V.LoadPartial(a + c, n), V.LoadPartial(a + channels + c, n)),
                            V.Max(V.LoadPartial(b + c, n), V.LoadPartial(b + channels + c, n)))
                            .StorePartial(target + c, n);
                }
            }
        }
    }

    private readonly struct BackwardRange(float* x, float* y, float* dy, float* dx, FeatureMap input) : IRangeBody
    {
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        public void Run<V>(long start, long end) where V : struct, ILanes<V>
        {
            int channels = input.Channels;
            FeatureMap output = Output(input);
            for (long line = start; line < end; line++)
            {
                long image = line / output.Height, row = line % output.Height;
                long first = (image * input.Height + Size * row) * input.Line, from = line * output.Line;
                for (int column = 0; column < output.Width; column++)
                    for (int c = 0; c < channels; c += V.Count)
                    {
                        int n = Math.Min(V.Count, channels - c);
                        long at = first + (long)Size * column * channels + c, of = from + (long)column * channels + c;
                        V largest = V.LoadPartial(y + of, n), gradient = V.LoadPartial(dy + of, n);
                        gradient = Give(at, largest, gradient, n);
                        gradient = Give(at + channels, largest, gradient, n);
                        gradient = Give(at + input.Line, largest, gradient, n);
                        Give(at + input.Line + channels, largest, gradient, n);
                    }
            }
        }

        /// <summary>
        /// Adds the gradient to one of the four if it is the largest; returns what is left for the others.
        /// </summary>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        private V Give<V>(long at, V largest, V gradient, int n) where V : struct, ILanes<V>
        {
            V own = V.LoadPartial(x + at, n);
            (V.LoadPartial(dx + at, n) + V.SelectLess(own, largest, V.Zero, gradient)).StorePartial(dx + at, n);
            return V.SelectLess(own, largest, gradient, V.Zero);
        }
    }
}
