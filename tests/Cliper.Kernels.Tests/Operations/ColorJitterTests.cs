using Cliper.Kernels.Operations;

namespace Cliper.Kernels.Tests.Operations;

/// <summary>Equality with Pillow to the byte is in the golden tests; here the formulas and their limits.</summary>
public sealed class ColorJitterTests
{
    [Test]
    public void BlendsAreTheFormula([Values(0f, 0.37f, 1f, 1.4f, 9f)] float factor)
    {
        byte[] source = ResizeTests.Noise(3 * 101, 1);
        int[] luma = [.. Enumerable.Range(0, 101).Select(i => (19595 * source[3 * i] + 38470 * source[3 * i + 1] + 7471
            * source[3 * i + 2] + 32768) / 65536)];
        int mean = (int)Math.Floor(luma.Average() + 0.5);

        byte[] bright = [.. source], contrast = [.. source], saturated = [.. source];
        ColorJitter.Brightness(bright, factor);
        ColorJitter.Contrast(contrast, 3, factor);
        ColorJitter.Saturation(saturated, 3, factor);

        for (int i = 0; i < source.Length; i++)
        {
            Assert.That(bright[i], Is.EqualTo(Blend(0, source[i])), "brightness");
            Assert.That(contrast[i], Is.EqualTo(Blend(mean, source[i])), "contrast");
            Assert.That(saturated[i], Is.EqualTo(Blend(luma[i / 3], source[i])), "saturation");
        }

        byte Blend(int d, int x) => (byte)Math.Clamp(d + factor * (x - d), 0f, 255f);
    }

    [Test]
    public void EveryHueIsPillows()
    {
        // Every range and every middle value between the largest and the smallest channel, in each order of the three:
        // 196,350 pixels.
        byte[] source = [.. from order in Enumerable.Range(0, 6) from range in Enumerable.Range(0,
            256) from middle in Enumerable.Range(0, range + 1)
            from value in Ordered(order, 255, 255 - middle, 255 - range) select (byte)value];
        byte[] noise = ResizeTests.Noise(3 * 100_000, 5);
        foreach (float turn in new[] { 0.001f, 0.1f, -0.3f, 0.5f })
            foreach (byte[] pixels in new[] { source, noise })
            {
                byte[] turned = [.. pixels], expected = [.. pixels];
                ColorJitter.Hue(turned, 3, turn);
                for (int i = 0; i < expected.Length; i += 3)
                    Turn(expected.AsSpan(i, 3), (byte)(int)(turn * 255.0));
                Assert.That(turned.AsSpan().SequenceEqual(expected), $"turn {turn}");
            }

        static int[] Ordered(int order, int max, int middle, int min) => order switch
        {
            0 => [max, middle, min],
            1 => [max, min, middle],
            2 => [middle, max, min],
            3 => [min, max, middle],
            4 => [middle, min, max],
            _ => [min, middle, max],
        };
    }

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

    [Test]
    public void AThirdOfTheCircleTurnsRedToGreenToBlue()
    {
        byte[] pixels = [255, 0, 0, 0, 255, 0, 0, 0, 255];
        ColorJitter.Hue(pixels, 3, 1f / 3);
        Assert.That(pixels, Is.EqualTo(new byte[] { 0, 255, 0, 0, 0, 255, 255, 0, 0 }));
    }

    [Test]
    public void HueKeepsTheLargestChannelAndGrays([Values(-0.5f, -0.1f, 0.25f, 0.5f)] float turn)
    {
        byte[] source = [.. ResizeTests.Noise(3 * 500, 2), 9, 9, 9], pixels = [.. source];
        ColorJitter.Hue(pixels, 3, turn);

        for (int i = 0; i < source.Length; i += 3)
            Assert.That(pixels.AsSpan(i, 3).ToArray().Max(), Is.EqualTo(source.AsSpan(i, 3).ToArray().Max()));
        Assert.That(pixels[^3..], Is.EqualTo(new byte[] { 9, 9, 9 }));
    }

    [Test]
    public void GrayInOneChannelIsGrayInThree()
    {
        byte[] gray = ResizeTests.Noise(97, 3), rgb = [.. gray.SelectMany(v => new[] { v, v, v })];
        ColorJitter.Contrast(gray, 1, 1.3f);
        ColorJitter.Contrast(rgb, 3, 1.3f);
        ColorJitter.Saturation(gray, 1, 0.4f);
        ColorJitter.Saturation(rgb, 3, 0.4f);
        ColorJitter.Hue(gray, 1, 0.3f);
        ColorJitter.Hue(rgb, 3, 0.3f);
        Assert.That(rgb, Is.EqualTo(gray.SelectMany(v => new[] { v, v, v })));
    }

    [Test]
    public void WrongFactorsAreNamed()
    {
        byte[] pixels = new byte[3];
        Assert.That(() => ColorJitter.Brightness(pixels, -0.1f), Throws.InstanceOf<ArgumentOutOfRangeException>());
        Assert.That(() => ColorJitter.Contrast(pixels, 3, float.NaN), Throws.InstanceOf<ArgumentOutOfRangeException>());
        Assert.That(() => ColorJitter.Hue(pixels, 3, 0.6f), Throws.InstanceOf<ArgumentOutOfRangeException>());
        Assert.That(() => ColorJitter.Saturation(pixels.AsSpan(0, 2), 3, 1), Throws.ArgumentException);
    }
}
