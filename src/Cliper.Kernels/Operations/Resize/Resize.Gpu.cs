using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Cliper.Kernels.Gpu.Compiler;
using Cliper.Kernels.Gpu.DeviceCode;
using Cliper.Kernels.Gpu.Runtime;
using Cliper.Kernels.Memory;

namespace Cliper.Kernels.Operations;

public static partial class Resize
{
    private const int GpuThreads = 128;

    // A row a picture: six fields of each axis, then the others.
    private const int Weighting = 0, MostWeights = 1, SourceSize = 2, Size = 3, FirstOutput = 4, Outputs = 5, AxisFields = 6;
    private const int Vertically = AxisFields, Source = 12, Stride = 13, Between = 14, BetweenStride = 15, BetweenRows = 16, Channels = 17,
        Mirrored = 18, Target = 19, Fields = 20;

    private static readonly GpuKernel WeighingBicubic = MakeWeighing<Bicubic>(), WeighingBilinear = MakeWeighing<Bilinear>();

    private static readonly GpuKernel Rows = new(typeof(Resize), nameof(ResizeRowsKernel), "Resize rows", GpuThreads, 1, 56),
        Columns = new(typeof(Resize), nameof(ResizeColumnsKernel), "Resize columns", GpuThreads, 1, 64);

    internal static IEnumerable<GpuKernel> GpuKernels => [WeighingBicubic, WeighingBilinear, Rows, Columns];

    private static GpuKernel MakeWeighing<TFilter>() where TFilter : struct, IResizeFilter =>
        new(((Action<GlobalPtrInt32>)WeightsKernel<TFilter>).Method, GpuKernel.NameOf("Resize weights", typeof(TFilter)), GpuThreads, 1, 64)
        {
            UsesDoubles = true,
        };

    private static void ForwardGpu<TFilter>(GpuDevice gpu, ReadOnlySpan<Part> parts) where TFilter : struct, IResizeFilter
    {
        var table = new long[parts.Length * Fields];
        long weights = 0, between = 0;
        int mostOutputs = 0;
        long mostPixels = 0, mostChunks = 0;
        for (int index = 0; index < parts.Length; index++)
        {
            Part part = parts[index];
            Span<long> row = table.AsSpan(index * Fields, Fields);
            SetAxis<TFilter>(row, ref weights, part.Crop.Width, part.Width, part.Window.X, part.Window.Width);
            Axis vertical = SetAxis<TFilter>(row[Vertically..], ref weights, part.Crop.Height, part.Height, part.Window.Y, part.Window.Height);
            int line = part.Target.Line, first = vertical.Reach(part.Window.Y).Start;
            (int last, int count) = vertical.Reach(part.Window.Y + part.Window.Height - 1);
            row[Source] = part.Source.Pixels.Address + (part.Crop.Y + (long)first) * part.Source.Line + part.Crop.X * part.Source.Channels;
            row[Stride] = part.Source.Line;
            row[Between] = between;
            row[BetweenStride] = Align(line);
            row[BetweenRows] = last + count - first;
            (row[Channels], row[Mirrored], row[Target]) = (part.Source.Channels, part.Mirror ? 1 : 0, part.Target.Pixels.Address);
            between += row[BetweenRows] * row[BetweenStride];
            mostOutputs = Math.Max(mostOutputs, Math.Max(part.Window.Width, part.Window.Height));
            mostPixels = Math.Max(mostPixels, row[BetweenRows] * part.Window.Width);
            mostChunks = Math.Max(mostChunks, row[BetweenStride] / 16 * part.Window.Height);
        }
        DeviceArray numbers = gpu.Allocate(weights, ElementType.Int32), rows = gpu.Allocate(between, ElementType.UInt8);
        for (int at = 0; at < table.Length; at += Fields)
        {
            table[at + Weighting] = numbers.Address + 4 * table[at + Weighting];
            table[at + Vertically + Weighting] = numbers.Address + 4 * table[at + Vertically + Weighting];
            table[at + Between] += rows.Address;
        }
        DeviceArray device = gpu.From(MemoryMarshal.Cast<long, int>(table));
        gpu.Run(typeof(TFilter) == typeof(Bicubic) ? WeighingBicubic : WeighingBilinear,
            new Blocks(Blocks.Cover(mostOutputs, GpuThreads), parts.Length, 2), device);
        gpu.Run(Rows, new Blocks(Blocks.Cover(mostPixels, GpuThreads), parts.Length), device);
        gpu.Run(Columns, new Blocks(Blocks.Cover(mostChunks, GpuThreads), parts.Length), device);
        gpu.Free(device);
        gpu.Free(numbers);
        gpu.Free(rows);
    }

    // An axis' weights are its outputs' starts, their counts, and then as many weights of each as the longest has.
    private static Axis SetAxis<TFilter>(Span<long> row, ref long weights, int sourceSize, int size, int first, int outputs)
        where TFilter : struct, IResizeFilter
    {
        var axis = Axis.Of<TFilter>(sourceSize, size);
        (row[Weighting], row[MostWeights], row[SourceSize], row[Size], row[FirstOutput], row[Outputs]) =
            (weights, axis.MostWeights, sourceSize, size, first, outputs);
        weights += (2L + axis.MostWeights) * outputs;
        return axis;
    }

    // Rows of the picture between the passes, and the picture itself, begin where 16 bytes can be read.
    private static int Align(int bytes) => (bytes + 15) / 16 * 16;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static int ToByte(int sum) => Math.Min(Math.Max(sum >> FractionBits, 0), 255);
}
