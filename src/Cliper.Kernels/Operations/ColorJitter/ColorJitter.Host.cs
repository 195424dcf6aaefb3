using System.Runtime.CompilerServices;

namespace Cliper.Kernels.Operations;

public static unsafe partial class ColorJitter
{
    // round(v (1 - s / 255)) for every value v and saturation s: [s, v].
    private static readonly byte[] Faded = MakeFaded();

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

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static byte Luma(int r, int g, int b) => (byte)((19595 * r + 38470 * g + 7471 * b + (1 << 15)) >> 16);

    private static byte MeanLuma(ReadOnlySpan<byte> pixels, int channels)
    {
        long sum = 0;
        if (channels == 1)
            foreach (byte value in pixels)
                sum += value;
        else
            for (int i = 0; i < pixels.Length; i += 3)
                sum += Luma(pixels[i], pixels[i + 1], pixels[i + 2]);
        return (byte)((double)sum / (pixels.Length / channels) + 0.5);
    }

    private static void SaturationHost(Span<byte> pixels, float factor)
    {
        fixed (byte* start = pixels)
        {
            byte* end = start + pixels.Length;
            for (byte* p = start; p < end; p += 3)
            {
                byte luma = Luma(p[0], p[1], p[2]);
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
                int max = Math.Max(p[0], Math.Max(p[1], p[2])), range = max - Math.Min(p[0], Math.Min(p[1], p[2]));
                if (range != 0)
                    TurnPixel(p, max, range, turn);
            }
        }
    }

    private static void TurnPixel(byte* p, int max, int range, byte turn)
    {
        float scale = range;
        int saturation = (int)((float)(scale / max) * 255.0);
        float r = (max - p[0]) / scale, g = (max - p[1]) / scale, b = (max - p[2]) / scale;
        // In sixths of the circle from red; 1 is added before the fraction is taken because it may be negative.
        float sixths = p[0] == max ? b - g : p[1] == max ? (float)(2.0 + r - b) : (float)(4.0 + g - r);
        double circle = sixths / 6.0 + 1.0;
        float fraction = (float)(circle - (circle >= 1 ? 1 : 0));
        byte hue = (byte)((byte)(int)(fraction * 255.0) + turn);
        if (saturation == 0)
        {
            p[0] = p[1] = p[2] = (byte)max;
            return;
        }
        float position = (float)(hue * 6.0 / 255.0);
        int sector = (int)position;
        float within = (float)(hue * 6.0 / 255.0 - sector), s = (float)(saturation / 255.0);
        byte v = (byte)max, low = Faded[saturation * 256 + max];
        byte falling = Round(max * (1.0 - s * within)), rising = Round(max * (1.0 - s * (1.0 - within)));
        (p[0], p[1], p[2]) = sector switch
        {
            1 => (falling, v, low),
            2 => (low, v, rising),
            3 => (low, falling, v),
            4 => (rising, low, v),
            5 => (v, low, falling),
            _ => (v, rising, low),
        };
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static byte Round(double value) => (byte)(int)((float)value + 0.5f);

    private static byte[] MakeFaded()
    {
        var table = new byte[256 * 256];
        for (int s = 0; s < 256; s++)
            for (int v = 0; v < 256; v++)
                table[s * 256 + v] = Round(v * (1.0 - (float)(s / 255.0)));
        return table;
    }
}
