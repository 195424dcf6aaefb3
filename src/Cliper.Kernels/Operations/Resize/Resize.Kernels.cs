using System.Runtime.CompilerServices;
using Cliper.Kernels.Gpu.DeviceCode;
using ILGPU;

namespace Cliper.Kernels.Operations;

public static partial class Resize
{
    /// <summary>Reads an <see cref="AxisRow"/>; each property is the field of its name.</summary>
    [DeviceCode]
    private readonly struct AxisRowView
    {
        /// <summary>Size of a row in units of 64 bits.</summary>
        public const int Units = 6;

        private readonly TensorTable.Row _row;
        private readonly int _first;

        public AxisRowView(TensorTable.Row row, int first) => (_row, _first) = (row, first);

        public long Weights => _row.Long(_first);

        public int MostWeights => _row.Int(_first + 1);

        public int SourceSize => _row.Int(_first + 2);

        public int Size => _row.Int(_first + 3);

        public int FirstOutput => _row.Int(_first + 4);

        public int Outputs => _row.Int(_first + 5);
    }

    /// <summary>Reads a <see cref="ImageRow"/>; each property is the field of its name.</summary>
    [DeviceCode]
    private readonly struct ImageRowView
    {
        /// <summary>Size of a row in units of 64 bits.</summary>
        public const int Units = 20;

        private readonly TensorTable.Row _row;

        public ImageRowView(TensorTable.Row row) => _row = row;

        public AxisRowView Horizontal => new(_row, 0);

        public AxisRowView Vertical => new(_row, AxisRowView.Units);

        /// <summary>The axis by its number: 0 is the horizontal one, 1 the vertical one.</summary>
        public AxisRowView Axis(int number) => new(_row, number * AxisRowView.Units);

        public long Source => _row.Long(12);

        public int Stride => _row.Int(13);

        public long Between => _row.Long(14);

        public int BetweenStride => _row.Int(15);

        public int BetweenRows => _row.Int(16);

        public int Channels => _row.Int(17);

        public int Mirrored => _row.Int(18);

        public long Target => _row.Long(19);
    }

    /// <summary>
    /// Computes the weights of each output position of both axes, in fp64 and then fixed point, as the CPU does.
    /// </summary>
    /// <remarks>
    /// A thread has one output position, a block 128; y of the grid is the image, z the axis. No shared memory. Any GPU
    /// from compute capability 7.0 on.
    /// </remarks>
    [DeviceCode]
    private static void WeightsKernel<TFilter>(GlobalPtrInt32 table) where TFilter : struct, IResizeFilter
    {
        // (1) Find the axis and the output position.
        AxisRowView row = new ImageRowView(TensorTable.Row.At(table, Grid.IdxY, ImageRowView.Units)).Axis(Grid.IdxZ);
        int outputs = row.Outputs, output = Grid.IdxX * GpuThreads + Group.IdxX;
        if (output >= outputs)
            return;

        // (2) Store which source positions it reaches.
        var weights = new GlobalPtrInt32(row.Weights);
        int most = row.MostWeights, position = output + row.FirstOutput;
        var axis = Axis.Of<TFilter>(row.SourceSize, row.Size);
        (int start, int count) = axis.Reach(position);
        weights.Store(output, start);
        weights.Store(outputs + output, count);

        // (3) Store their weights, which sum to one.
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
            weights.Store(at + i, Axis.Quantize(axis.Weight<TFilter>(position, start + i), sum));
    }

    /// <summary>
    /// Resizes rows: writes the image between the passes, which has the window's columns and the source's rows.
    /// </summary>
    /// <remarks>
    /// A thread has one pixel of the image between, a block 128; y of the grid is the image. Mirroring happens here. No
    /// shared memory. Any GPU from compute capability 7.0 on.
    /// </remarks>
    [DeviceCode]
    private static void ResizeRowsKernel(GlobalPtrInt32 table)
    {
        // (1) Find the image and the pixel.
        var row = new ImageRowView(TensorTable.Row.At(table, Grid.IdxY, ImageRowView.Units));
        int width = row.Horizontal.Outputs, at = Grid.IdxX * GpuThreads + Group.IdxX, y = at / width,
            x = at - y * width;
        if (y >= row.BetweenRows)
            return;

        // (2) Find its source positions and their weights.
        var weights = new GlobalPtrInt32(row.Horizontal.Weights);
        int start = weights.Load(x), count = weights.Load(width + x), first = 2 * width
            + x * row.Horizontal.MostWeights;
        if (row.Mirrored != 0)
            x = width - 1 - x;
        GlobalPtrUInt8 source = new(row.Source + (long)y * row.Stride),
            target = new(row.Between + (long)y * row.BetweenStride);

        // (3) Store the weighted sums, of one channel or of three.
        int red = Half, green = Half, blue = Half;
        if (row.Channels == 1)
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

    /// <summary>Resizes columns of the image between the passes, and writes the target.</summary>
    /// <remarks>
    /// A thread has 16 bytes of an output row, a block 128 threads; y of the grid is the image. Sums stay in 16
    /// registers; no shared memory. Any GPU from compute capability 7.0 on.
    /// </remarks>
    [DeviceCode]
    private static void ResizeColumnsKernel(GlobalPtrInt32 table)
    {
        // (1) Find the image and the 16 bytes.
        var row = new ImageRowView(TensorTable.Row.At(table, Grid.IdxY, ImageRowView.Units));
        int stride = row.BetweenStride, chunks = stride >> 4, at = Grid.IdxX * GpuThreads + Group.IdxX, y = at / chunks,
            byteOfRow = (at - y * chunks) << 4, height = row.Vertical.Outputs;
        if (y >= height)
            return;

        // (2) Sum the rows that it reaches, each times its weight.
        var weights = new GlobalPtrInt32(row.Vertical.Weights);
        int start = weights.Load(y) - weights.Load(0), count = weights.Load(height + y),
            first = 2 * height + y * row.Vertical.MostWeights;
        long source = row.Between + (long)start * stride + byteOfRow;
        var a = new Four { X = Half, Y = Half, Z = Half, W = Half };
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

        // (3) Store them: at once where they are aligned and all in the row, else byte by byte.
        int line = row.Horizontal.Outputs * row.Channels, left = line - byteOfRow;
        long target = row.Target + (long)y * line + byteOfRow;
        var result = new U4 { X = Pack(a), Y = Pack(b), Z = Pack(c), W = Pack(d) };
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
