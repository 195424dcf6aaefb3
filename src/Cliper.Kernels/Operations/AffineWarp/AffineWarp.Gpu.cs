using System.Runtime.InteropServices;
using Cliper.Kernels.Gpu.Compiler;
using Cliper.Kernels.Gpu.DeviceCode;
using Cliper.Kernels.Gpu.Runtime;
using Cliper.Kernels.Memory;

namespace Cliper.Kernels.Operations;

public static partial class AffineWarp
{
    // A row a picture: addresses of source and target, width, height, channels, the map.
    private const int GpuThreads = 128, Fields = 11;

    private static readonly GpuKernel Warping =
        new(typeof(AffineWarp), nameof(WarpKernel), "Warp", GpuThreads, 1, 64) { UsesDoubles = true };

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
}
