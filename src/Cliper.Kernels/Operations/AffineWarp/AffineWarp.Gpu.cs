using System.Runtime.InteropServices;
using Cliper.Kernels.Gpu.Compiler;
using Cliper.Kernels.Gpu.DeviceCode;
using Cliper.Kernels.Gpu.Runtime;
using Cliper.Kernels.Memory;
using ILGPU;

namespace Cliper.Kernels.Operations;

public static partial class AffineWarp
{
    // A row a picture: addresses of source and target, width, height, channels, the map.
    private const int GpuThreads = 128, Fields = 11;

    private static readonly GpuKernel Warping =
        new(((Action<GlobalPtrInt32>)WarpPixel).Method, "Warp", GpuThreads, 1, 64) { UsesDoubles = true };

    internal static IEnumerable<GpuKernel> GpuKernels => [Warping];

    private static void ForwardGpu(GpuDevice gpu, ReadOnlySpan<(ImageView Source, AffineMap Map, ImageView Target)> parts)
    {
        var table = new long[parts.Length * Fields];
        int mostPixels = 0;
        for (int index = 0; index < parts.Length; index++)
        {
            (ImageView source, AffineMap map, ImageView target) = parts[index];
            Span<long> row = table.AsSpan(index * Fields, Fields);
            (row[0], row[1]) = (source.Pixels.Address, target.Pixels.Address);
            (row[2], row[3], row[4]) = (source.Width, source.Height, source.Channels);
            ((ReadOnlySpan<double>)[map.A, map.B, map.C, map.D, map.E, map.F]).CopyTo(MemoryMarshal.Cast<long, double>(row[5..]));
            mostPixels = Math.Max(mostPixels, source.Width * source.Height);
        }
        DeviceArray rows = gpu.From(MemoryMarshal.Cast<long, int>(table));
        gpu.Run(Warping, new Blocks(Blocks.Cover(mostPixels, GpuThreads), parts.Length), rows);
        gpu.Free(rows);
    }

    // A thread has a pixel.
    private static void WarpPixel(GlobalPtrInt32 table)
    {
        var row = TensorTable.Row.At(table, Grid.IdxY, Fields);
        int width = row.Int(2), height = row.Int(3), channels = row.Int(4);
        int at = Grid.IdxX * GpuThreads + Group.IdxX, y = at / width, x = at - y * width;
        if (y >= height)
            return;
        GlobalPtrUInt8 source = new(row.Long(0)), target = new(row.Long(1));
        double x0 = row.Double(6) * y + row.Double(7), y0 = row.Double(9) * y + row.Double(10);
        int fx = Fixed(x0 + row.Double(5) * x, (width - 1) << FractionBits), fy = Fixed(y0 + row.Double(8) * x, (height - 1) << FractionBits);
        int left = fx >> FractionBits, top = fy >> FractionBits, right = (fx >> 8) & 255, below = (fy >> 8) & 255;
        int toRight = right == 0 ? 0 : channels, toBelow = below == 0 ? 0 : width * channels;
        int w11 = right * below, w10 = (right << 8) - w11, w01 = (below << 8) - w11, w00 = 65536 - w10 - w01 - w11;
        int from = (top * width + left) * channels;
        for (int c = 0; c < channels; c++, from++)
            target.Store((long)at * channels + c, (source.Load(from) * w00 + source.Load(from + toRight) * w10
                + source.Load(from + toBelow) * w01 + source.Load(from + toRight + toBelow) * w11 + 32768) >> 16);
    }
}
