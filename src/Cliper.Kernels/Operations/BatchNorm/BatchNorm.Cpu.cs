using System.Runtime.CompilerServices;
using Cliper.Kernels.Cpu;
using Cliper.Kernels.Memory;

namespace Cliper.Kernels.Operations;

public static unsafe partial class BatchNorm
{
    private const int LeastRowsPerSlice = 64, MaxSlices = 128;

    // Rows that are added to sums in memory together, for each sum waits for its last addition. Rows of many channels
    // are read one by one, in a single stream that the CPU's prefetchers follow.
    private static int RowsTogether(int channels) => channels <= 64 ? 4 : 1;

    // By sizes alone, so that the order of the sums is the same with any number of threads.
    private static int RowsPerSlice(int rows, int channels) => Math.Max((rows + MaxSlices - 1) / MaxSlices,
        Math.Max(LeastRowsPerSlice, RangeLoop.Grain / channels));

    private static long StatisticsCpu(CpuDevice host, DeviceArray x, DeviceArray mean, DeviceArray variance, int rows)
    {
        int channels = checked((int)mean.Length), each = RowsPerSlice(rows, channels),
            slices = (rows + each - 1) / each;
        DeviceArray parts = host.Allocate(2L * slices * channels);
        RangeLoop.Run(host, slices, 1, new StatisticsRange(x.Floats, parts.Floats, rows, channels, each));
        float* p = parts.Floats, m = mean.Floats, v = variance.Floats;
        var moments = new double[2 * channels];
        for (int c = 0; c < channels; c++)
        {
            // The slices' means and sums of squares about them are merged as in Chan, Golub, LeVeque (1979).
            double average = 0, squares = 0;
            for (int slice = 0; slice < slices; slice++)
            {
                double before = (double)slice * each, own = Math.Min(each, rows - before);
                Merge(ref average, ref squares, before, p[2L * slice * channels + c],
                    p[(2L * slice + 1) * channels + c], own);
            }
            (moments[c], moments[channels + c]) = (average, squares);
        }
        host.Free(parts);
        long all = MergeRanks(host.Ranks, moments, rows);
        for (int c = 0; c < channels; c++)
            (m[c], v[c]) = ((float)moments[c], (float)(moments[channels + c] / all));
        return all;
    }

    private static void UpdateRunningCpu(DeviceArray batch, DeviceArray running, float factor, float momentum)
    {
        ReadOnlySpan<float> from = batch.AsSpan<float>();
        Span<float> to = running.AsSpan<float>();
        for (int c = 0; c < to.Length; c++)
            to[c] += momentum * (factor * from[c] - to[c]);
    }

    private static void ForwardCpu(CpuDevice host, DeviceArray x, Parameters parameters, DeviceArray residual,
        DeviceArray y, bool relu)
    {
        DeviceArray scale = Scale(host, parameters);
        RangeLoop.Rows(host, x.Length / parameters.Channels, parameters.Channels, new ForwardRange(x.Floats,
            residual.Floats, y.Floats, new Line(parameters, scale.Floats), relu));
        host.Free(scale);
    }

    private static void BackwardCpu(CpuDevice host, Input input, Gradients gradients, int rows, bool batchStatistics)
    {
        int channels = input.Parameters.Channels, each = RowsPerSlice(rows, channels),
            slices = (rows + each - 1) / each;
        DeviceArray scale = Scale(host, input.Parameters), parts = host.Allocate(2L * (slices + 1) * channels);
        var line = new Line(input.Parameters, scale.Floats);
        // Row 0 takes the totals: the sums of g and of g (x - mean).
        float* totals = parts.Floats, slopes = totals + channels;
        RangeLoop.Run(host, slices, 1, new SumsRange(input, totals + 2 * channels, line, rows, each));
        ColumnSum.Forward(parts.Slice(2L * channels, 2L * slices * channels), parts.Slice(0, 2L * channels), slices,
            2 * channels, 2L * channels);
        float* gamma = input.Parameters.Gamma.Floats, variance = input.Parameters.Variance.Floats;
        for (int c = 0; c < channels; c++)
        {
            slopes[c] *= 1 / MathF.Sqrt(variance[c] + input.Parameters.Epsilon);
            Write(gradients.Beta, c, totals[c]);
            Write(gradients.Gamma, c, slopes[c]);
        }
        // The gradients by gamma and beta stay this rank's; that by x goes through the statistics of all ranks' rows.
        long all = batchStatistics ? SumRanks(host.Ranks, parts.Slice(0, 2L * channels), rows) : rows;
        for (int c = 0; c < channels; c++)
        {
            // dx = scale g - totals - slopes (x - mean).
            float rstd = 1 / MathF.Sqrt(variance[c] + input.Parameters.Epsilon);
            totals[c] = batchStatistics ? gamma[c] * rstd * (totals[c] / all) : 0;
            slopes[c] = batchStatistics ? gamma[c] * rstd * rstd * (slopes[c] / all) : 0;
        }
        if (!gradients.X.IsNull)
            RangeLoop.Rows(host, rows, channels, new InputRange(input.X.Floats, input.Dy.Floats, gradients.X, line,
                input.Relu && input.Y.IsNull, batchStatistics ? totals : null, slopes));
        host.Free(scale);
        host.Free(parts);
    }

