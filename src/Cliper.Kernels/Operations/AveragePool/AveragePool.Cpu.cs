using System.Runtime.CompilerServices;
using Cliper.Kernels.Cpu;
using Cliper.Kernels.Memory;

namespace Cliper.Kernels.Operations;

public static unsafe partial class AveragePool
{
    private static void ForwardCpu(CpuDevice host, DeviceArray x, DeviceArray y, FeatureMap input, int size) =>
        RangeLoop.Rows(host, (long)input.Images * Output(input, size).Height, size * input.Line,
            new ForwardRange(x.Floats, y.Floats, input, size));

    private static void BackwardCpu(CpuDevice host, DeviceArray dy, GradientTarget dx, FeatureMap input, int size) =>
        RangeLoop.Rows(host, (long)input.Images * input.Height, input.Line,
            new BackwardRange(dy.Floats, dx, input, size));

    private readonly struct ForwardRange(float* x, float* y, FeatureMap input, int size) : IRangeBody
    {
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        public void Run<V>(long start, long end) where V : struct, ILanes<V>
        {
            int channels = input.Channels;
            FeatureMap output = Output(input, size);
            V factor = V.Create(1f / (size * size));
            for (long line = start; line < end; line++)
            {
                float* first = x + (line / output.Height * input.Height + line % output.Height * size) * input.Line;
                float* target = y + line * output.Line;
                for (int column = 0; column < output.Width; column++, target += channels)
                {
                    float* window = first + (long)column * size * channels;
                    for (int c = 0; c < channels; c += V.Count)
                    {
                        int n = Math.Min(V.Count, channels - c);
                        V sum = V.Zero;
                        for (int k = 0; k < size; k++)
                        {
                            float* pixel = window + k * input.Line + c;
                            for (int l = 0; l < size; l++, pixel += channels)
                                sum += n == V.Count ? V.Load(pixel) : V.LoadPartial(pixel, n);
                        }
                        (sum * factor).StorePartial(target + c, n);
                    }
                }
            }
        }
    }

    private readonly struct BackwardRange(float* dy, GradientTarget dx, FeatureMap input, int size) : IRangeBody
    {
        public void Run<V>(long start, long end) where V : struct, ILanes<V>
        {
            int channels = input.Channels;
            FeatureMap output = Output(input, size);
            float factor = 1f / (size * size);
            for (long line = start; line < end; line++)
            {
                float* target = dx.Array.Floats + line * input.Line;
                long image = line / input.Height, row = line % input.Height / size;
                int seen = row < output.Height ? output.Width * size : 0;
                float* source = dy + (image * output.Height + row) * output.Line;
                for (int column = 0; column < seen; column++)
                    RowMath.Scale<V>(source + (long)(column / size) * channels, factor,
                        target + (long)column * channels, channels, dx.Accumulate);
                if (!dx.Accumulate)
                    new Span<float>(target + (long)seen * channels, (input.Width - seen) * channels).Clear();
            }
        }
    }
}
