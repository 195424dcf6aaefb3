using System.Runtime.CompilerServices;
using Cliper.Kernels.Gpu.Compiler;
using Cliper.Kernels.Gpu.DeviceCode;
using Cliper.Kernels.Gpu.Runtime;
using Cliper.Kernels.Memory;

namespace Cliper.Kernels.Operations;

public static partial class Resize
{
    private const int GpuThreads = 128;

    private static readonly GpuKernel WeighingBicubic = MakeWeighing<Bicubic>(),
        WeighingBilinear = MakeWeighing<Bilinear>();

    private static readonly GpuKernel Rows = new(typeof(Resize), nameof(ResizeRowsKernel), "Resize rows", GpuThreads,
        1, 56), Columns = new(typeof(Resize), nameof(ResizeColumnsKernel), "Resize columns", GpuThreads, 1, 64);

    internal static IEnumerable<GpuKernel> GpuKernels => [WeighingBicubic, WeighingBilinear, Rows, Columns];

    private static GpuKernel MakeWeighing<TFilter>() where TFilter : struct, IResizeFilter =>
        new(((Action<GlobalPtrInt32>)WeightsKernel<TFilter>).Method, GpuKernel.NameOf("Resize weights",
            typeof(TFilter)), GpuThreads, 1, 64)
        {
            UsesDoubles = true,
        };

    private static void ForwardGpu<TFilter>(GpuDevice gpu, ReadOnlySpan<Part> parts) where TFilter : struct,
        IResizeFilter
    {
        var table = new ImageRow[parts.Length];
        long weights = 0, between = 0, mostPixels = 0, mostChunks = 0;
        int mostOutputs = 0;
        for (int index = 0; index < parts.Length; index++)
        {
            Part part = parts[index];
            ImageRow row = table[index] = Describe<TFilter>(part, ref weights, ref between);
            mostOutputs = Math.Max(mostOutputs, Math.Max(part.Window.Width, part.Window.Height));
            mostPixels = Math.Max(mostPixels, row.BetweenRows * part.Window.Width);
            mostChunks = Math.Max(mostChunks, row.BetweenStride / 16 * part.Window.Height);
        }
        DeviceArray numbers = gpu.Allocate(weights, ElementType.Int32), rows = gpu.Allocate(between, ElementType.UInt8);
        foreach (ref ImageRow row in table.AsSpan())
        {
            row.Horizontal.Weights = numbers.Address + sizeof(int) * row.Horizontal.Weights;
            row.Vertical.Weights = numbers.Address + sizeof(int) * row.Vertical.Weights;
            row.Between += rows.Address;
        }
        DeviceArray device = TensorTable.Upload<ImageRow>(gpu, table);
        gpu.Run(typeof(TFilter) == typeof(Bicubic) ? WeighingBicubic : WeighingBilinear,
            new Blocks(Blocks.Cover(mostOutputs, GpuThreads), parts.Length, 2), device);
        gpu.Run(Rows, new Blocks(Blocks.Cover(mostPixels, GpuThreads), parts.Length), device);
        gpu.Run(Columns, new Blocks(Blocks.Cover(mostChunks, GpuThreads), parts.Length), device);
        gpu.Free(device);
        gpu.Free(numbers);
        gpu.Free(rows);
    }

    // The row of an image, with offsets where the addresses of its weights and of the image between the passes will
    // stand.
    private static ImageRow Describe<TFilter>(Part part, ref long weights, ref long between) where TFilter : struct,
        IResizeFilter
    {
        Axis horizontal = Axis.Of<TFilter>(part.Crop.Width, part.Width), vertical = Axis.Of<TFilter>(part.Crop.Height,
            part.Height);
        int first = vertical.Reach(part.Window.Y).Start;
        (int last, int count) = vertical.Reach(part.Window.Y + part.Window.Height - 1);
        var row = new ImageRow
        {
            Horizontal = Describe(horizontal, ref weights, part.Crop.Width, part.Width, part.Window.X,
                part.Window.Width),
            Vertical = Describe(vertical, ref weights, part.Crop.Height, part.Height, part.Window.Y,
            part.Window.Height),
            Source = part.Source.Pixels.Address + (part.Crop.Y + (long)first) * part.Source.Line
                + part.Crop.X * part.Source.Channels,
            Stride = part.Source.Line,
            Between = between,
            BetweenStride = Align(part.Target.Line),
            BetweenRows = last + count - first,
            Channels = part.Source.Channels,
            Mirrored = part.Mirror ? 1 : 0,
            Target = part.Target.Pixels.Address,
        };
        between += row.BetweenRows * row.BetweenStride;
        return row;
    }

    private static AxisRow Describe(Axis axis, ref long weights, int sourceSize, int size, int first, int outputs)
    {
        var row = new AxisRow
        {
            Weights = weights,
            MostWeights = axis.MostWeights,
            SourceSize = sourceSize,
            Size = size,
            FirstOutput = first,
            Outputs = outputs,
        };
        weights += (2L + axis.MostWeights) * outputs;
        return row;
    }

    /// <summary>One axis of an image.</summary>
    private struct AxisRow
    {
        /// <summary>
        /// Address of the axis' weights (its outputs' starts, their counts, and then as many weights of each as the
        /// longest has), and that number of weights.
        /// </summary>
        public long Weights, MostWeights;

        /// <summary>Sizes before and after; the first output position of the window, and how many there are.</summary>
        public long SourceSize, Size, FirstOutput, Outputs;
    }

    /// <summary>One image of a launch.</summary>
    private struct ImageRow
    {
        /// <summary>Its axes.</summary>
        public AxisRow Horizontal, Vertical;

        /// <summary>Address of the first byte that is read, and bytes of a row.</summary>
        public long Source, Stride;

        /// <summary>The image between the passes: address, bytes of a row, rows.</summary>
        public long Between, BetweenStride, BetweenRows;

        /// <summary>Bytes of a pixel, whether it is mirrored (0 or 1), and the address that is written.</summary>
        public long Channels, Mirrored, Target;
    }

    // Rows of the image between the passes, and that image itself, begin at multiples of 16 bytes.
    private static int Align(int bytes) => (bytes + 15) / 16 * 16;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static int ToByte(int sum) => Math.Min(Math.Max(sum >> FractionBits, 0), 255);
}
