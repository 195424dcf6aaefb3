using System.Runtime.CompilerServices;
using Cliper.Kernels.Cpu;
using Cliper.Kernels.Memory;

namespace Cliper.Kernels.Operations;

public static unsafe partial class DepthwiseConvolution
{
    // Neighboring outputs that share each load of a tap's weights.
    private const int PixelsAtOnce = 8;

    private static void ForwardCpu(CpuDevice host, DeviceArray x, DeviceArray weight, DeviceArray y,
        SlidingWindow window)
    {
        FeatureMap output = window.Output(window.Input.Channels);
        RangeLoop.Rows(host, (long)output.Images * output.Height, output.Line * window.Down.Kernel,
            new ForwardRange(x.Floats, weight.Floats, y.Floats, window));
    }

    private static void BackwardInputCpu(CpuDevice host, DeviceArray weight, DeviceArray dy, GradientTarget dx,
        SlidingWindow window) =>
        RangeLoop.Rows(host, (long)window.Input.Images * window.Input.Height, window.Input.Line * window.Down.Kernel,
            new InputRange(weight.Floats, dy.Floats, dx.Array.Floats, dx.Accumulate, window));

    // A unit has one tap, whose channels are summed over all outputs in their order.
    private static void BackwardWeightCpu(CpuDevice host, DeviceArray x, DeviceArray dy, GradientTarget dweight,
        SlidingWindow window) =>
        RangeLoop.Run(host, window.Taps, 1, new WeightRange(x.Floats, dy.Floats, dweight.Array.Floats,
            dweight.Accumulate, window));

    /// <summary>
    /// Lines of outputs. Where there are at least as many channels as lanes, the last register of channels begins so
    /// early that it is full, and so does the last group of neighboring outputs: some are computed twice, with the same
    /// bits.
    /// </summary>
    private readonly struct ForwardRange(float* x, float* weight, float* y, SlidingWindow window) : IRangeBody
    {
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        public void Run<V>(long start, long end) where V : struct, ILanes<V>
        {
            (FeatureMap input, WindowAxis down, WindowAxis across) = window;
            int channels = input.Channels, outputHeight = down.Outputs(input.Height),
                width = across.Outputs(input.Width);
            (int inner, int innerEnd) = across.Interior(input.Width);
            for (long line = start; line < end; line++)
            {
                int row = (int)(line % outputHeight);
                (int firstRow, int endRow) = down.Inside(row, input.Height);
                float* source = x + (line / outputHeight * input.Height + down.Start(row) + firstRow) * input.Line;
                float* taps = weight + (long)firstRow * across.Kernel * channels, target = y + line * width * channels;
                var rows = new Rows(endRow - firstRow, across.Kernel, input.Line, channels, across.Stride * channels);
                for (int c = 0; c < channels; c += V.Count)
                {
                    int first = Math.Max(0, Math.Min(c, channels - V.Count)), lanes = Math.Min(V.Count, channels);
                    int column = 0;
                    for (; column < inner; column++)
                        Edge<V>(rows, source + first, taps + first, target + first, column, lanes);
                    if (lanes == V.Count && innerEnd - column >= PixelsAtOnce)
                    {
                        for (; column < innerEnd; column += PixelsAtOnce)
                        {
                            int from = Math.Min(column, innerEnd - PixelsAtOnce);
                            Pixels<V>(rows, source + first + (long)across.Start(from) * channels, taps + first,
                                target + first + (long)from * channels);
                        }
                        column = innerEnd;
                    }
                    for (; column < width; column++)
                        Edge<V>(rows, source + first, taps + first, target + first, column, lanes);
                }
            }
        }

        /// <summary>One output, of whose window columns may lie in the padding.</summary>
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        private void Edge<V>(in Rows rows, float* source, float* taps, float* target, int column, int lanes)
            where V : struct, ILanes<V>
        {
            (int first, int last) = window.Across.Inside(column, window.Input.Width);
            float* from = source + (long)window.Across.Start(column) * rows.Channels;
            V sum = V.Zero;
            for (int k = 0; k < rows.Count; k++)
                for (int l = first; l < last; l++)
                {
                    float* tap = taps + ((long)k * rows.Kernel + l) * rows.Channels;
                    float* pixel = from + k * rows.Line + (long)l * rows.Channels;
                    sum = lanes == V.Count ? V.MultiplyAdd(V.Load(pixel), V.Load(tap), sum)
                        : V.MultiplyAdd(V.LoadPartial(pixel, lanes), V.LoadPartial(tap, lanes), sum);
                }
            Write(sum, target + (long)column * rows.Channels, lanes);
        }

        /// <summary>Neighboring outputs whose windows lie on inputs alone.</summary>
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        private static void Pixels<V>(in Rows rows, float* source, float* tap, float* target)
            where V : struct, ILanes<V>
        {
            int count = rows.Count, kernel = rows.Kernel;
            nint line = (nint)rows.Line, channels = rows.Channels, step = rows.Step;
            V s0 = V.Zero, s1 = V.Zero, s2 = V.Zero, s3 = V.Zero, s4 = V.Zero, s5 = V.Zero, s6 = V.Zero, s7 = V.Zero;
            for (int k = 0; k < count; k++, source += line)
            {
                float* p = source, q = source + 4 * step;
                for (int l = 0; l < kernel; l++, p += channels, q += channels, tap += channels)
                {
                    V w = V.Load(tap);
                    s0 = V.MultiplyAdd(V.Load(p), w, s0);
                    s1 = V.MultiplyAdd(V.Load(p + step), w, s1);
                    s2 = V.MultiplyAdd(V.Load(p + 2 * step), w, s2);
                    s3 = V.MultiplyAdd(V.Load(p + 3 * step), w, s3);
                    s4 = V.MultiplyAdd(V.Load(q), w, s4);
                    s5 = V.MultiplyAdd(V.Load(q + step), w, s5);
                    s6 = V.MultiplyAdd(V.Load(q + 2 * step), w, s6);
                    s7 = V.MultiplyAdd(V.Load(q + 3 * step), w, s7);
                }
            }
            s0.Store(target);
            s1.Store(target + channels);
            s2.Store(target + 2 * channels);
            s3.Store(target + 3 * channels);
            s4.Store(target + 4 * channels);
            s5.Store(target + 5 * channels);
            s6.Store(target + 6 * channels);
            s7.Store(target + 7 * channels);
        }
    }

