using Cliper.Kernels.Operations;

namespace Cliper.Kernels.Tests.Operations;

/// <summary>Equality with Pillow to the byte is in the golden tests; here the formulas and their limits.</summary>
public sealed class ColorJitterTests
{
    [Test]
    public void BlendsAreTheFormula([Values(0f, 0.37f, 1f, 1.4f, 9f)] float factor)
    {
        byte[] source = ResizeTests.Noise(3 * 101, 1);
        byte[] bright = [.. source], contrast = [.. source], saturated = [.. source];
        ColorJitter.Brightness(bright, factor);
        ColorJitter.Contrast(contrast, 3, factor);
        ColorJitter.Saturation(saturated, 3, factor);

        Assert.That(bright, Is.EqualTo(ColorJitterReference.Brightness(source, factor)), "brightness");
        Assert.That(contrast, Is.EqualTo(ColorJitterReference.Contrast(source, factor)), "contrast");
        Assert.That(saturated, Is.EqualTo(ColorJitterReference.Saturation(source, factor)), "saturation");
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
                byte[] turned = [.. pixels], expected = ColorJitterReference.Hue(pixels, turn);
                ColorJitter.Hue(turned, 3, turn);
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
