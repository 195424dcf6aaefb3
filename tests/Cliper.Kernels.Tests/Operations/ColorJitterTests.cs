using Cliper.Kernels.Operations;

namespace Cliper.Kernels.Tests.Operations;

/// <summary>Equality with Pillow to the byte is in the golden tests; here the formulas and their limits.</summary>
public sealed class ColorJitterTests
{
    [Test]
    public void BlendsAreTheFormula([Values(0f, 0.37f, 1f, 1.4f, 9f)] float factor)
    {
        byte[] source = ResizeTests.Noise(3 * 101, 1);
        int[] luma = [.. Enumerable.Range(0, 101).Select(i => (19595 * source[3 * i] + 38470 * source[3 * i + 1] + 7471 * source[3 * i + 2] + 32768) / 65536)];
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
