using System.Runtime.CompilerServices;
using Cliper.Kernels.Cpu;

namespace Cliper.Kernels.Operations;

public static unsafe partial class ColorJitter
{
    private static void ForwardHost(CpuDevice host, (ImageView Picture, Changes Changes)[] pictures) =>
        host.Pool.Run(pictures.Length, (index, _) =>
        {
            (ImageView picture, Changes changes) = pictures[index];
            Forward(picture.Bytes, picture.Channels, changes);
        });

    private static void BlendWith(byte degenerate, Span<byte> pixels, float factor)
    {
        if (factor == 1)
            return;
        Span<byte> table = stackalloc byte[256];
        for (int value = 0; value < 256; value++)
            table[value] = Blend(degenerate, (byte)value, factor);
        for (int i = 0; i < pixels.Length; i++)
            pixels[i] = table[pixels[i]];
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static byte Blend(byte degenerate, byte value, float factor) =>
        (byte)Math.Clamp(degenerate + factor * (value - degenerate), 0, 255);

    private static byte MeanLuma(ReadOnlySpan<byte> pixels, int channels)
    {
        long sum = 0;
        if (channels == 1)
            foreach (byte value in pixels)
                sum += value;
        else
            for (int i = 0; i < pixels.Length; i += 3)
                sum += Luma(pixels[i], pixels[i + 1], pixels[i + 2]);
        return (byte)Mean(sum, pixels.Length / channels);
    }

    private static void SaturationHost(Span<byte> pixels, float factor)
    {
        fixed (byte* start = pixels)
        {
            byte* end = start + pixels.Length;
            for (byte* p = start; p < end; p += 3)
            {
                byte luma = (byte)Luma(p[0], p[1], p[2]);
                p[0] = Blend(luma, p[0], factor);
                p[1] = Blend(luma, p[1], factor);
                p[2] = Blend(luma, p[2], factor);
            }
        }
    }

    private static void HueHost(Span<byte> pixels, byte turn)
    {
        fixed (byte* start = pixels)
        {
            byte* end = start + pixels.Length;
            for (byte* p = start; p < end; p += 3)
            {
                if (p[0] == p[1] && p[0] == p[2])
                    continue;
                int turned = Turned(p[0], p[1], p[2], turn);
                p[0] = (byte)turned;
                p[1] = (byte)(turned >> 8);
                p[2] = (byte)(turned >> 16);
            }
        }
    }
}
