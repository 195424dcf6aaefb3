using Cliper.Kernels.Operations;

namespace Cliper.References;

/// <summary>
/// Pillow's changes of brightness, contrast, saturation and hue, pixel by pixel.
/// </summary>
/// <remarks>Bytes depend on where Pillow rounds to fp32, so the reference rounds there too.</remarks>
internal static class ColorJitterReference
{
    /// <summary>All four changes of a picture in their order; gray has neither saturation nor hue.</summary>
    public static byte[] Forward(byte[] pixels, int channels, ColorJitter.Changes changes)
    {
        byte[] all = channels == 3 ? [.. pixels] : [.. pixels.SelectMany(v => new[] { v, v, v })];
        foreach (ColorJitter.Change change in new[] { changes.First, changes.Second, changes.Third, changes.Last })
            all = change switch
            {
                ColorJitter.Change.Brightness => Brightness(all, changes.Brightness),
                ColorJitter.Change.Contrast => Contrast(all, changes.Contrast),
                ColorJitter.Change.Saturation => Saturation(all, changes.Saturation),
                _ => Hue(all, changes.Hue),
            };
        return channels == 3 ? all : [.. all.Where((_, i) => i % 3 == 0)];
    }

    /// <summary>Blends with black.</summary>
    public static byte[] Brightness(byte[] pixels, float factor) => [.. pixels.Select(x => Blend(0, x, factor))];

    /// <summary>Blends with the mean luma of a picture of three channels.</summary>
    public static byte[] Contrast(byte[] pixels, float factor)
    {
        int mean = (int)Math.Floor(Luma(pixels).Average() + 0.5);
        return [.. pixels.Select(x => Blend(mean, x, factor))];
    }

    /// <summary>Blends each pixel of three channels with its luma.</summary>
    public static byte[] Saturation(byte[] pixels, float factor)
    {
        int[] luma = Luma(pixels);
        return [.. pixels.Select((x, i) => Blend(luma[i / 3], x, factor))];
    }

    /// <summary>Turns the hue of pixels of three channels by a part of the circle, not at all by 0.</summary>
    public static byte[] Hue(byte[] pixels, float turn)
    {
        byte[] turned = [.. pixels];
        for (int i = 0; i < turned.Length && turn != 0; i += 3)
            Turn(turned.AsSpan(i, 3), (byte)(int)(turn * 255.0));
        return turned;
    }

    private static int[] Luma(byte[] pixels) => [.. Enumerable.Range(0, pixels.Length / 3).Select(i =>
        (19595 * pixels[3 * i] + 38470 * pixels[3 * i + 1] + 7471 * pixels[3 * i + 2] + 32768) / 65536)];

    private static byte Blend(int d, int x, float factor) => (byte)Math.Clamp(d + factor * (x - d), 0f, 255f);

    /// <summary>
    /// To HSV and back by the formulas in fp32 and fp64, as Pillow and the literature on color have them.
    /// </summary>
    private static void Turn(Span<byte> p, byte turn)
    {
        int max = Math.Max(p[0], Math.Max(p[1], p[2])), range = max - Math.Min(p[0], Math.Min(p[1], p[2]));
        if (range == 0)
            return;
        float scale = range, r = (max - p[0]) / scale, g = (max - p[1]) / scale, b = (max - p[2]) / scale;
        byte saturation = (byte)((float)(scale / max) * 255.0);
        float sixths = p[0] == max ? b - g : p[1] == max ? (float)(2.0 + r - b) : (float)(4.0 + g - r);
        double circle = sixths / 6.0 + 1.0;
        byte hue = (byte)((byte)((float)(circle - Math.Floor(circle)) * 255.0) + turn);
        int sector = (int)(hue * 6.0 / 255.0);
        float within = (float)(hue * 6.0 / 255.0 - sector), s = (float)(saturation / 255.0);
        byte low = Round(max * (1.0 - s)), falling = Round(max * (1.0 - s * within)),
            rising = Round(max * (1.0 - s * (1.0 - within)));
        (p[0], p[1], p[2]) = (sector % 6) switch
        {
            0 => ((byte)max, rising, low),
            1 => (falling, (byte)max, low),
            2 => (low, (byte)max, rising),
            3 => (low, falling, (byte)max),
            4 => (rising, low, (byte)max),
            _ => ((byte)max, low, falling),
        };

        static byte Round(double value) => (byte)((float)value + 0.5f);
    }
}
