using System.Runtime.CompilerServices;
using Cliper.Kernels.Gpu.DeviceCode;
using ILGPU;

namespace Cliper.Kernels.Operations;

public static partial class Resize
{
    // A thread has an output position of an axis.
    [DeviceCode]
    private static void WeightsKernel<TFilter>(GlobalPtrInt32 table) where TFilter : struct, IResizeFilter
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
    [DeviceCode]
    private static void ResizeRowsKernel(GlobalPtrInt32 table)
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
    [DeviceCode]
    private static void ResizeColumnsKernel(GlobalPtrInt32 table)
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
