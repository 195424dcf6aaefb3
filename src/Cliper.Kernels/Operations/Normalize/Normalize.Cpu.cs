using System.Runtime.CompilerServices;
using Cliper.Kernels.Cpu;
using Cliper.Kernels.Memory;

namespace Cliper.Kernels.Operations;

public static unsafe partial class Normalize
{
    private static void ForwardHost(CpuDevice host, (ImageView Picture, PixelBox? Erased)[] pictures,
        DeviceArray table, DeviceArray patches, PatchEmbedding.Sizes sizes)
    {
        DeviceArray planes = host.Allocate(patches.Length);
        host.Pool.Run(pictures.Length, (index, _) =>
        {
            (ImageView picture, PixelBox? erased) = pictures[index];
            Span<float> y = planes.Slice(index * sizes.ImageLength, sizes.ImageLength).AsSpan<float>();
            PictureHost(picture.Bytes, picture.Channels, table.AsSpan<float>(), y);
            if (erased is { } box)
                Erase.Forward(y, sizes.Width, sizes.Height, box);
        });
        PatchEmbedding.Unfold(planes, patches, sizes);
        host.Free(planes);
    }

    private static void PictureHost(ReadOnlySpan<byte> pixels, int channels, ReadOnlySpan<float> table, Span<float> y)
    {
        fixed (byte* source = pixels)
        fixed (float* values = table, target = y)
        {
            if (channels == 3)
                Color(source, values, target, y.Length / 3);
            else
                Gray(source, values, target, y.Length / 3);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Color(byte* source, float* table, float* y, int size)
    {
        float* r = y, g = y + size, b = y + 2L * size;
        for (int i = 0; i < size; i++, source += 3)
        {
            r[i] = table[source[0]];
            g[i] = table[256 + source[1]];
            b[i] = table[512 + source[2]];
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Gray(byte* source, float* table, float* y, int size)
    {
        float* r = y, g = y + size, b = y + 2L * size;
        for (int i = 0; i < size; i++)
        {
            int value = source[i];
            r[i] = table[value];
            g[i] = table[256 + value];
            b[i] = table[512 + value];
        }
    }
}
