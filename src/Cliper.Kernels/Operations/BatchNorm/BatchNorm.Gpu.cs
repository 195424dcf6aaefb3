using Cliper.Kernels.Gpu.Compiler;
using Cliper.Kernels.Gpu.DeviceCode;
using Cliper.Kernels.Gpu.Runtime;
using Cliper.Kernels.Memory;

namespace Cliper.Kernels.Operations;

public static partial class BatchNorm
{
    // Rows of a block of what writes rows, eight a warp, for which a thread loads its channels' numbers once.
    private const int RowsOfBlock = 64, ChannelThreads = 128;

    private static readonly KernelFamily
        StatisticsKernels = new(typeof(BatchNorm), nameof(StatisticsKernel), "BatchNorm statistics",
            ColumnBlock.Threads, 1, 96),
        StatisticsEndKernels = new(typeof(BatchNorm), nameof(StatisticsEndKernel), "BatchNorm statistics, end",
            ChannelThreads, 1, 48),
        ForwardKernels = new(typeof(BatchNorm), nameof(ForwardKernel), "BatchNorm forward", ColumnBlock.Threads, 1, 96),
        SumsKernels = new(typeof(BatchNorm), nameof(SumsKernel), "BatchNorm backward, sums", ColumnBlock.Threads, 1,
            128),
        InputKernels = new(typeof(BatchNorm), nameof(InputKernel), "BatchNorm backward", ColumnBlock.Threads, 1, 128);

    private static readonly GpuKernel
        SumsEnd = new(typeof(BatchNorm), nameof(SumsEndKernel), "BatchNorm backward, end of sums", ChannelThreads, 1,
            48),
        UpdateRunning32 = new(typeof(BatchNorm), nameof(UpdateRunningKernel), "BatchNorm running statistics",
            ChannelThreads, 1, 32);

    internal static IEnumerable<GpuKernel> GpuKernels => [.. StatisticsKernels.ForEachDtype16,
        .. StatisticsEndKernels.ForEachDtype16, .. ForwardKernels.ForEachDtype16, .. SumsKernels.ForEachDtype16,
        .. InputKernels.ForEachDtype16, SumsEnd, UpdateRunning32];

    /// <summary>
    /// Rows as blocks of 256 columns see them: several rows of few channels side by side, so that all lanes have
    /// columns.
    /// </summary>
    private readonly record struct Layout(int Rows, int Width, bool Vectorized)
    {
        public static Layout Of(int rows, int channels, params ReadOnlySpan<DeviceArray> arrays)
        {
            bool vectorized = Vec8.IsVectorizable(channels, channels, arrays);
            int together = 1;
            while (vectorized && rows % (2 * together) == 0 && 2 * together * channels <= ColumnBlock.Columns)
                together *= 2;
            return new Layout(rows / together, together * channels, vectorized);
        }

        public int Slices => ColumnSum.Slices(Rows);

        /// <summary>Rows of a slice.</summary>
        public int Each => Math.Max(1, Blocks.Cover(Rows, Slices));

        public Blocks SliceBlocks => new(Blocks.Cover(Width, ColumnBlock.Columns), Slices);

        /// <summary>Rows of a block of those that write rows.</summary>
        public int EachWritten => Math.Max(RowsOfBlock, Blocks.Cover(Rows, Blocks.MaxOther));

        public Blocks WrittenBlocks => new(Blocks.Cover(Width, ColumnBlock.Columns), Blocks.Cover(Rows, EachWritten));
    }

    private static Blocks BlocksOf(int channels) => new(Blocks.Cover(channels, ChannelThreads));

    private static void StatisticsGpu(GpuDevice gpu, DeviceArray x, DeviceArray mean, DeviceArray variance, int rows)
    {
        int channels = checked((int)mean.Length);
        Layout layout = Layout.Of(rows, channels, x);
        long count = (long)layout.Slices * layout.Width;
        DeviceArray sums = gpu.Allocate(count), squares = gpu.Allocate(count);
        gpu.Run(StatisticsKernels[x.Type.Dtype()], layout.SliceBlocks, x, sums, squares, layout.Rows, layout.Width,
            channels, layout.Each, layout.Vectorized);
        gpu.Run(StatisticsEndKernels[x.Type.Dtype()], BlocksOf(channels), x, sums, squares, mean, variance,
            layout.Slices, layout.Width, channels, 1f / rows);
        gpu.Free(sums);
        gpu.Free(squares);
    }

    private static void UpdateRunningGpu(GpuDevice gpu, DeviceArray batch, DeviceArray running, float factor,
        float momentum)
    {
        int channels = checked((int)batch.Length);
        gpu.Run(UpdateRunning32, BlocksOf(channels), batch, running, channels, factor, momentum);
    }

    private static void ForwardGpu(GpuDevice gpu, DeviceArray x, Parameters parameters, DeviceArray residual,
        DeviceArray y, bool relu)
    {
        (DeviceArray gamma, DeviceArray beta, DeviceArray mean, DeviceArray variance, float epsilon) = parameters;
        int channels = parameters.Channels;
        var layout = Layout.Of(checked((int)(x.Length / channels)), channels, x, gamma, beta, mean, variance, residual,
            y);
        gpu.Run(ForwardKernels[x.Type.Dtype()], layout.WrittenBlocks, x, gamma, beta, mean, variance, residual, y,
            layout.Rows, layout.Width, channels, layout.EachWritten, relu, epsilon, layout.Vectorized);
    }

    private static void BackwardGpu(GpuDevice gpu, Input input, Gradients gradients, int rows, bool batchStatistics)
    {
        (DeviceArray x, DeviceArray dy, DeviceArray y, Parameters parameters, bool relu) = input;
        (DeviceArray gamma, DeviceArray beta, DeviceArray mean, DeviceArray variance, float epsilon) = parameters;
        int channels = parameters.Channels;
        var layout = Layout.Of(rows, channels, x, dy, y, gamma, beta, mean, variance, gradients.X.Array);
        long count = (long)layout.Slices * layout.Width;
        DeviceArray sums = gpu.Allocate(count), slopes = gpu.Allocate(count);
        // The averages of what the sums hold; null where the statistics do not depend on x.
        DeviceArray averages = batchStatistics ? gpu.Allocate(2L * channels) : default,
            products = batchStatistics ? averages.Slice(channels, channels) : default;
        gpu.Run(SumsKernels[x.Type.Dtype()], layout.SliceBlocks, x, dy, y, gamma, beta, mean, variance, sums, slopes,
            layout.Rows, layout.Width, channels, layout.Each, relu, epsilon, layout.Vectorized);
        gpu.Run(SumsEnd, BlocksOf(channels), sums, slopes, gamma, variance, gradients.Gamma.Array,
            gradients.Gamma.Accumulate, gradients.Beta.Array, gradients.Beta.Accumulate, averages, products,
            layout.Slices, layout.Width, channels, 1f / rows, epsilon);
        if (!gradients.X.IsNull)
            gpu.Run(InputKernels[x.Type.Dtype()], layout.WrittenBlocks, x, dy, gamma, beta, mean, variance, averages,
                products, gradients.X.Array, gradients.X.Accumulate, layout.Rows, layout.Width, channels,
                layout.EachWritten, relu && y.IsNull, epsilon, layout.Vectorized);
        gpu.Free(sums);
        gpu.Free(slopes);
        gpu.Free(averages);
    }
}