    private static void Write(GradientTarget target, int c, float value)
    {
        if (!target.IsNull)
            target.Array.Floats[c] = target.Accumulate ? target.Array.Floats[c] + value : value;
    }

    /// <summary>gamma * rstd of each channel.</summary>
    private static DeviceArray Scale(CpuDevice host, Parameters parameters)
    {
        DeviceArray scale = host.Allocate(parameters.Channels);
        float* gamma = parameters.Gamma.Floats, variance = parameters.Variance.Floats, to = scale.Floats;
        for (int c = 0; c < parameters.Channels; c++)
            to[c] = gamma[c] / MathF.Sqrt(variance[c] + parameters.Epsilon);
        return scale;
    }

    /// <summary>The line that a channel's x is put through: (x - mean) scale + beta.</summary>
    private readonly struct Line(Parameters parameters, float* scale)
    {
        public readonly float* Mean = parameters.Mean.Floats, Scale = scale, Beta = parameters.Beta.Floats;
        public readonly int Channels = parameters.Channels;
    }

    /// <summary>
    /// Leaves mean and sum of squares about it of each channel of a slice. The sums are those of x less its first row,
    /// which lies near the mean, so that their difference loses few digits.
    /// </summary>
    private readonly struct StatisticsRange(float* x, float* parts, int rows, int channels, int each) : IRangeBody
    {
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        public void Run<V>(long start, long end) where V : struct, ILanes<V>
        {
            int width = channels, together = RowsTogether(width);
            for (long slice = start; slice < end; slice++)
            {
                int count = (int)Math.Min(each, rows - slice * each);
                float* first = x + slice * each * width, sums = parts + 2 * slice * width, squares = sums + width;
                new Span<float>(sums, 2 * width).Clear();
                for (int row = 1; row < count; row += together)
                {
                    int rowsNow = Math.Min(together, count - row);
                    float* p = first + (long)row * width;
                    for (int c = 0; c < width; c += V.Count, p += V.Count)
                    {
                        int n = width - c;
                        // Rows that are read together are added up by themselves, which halves the sums' rounding.
                        V shift = Load<V>(first + c, n), sum = V.Zero, square = V.Zero;
                        for (int r = 0, at = 0; r < rowsNow; r++, at += width)
                        {
                            V a = Load<V>(p + at, n) - shift;
                            sum += a;
                            square = V.MultiplyAdd(a, a, square);
                        }
                        Store(Load<V>(sums + c, n) + sum, sums + c, n);
                        Store(Load<V>(squares + c, n) + square, squares + c, n);
                    }
                }
                V divisor = V.Create(1f / count);
                for (int c = 0; c < width; c += V.Count)
                {
                    int n = width - c;
                    V sum = Load<V>(sums + c, n), mean = sum * divisor;
                    Store(Load<V>(first + c, n) + mean, sums + c, n);
                    // Rounding may leave less than nothing; a NaN stays.
                    Store(V.AtLeast(Load<V>(squares + c, n) - sum * mean, V.Zero), squares + c, n);
                }
            }
        }
    }

