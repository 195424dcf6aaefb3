using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Cliper.Kernels.Gpu.Compiler;
using Cliper.Kernels.Gpu.DeviceCode;
using Cliper.Kernels.Gpu.Runtime;
using Cliper.Kernels.Memory;
using ILGPU;

namespace Cliper.Kernels.Operations;

public static partial class Resize
{
    private const int GpuThreads = 128;

    // A row a picture: six fields of each axis, then the others.
    private const int Weighting = 0, MostWeights = 1, SourceSize = 2, Size = 3, FirstOutput = 4, Outputs = 5, AxisFields = 6;
    private const int Vertically = AxisFields, Source = 12, Stride = 13, Between = 14, BetweenStride = 15, BetweenRows = 16, Channels = 17,
        Mirrored = 18, Target = 19, Fields = 20;

    private static readonly GpuKernel WeighingBicubic = MakeWeighing<Bicubic>(), WeighingBilinear = MakeWeighing<Bilinear>();

    private static readonly GpuKernel Rows = new(((Action<GlobalPtrInt32>)ResizePixel).Method, "Resize rows", GpuThreads, 1, 56),
        Columns = new(((Action<GlobalPtrInt32>)ResizeColumns).Method, "Resize columns", GpuThreads, 1, 64);

    internal static IEnumerable<GpuKernel> GpuKernels => [WeighingBicubic, WeighingBilinear, Rows, Columns];

    private static GpuKernel MakeWeighing<TFilter>() where TFilter : struct, IResizeFilter =>
        new(((Action<GlobalPtrInt32>)WeighOutput<TFilter>).Method, GpuKernel.NameOf("Resize weights", typeof(TFilter)), GpuThreads, 1, 64)
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

    // A thread has an output position of an axis.
    private static void WeighOutput<TFilter>(GlobalPtrInt32 table) where TFilter : struct, IResizeFilter
    {
        var row = TensorTable.Row.At(table, Grid.IdxY, Fields);
        int fields = Grid.IdxZ * AxisFields, outputs = row.Int(fields + Outputs), output = Grid.IdxX * GpuThreads + Group.IdxX;
        if (output >= outputs)
            return;
        var weights = new GlobalPtrInt32(row.Long(fields + Weighting));
        int most = row.Int(fields + MostWeights), position = output + row.Int(fields + FirstOutput);
        var axis = Axis.Of<TFilter>(row.Int(fields + SourceSize), row.Int(fields + Size));
        (int start, int count) = axis.Reach(position);
        weights.Store(output, start);
        weights.Store(outputs + output, count);
        int at = 2 * outputs + output * most;
        if (axis.IsCopy)
        {
            weights.Store(at, 1 << FractionBits);
            return;
        }
        double sum = 0;
        for (int i = 0; i < count; i++)
            sum += axis.Weight<TFilter>(position, start + i);
        for (int i = 0; i < count; i++)
            weights.Store(at + i, Axis.Quantise(axis.Weight<TFilter>(position, start + i), sum));
    }

    // A thread has a pixel of the picture between, which has the window's columns and the source's rows. Here it is mirrored.
    private static void ResizePixel(GlobalPtrInt32 table)
    {
        var row = TensorTable.Row.At(table, Grid.IdxY, Fields);
        int width = row.Int(Outputs), at = Grid.IdxX * GpuThreads + Group.IdxX, y = at / width, x = at - y * width;
        if (y >= row.Int(BetweenRows))
            return;
        var weights = new GlobalPtrInt32(row.Long(Weighting));
        int start = weights.Load(x), count = weights.Load(width + x), first = 2 * width + x * row.Int(MostWeights);
        if (row.Int(Mirrored) != 0)
            x = width - 1 - x;
        GlobalPtrUInt8 source = new(row.Long(Source) + (long)y * row.Int(Stride)), target = new(row.Long(Between) + (long)y * row.Int(BetweenStride));
        int red = Half, green = Half, blue = Half;
        if (row.Int(Channels) == 1)
        {
            for (int i = 0; i < count; i++)
                red += source.Load(start + i) * weights.Load(first + i);
            target.Store(x, ToByte(red));
            return;
        }
        for (int i = 0; i < count; i++)
        {
            int weight = weights.Load(first + i), pixel = 3 * (start + i);
            red += source.Load(pixel) * weight;
            green += source.Load(pixel + 1) * weight;
            blue += source.Load(pixel + 2) * weight;
        }
        target.Store(3 * x, ToByte(red));
        target.Store(3 * x + 1, ToByte(green));
        target.Store(3 * x + 2, ToByte(blue));
    }

    private struct Four
    {
        public int X, Y, Z, W;
    }

    // A thread has sixteen bytes of an output row.
    private static void ResizeColumns(GlobalPtrInt32 table)
    {
        var row = TensorTable.Row.At(table, Grid.IdxY, Fields);
        int stride = row.Int(BetweenStride), chunks = stride >> 4, at = Grid.IdxX * GpuThreads + Group.IdxX, y = at / chunks,
            byteOfRow = (at - y * chunks) << 4, height = row.Int(Vertically + Outputs);
        if (y >= height)
            return;
        var weights = new GlobalPtrInt32(row.Long(Vertically + Weighting));
        int start = weights.Load(y) - weights.Load(0), count = weights.Load(height + y),
            first = 2 * height + y * row.Int(Vertically + MostWeights);
        long source = row.Long(Between) + (long)start * stride + byteOfRow;
        Four a;
        a.X = a.Y = a.Z = a.W = Half;
        Four b = a, c = a, d = a;
        for (int i = 0; i < count; i++, source += stride)
        {
            U4 bytes = Ptx.Load128(source);
            int weight = weights.Load(first + i);
            AddWeighted(ref a, bytes.X, weight);
            AddWeighted(ref b, bytes.Y, weight);
            AddWeighted(ref c, bytes.Z, weight);
            AddWeighted(ref d, bytes.W, weight);
        }
        int line = row.Int(Outputs) * row.Int(Channels), left = line - byteOfRow;
        long target = row.Long(Target) + (long)y * line + byteOfRow;
        U4 result;
        (result.X, result.Y, result.Z, result.W) = (Pack(a), Pack(b), Pack(c), Pack(d));
        if (left >= 16 && (target & 15) == 0)
        {
            Ptx.Store128(target, result);
            return;
        }
        StoreBytes(target, result.X, left);
        StoreBytes(target + 4, result.Y, left - 4);
        StoreBytes(target + 8, result.Z, left - 8);
        StoreBytes(target + 12, result.W, left - 12);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static int ToByte(int sum) => Math.Min(Math.Max(sum >> FractionBits, 0), 255);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void AddWeighted(ref Four sum, uint bytes, int weight)
    {
        sum.X += (int)(bytes & 255) * weight;
        sum.Y += (int)(bytes >> 8 & 255) * weight;
        sum.Z += (int)(bytes >> 16 & 255) * weight;
        sum.W += (int)(bytes >> 24) * weight;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static uint Pack(Four sum) =>
        (uint)(ToByte(sum.X) | ToByte(sum.Y) << 8 | ToByte(sum.Z) << 16 | ToByte(sum.W) << 24);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void StoreBytes(long target, uint bytes, int count)
    {
        var to = new GlobalPtrUInt8(target);
        if (count > 0)
            to.Store(0, (int)bytes);
        if (count > 1)
            to.Store(1, (int)(bytes >> 8));
        if (count > 2)
            to.Store(2, (int)(bytes >> 16));
        if (count > 3)
            to.Store(3, (int)(bytes >> 24));
    }
}