    /// <summary>The rows of a window that lie on inputs.</summary>
    /// <param name="Count">How many.</param>
    /// <param name="Kernel">Columns of the window.</param>
    /// <param name="Line">Elements from one row of the input to the next.</param>
    /// <param name="Channels">Elements from one pixel to the next.</param>
    /// <param name="Step">Elements from one output's window to the next one's.</param>
    private readonly record struct Rows(int Count, int Kernel, long Line, int Channels, int Step);

    /// <summary>Lines of inputs, each element the sum over the windows that see it.</summary>
    private readonly struct InputRange(float* weight, float* dy, float* dx, bool accumulate, SlidingWindow window)
        : IRangeBody
    {
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        public void Run<V>(long start, long end) where V : struct, ILanes<V>
        {
            (FeatureMap input, _, _) = window;
            for (long line = start; line < end; line++)
                for (int column = 0; column < input.Width; column++)
                    for (int c = 0; c < input.Channels; c += V.Count)
                    {
                        int lanes = Math.Min(V.Count, input.Channels - c);
                        float* target = dx + line * input.Line + (long)column * input.Channels + c;
                        V sum = Sum<V>(line / input.Height, (int)(line % input.Height), column, c, lanes);
                        Write(accumulate ? Read<V>(target, lanes) + sum : sum, target, lanes);
                    }
        }

        private V Sum<V>(long image, int row, int column, int c, int lanes) where V : struct, ILanes<V>
        {
            (FeatureMap input, WindowAxis down, WindowAxis across) = window;
            int channels = input.Channels, height = down.Outputs(input.Height), width = across.Outputs(input.Width);
            V sum = V.Zero;
            for (int k = 0; k < down.Kernel; k++)
            {
                int y = row + down.Before - k, i = y / down.Stride;
                if (y < 0 || y % down.Stride != 0 || i >= height)
                    continue;
                for (int l = 0; l < across.Kernel; l++)
                {
                    int x = column + across.Before - l, j = x / across.Stride;
                    if (x < 0 || x % across.Stride != 0 || j >= width)
                        continue;
                    sum = V.MultiplyAdd(Read<V>(weight + ((long)k * across.Kernel + l) * channels + c, lanes),
                        Read<V>(dy + ((image * height + i) * width + j) * channels + c, lanes), sum);
                }
            }
            return sum;
        }
    }

    /// <summary>Taps of the weight; each line of outputs is summed by itself.</summary>
    private readonly struct WeightRange(float* x, float* dy, float* dweight, bool accumulate, SlidingWindow window)
        : IRangeBody
    {
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        public void Run<V>(long start, long end) where V : struct, ILanes<V>
        {
            int channels = window.Input.Channels;
            for (long tap = start; tap < end; tap++)
                for (int c = 0; c < channels; c += V.Count)
                {
                    int lanes = Math.Min(V.Count, channels - c);
                    float* target = dweight + tap * channels + c;
                    V sum = Sum<V>((int)tap / window.Across.Kernel, (int)tap % window.Across.Kernel, c, lanes);
                    Write(accumulate ? Read<V>(target, lanes) + sum : sum, target, lanes);
                }
        }

        private V Sum<V>(int k, int l, int c, int lanes) where V : struct, ILanes<V>
        {
            (FeatureMap input, WindowAxis down, WindowAxis across) = window;
            int channels = input.Channels, height = down.Outputs(input.Height), width = across.Outputs(input.Width);
            V total = V.Zero;
            for (int image = 0; image < input.Images; image++)
                for (int i = 0; i < height; i++)
                {
                    int row = down.Start(i) + k;
                    if (row < 0 || row >= input.Height)
                        continue;
                    float* source = x + ((long)image * input.Height + row) * input.Line + c;
                    float* gradient = dy + ((long)image * height + i) * width * channels + c;
                    V sum = V.Zero;
                    for (int j = 0; j < width; j++)
                    {
                        int column = across.Start(j) + l;
                        if (column >= 0 && column < input.Width)
                            sum = V.MultiplyAdd(Read<V>(source + (long)column * channels, lanes),
                                Read<V>(gradient + (long)j * channels, lanes), sum);
                    }
                    total += sum;
                }
            return total;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static V Read<V>(float* p, int lanes) where V : struct, ILanes<V> =>
        lanes == V.Count ? V.Load(p) : V.LoadPartial(p, lanes);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Write<V>(V value, float* p, int lanes) where V : struct, ILanes<V>
    {
        if (lanes == V.Count)
            value.Store(p);
        else
            value.StorePartial(p, lanes);
    }
}