    private readonly struct ForwardRange(float* x, float* residual, float* y, Line line, bool relu) : IRangeBody
    {
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        public void Run<V>(long start, long end) where V : struct, ILanes<V>
        {
            int width = line.Channels;
            float* px = x, pr = residual, py = y, mean = line.Mean, scale = line.Scale, beta = line.Beta;
            V least = V.Create(relu ? 0 : float.NegativeInfinity);
            for (long row = start; row < end; row++)
                for (int c = 0; c < width; c += V.Count)
                {
                    int n = width - c;
                    long at = row * width + c;
                    V sum = V.MultiplyAdd(Load<V>(px + at, n) - Load<V>(mean + c, n), Load<V>(scale + c, n),
                        Load<V>(beta + c, n));
                    if (pr != null)
                        sum += Load<V>(pr + at, n);
                    Store(V.AtLeast(sum, least), py + at, n);
                }
        }
    }

    /// <summary>Leaves the sums of g and g (x - mean) of each channel of a slice, and g over dy where y is
    /// given.</summary>
    private readonly struct SumsRange(Input input, float* parts, Line line, int rows, int each) : IRangeBody
    {
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        public void Run<V>(long start, long end) where V : struct, ILanes<V>
        {
            int width = line.Channels, together = RowsTogether(width);
            float* px = input.X.Floats, pd = input.Dy.Floats, py = input.Y.Floats, mean = line.Mean,
                scale = line.Scale, beta = line.Beta;
            bool masks = input.Relu && py == null;
            for (long slice = start; slice < end; slice++)
            {
                float* sums = parts + 2 * slice * width, slopes = sums + width;
                new Span<float>(sums, 2 * width).Clear();
                long last = Math.Min(rows, (slice + 1) * each);
                for (long row = slice * each; row < last; row += together)
                {
                    int rowsNow = (int)Math.Min(together, last - row);
                    for (int c = 0; c < width; c += V.Count)
                    {
                        int n = width - c;
                        long at = row * width + c;
                        V m = Load<V>(mean + c, n), s = Load<V>(scale + c, n), b = Load<V>(beta + c, n),
                            sum = V.Zero, slope = V.Zero;
                        for (int r = 0; r < rowsNow; r++, at += width)
                        {
                            V centered = Load<V>(px + at, n) - m, g = Load<V>(pd + at, n);
                            if (masks)
                                g = V.SelectLess(V.Zero, V.MultiplyAdd(centered, s, b), g, V.Zero);
                            else if (py != null)
                            {
                                g = V.SelectLess(V.Zero, Load<V>(py + at, n), g, V.Zero);
                                Store(g, pd + at, n);
                            }
                            sum += g;
                            slope = V.MultiplyAdd(g, centered, slope);
                        }
                        Store(Load<V>(sums + c, n) + sum, sums + c, n);
                        Store(Load<V>(slopes + c, n) + slope, slopes + c, n);
                    }
                }
            }
        }
    }

    /// <summary>dx = scale g - average - slope (x - mean); the last two only where there are averages.</summary>
    private readonly struct InputRange(float* x, float* dy, GradientTarget dx, Line line, bool masks, float* averages,
        float* slopes) : IRangeBody
    {
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        public void Run<V>(long start, long end) where V : struct, ILanes<V>
        {
            int width = line.Channels;
            float* px = x, pd = dy, to = dx.Array.Floats, mean = line.Mean, scale = line.Scale, beta = line.Beta;
            float* average = averages, slope = slopes;
            bool add = dx.Accumulate;
            for (long row = start; row < end; row++)
                for (int c = 0; c < width; c += V.Count)
                {
                    int n = width - c;
                    long at = row * width + c;
                    V factor = Load<V>(scale + c, n), g = Load<V>(pd + at, n), centered = V.Zero;
                    if (masks || average != null)
                        centered = Load<V>(px + at, n) - Load<V>(mean + c, n);
                    if (masks)
                        g = V.SelectLess(V.Zero, V.MultiplyAdd(centered, factor, Load<V>(beta + c, n)), g, V.Zero);
                    V d = factor * g;
                    if (average != null)
                        d = d - Load<V>(average + c, n) - centered * Load<V>(slope + c, n);
                    if (add)
                        d += Load<V>(to + at, n);
                    Store(d, to + at, n);
                }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static V Load<V>(float* p, int n) where V : struct, ILanes<V> =>
        n >= V.Count ? V.Load(p) : V.LoadPartial(p, n);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Store<V>(V value, float* p, int n) where V : struct, ILanes<V>
    {
        if (n >= V.Count)
            value.Store(p);
        else
            value.StorePartial(p, n);
    }
}
