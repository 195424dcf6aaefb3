using Cliper.Kernels.Operations;

namespace Cliper.Kernels.Tests.Operations;

/// <summary>Bytes are compared exactly: the arithmetic is integer.</summary>
public sealed class ResizeTests
{
    [Test]
    public void IsTheFormula([Values(1, 2, 7, 48, 67)] int width, [Values(1, 5, 31)] int height,
        [Values(1, 3)] int channels,
        [Values(1, 3, 16, 53)] int newWidth, [Values(1, 29)] int newHeight, [Values] bool bicubic)
    {
        byte[] source = Noise(width * height * channels, width * 31 + height),
            target = new byte[newWidth * newHeight * channels];

        if (bicubic)
            Resize.Forward<Bicubic>(source, width, height, channels, newWidth, newHeight, target);
        else
            Resize.Forward<Bilinear>(source, width, height, channels, newWidth, newHeight, target);

        Assert.That(target, Is.EqualTo(
            ResizeReference.Forward(source, (width, height, channels), newWidth, newHeight, bicubic)));
    }

    [Test]
    public void ACropIsCutBeforeAndAWindowAfter([Values(1, 3)] int channels, [Values(7, 20, 33)] int newSize)
    {
        const int Width = 41, Height = 37;
        byte[] source = Noise(Width * Height * channels, 1);
        foreach (PixelBox crop in new PixelBox[] { new(0, 0, Width, Height), new(3, 5, 20, 20), new(21, 17, 20, 20),
            new(0, 36, 41, 1) })
        {
            byte[] cut = ResizeReference.Cut(source, Width, channels, crop), whole = ResizeReference.Forward(cut,
                (crop.Width, crop.Height, channels), newSize, newSize, bicubic: true);
            foreach (PixelBox window in new PixelBox[] { new(0, 0, newSize, newSize),
                new(2, 1, newSize - 3, newSize - 4), new(newSize - 1, newSize - 1, 1, 1) })
            {
                var target = new byte[window.Width * window.Height * channels];

                Resize.Forward<Bicubic>(source, Width, Height, channels, new(crop, newSize, newSize, window), target);

                Assert.That(target, Is.EqualTo(ResizeReference.Cut(whole, newSize, channels, window)),
                    $"{crop} {window}");
            }
        }
    }

    [Test]
    public void OneColorStaysAndSharpEdgesAreCutToAByte()
    {
        byte[] flat = [.. Enumerable.Repeat((byte)255, 30 * 30 * 3)], target = new byte[47 * 47 * 3];
        Resize.Forward<Bicubic>(flat, 30, 30, 3, 47, 47, target);
        Assert.That(target, Has.All.EqualTo(255));

        byte[] edge = [.. Enumerable.Range(0, 900).Select(i => (byte)(i % 30 < 15 ? 0 : 255))],
            vectorized = new byte[60 * 30];
        Resize.Forward<Bicubic>(edge, 30, 30, 1, 60, 30, vectorized);
        // Overshoot of the negative lobes would wrap around without the cut.
        Assert.That(vectorized[..60], Is.Ordered);
    }

    [Test]
    public void BoxesOutsideAreNamed()
    {
        byte[] source = new byte[300], target = new byte[300];
        Assert.That(() => Resize.Forward<Bicubic>(source, 10, 10, 3,
            new(new(5, 0, 6, 10), 10, 10, new(0, 0, 10, 10)), target),
            Throws.ArgumentException.With.Message.Contains("crop"));
        Assert.That(() => Resize.Forward<Bicubic>(source, 10, 10, 3,
            new(new(0, 0, 10, 10), 10, 10, new(0, 0, 10, 11)), target),
            Throws.ArgumentException.With.Message.Contains("window"));
        Assert.That(() => Resize.Forward<Bicubic>(source, 10, 11, 3, 10, 10, target), Throws.ArgumentException);
    }

    internal static byte[] Noise(int count, int seed)
    {
        var bytes = new byte[count];
        new Random(seed).NextBytes(bytes);
        return bytes;
    }
}
