using Cliper.Kernels.Gpu.Compiler;
using Cliper.Kernels.Gpu.DeviceCode;
using Cliper.Kernels.Gpu.Runtime;
using Cliper.Kernels.Memory;

namespace Cliper.Kernels.Operations;

public static partial class AffineWarp
{
    private const int GpuThreads = 128;

    private static readonly GpuKernel Warping =
        new(typeof(AffineWarp), nameof(WarpKernel), "Warp", GpuThreads, 1, 64) { UsesDoubles = true };

    internal static IEnumerable<GpuKernel> GpuKernels => [Warping];

    private static void ForwardGpu(GpuDevice gpu, ReadOnlySpan<(ImageView Source, AffineMap Map,
        ImageView Target)> parts)
    {
        var table = new ImageRow[parts.Length];
        int mostPixels = 0;
        for (int index = 0; index < parts.Length; index++)
        {
            (ImageView source, AffineMap map, ImageView target) = parts[index];
            table[index] = new ImageRow
            {
                Source = source.Pixels.Address,
                Target = target.Pixels.Address,
                Width = source.Width,
                Height = source.Height,
                Channels = source.Channels,
                A = map.A,
                B = map.B,
                C = map.C,
                D = map.D,
                E = map.E,
                F = map.F,
            };
            mostPixels = Math.Max(mostPixels, source.Width * source.Height);
        }
        DeviceArray rows = TensorTable.Upload<ImageRow>(gpu, table);
        gpu.Run(Warping, new Blocks(Blocks.Cover(mostPixels, GpuThreads), parts.Length), rows);
        gpu.Free(rows);
    }

    /// <summary>One image of a launch.</summary>
    private struct ImageRow
    {
        /// <summary>Addresses of the images, and the size of both.</summary>
        public long Source, Target, Width, Height, Channels;

        /// <summary>The <see cref="AffineMap"/> from a target's pixel to the source.</summary>
        public double A, B, C, D, E, F;
    }
}
