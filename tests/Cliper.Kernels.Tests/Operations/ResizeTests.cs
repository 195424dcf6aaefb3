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

        Assert.That(target, Is.EqualTo(Reference(source, width, height, channels, newWidth, newHeight, bicubic)));
    }

    [Test]
    public void ACropIsCutBeforeAndAWindowAfter([Values(1, 3)] int channels, [Values(7, 20, 33)] int newSize)
    {
        const int Width = 41, Height = 37;
        byte[] source = Noise(Width * Height * channels, 1);
        foreach (PixelBox crop in new PixelBox[] { new(0, 0, Width, Height), new(3, 5, 20, 20), new(21, 17, 20, 20),
            new(0, 36, 41, 1) })
        {
            var cut = new byte[crop.Width * crop.Height * channels];
            for (int y = 0; y < crop.Height; y++)
                source.AsSpan(((crop.Y + y) * Width + crop.X) * channels, crop.Width * channels)
                    .CopyTo(cut.AsSpan(y * crop.Width * channels));
            byte[] whole = Reference(cut, crop.Width, crop.Height, channels, newSize, newSize, bicubic: true);
            foreach (PixelBox window in new PixelBox[] { new(0, 0, newSize, newSize),
                new(2, 1, newSize - 3, newSize - 4), new(newSize - 1, newSize - 1, 1, 1) })
            {
                var target = new byte[window.Width * window.Height * channels];

                Resize.Forward<Bicubic>(source, Width, Height, channels, new(crop, newSize, newSize, window), target);

                for (int y = 0; y < window.Height; y++)
                    Assert.That(target.AsSpan(y * window.Width * channels, window.Width * channels).ToArray(),
                        Is.EqualTo(whole.AsSpan(((window.Y + y) * newSize + window.X) * channels,
                        window.Width * channels).ToArray()),
                        $"{crop} {window} row {y}");
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

    /// <summary>Plain loops: every pixel of an axis weighted by distance, columns after rows, 8 bits between.</summary>
    private static byte[] Reference(byte[] source, int width, int height, int channels, int newWidth, int newHeight,
        bool bicubic)
    {
        var between = new byte[newWidth * height * channels];
        for (int x = 0; x < newWidth; x++)
        {
            long[] weights = Weights(width, newWidth, x, bicubic);
            for (int y = 0; y < height; y++)
                for (int c = 0; c < channels; c++)
                    between[(y * newWidth + x) * channels + c] =
                        Sum(weights, i => source[(y * width + i) * channels + c]);
        }
        var result = new byte[newWidth * newHeight * channels];
        for (int y = 0; y < newHeight; y++)
        {
            long[] weights = Weights(height, newHeight, y, bicubic);
            for (int x = 0; x < newWidth * channels; x++)
                result[y * newWidth * channels + x] = Sum(weights, i => between[i * newWidth * channels + x]);
        }
        return result;
    }

    private static byte Sum(long[] weights, Func<int, byte> value)
    {
        double sum = 0;
        for (int i = 0; i < weights.Length; i++)
            sum += weights[i] * value(i);
        return (byte)Math.Clamp(Math.Floor(sum / (1 << 22) + 0.5), 0, 255);
    }

    private static long[] Weights(int from, int to, int position, bool bicubic)
    {
        if (from == to)
            return [.. Enumerable.Range(0, from).Select(i => i == position ? 1L << 22 : 0)];
        double scale = (double)from / to, stretch = Math.Max(1, scale), center = (position + 0.5) * scale;
        double support = (bicubic ? 2 : 1) * stretch;
        double first = Math.Max(0, Math.Floor(center - support + 0.5)),
            end = Math.Min(from, Math.Floor(center + support + 0.5));
        double[] exact = [.. Enumerable.Range(0, from).Select(i => i >= first && i < end
            ? Kernel((i - center + 0.5) / stretch, bicubic) : 0)];
        double sum = exact.Sum();
        return [.. exact.Select(w => (long)Math.Round(w / sum * (1 << 22), MidpointRounding.AwayFromZero))];
    }

    private static double Kernel(double x, bool bicubic)
    {
        x = Math.Abs(x);
        if (!bicubic)
            return Math.Max(0, 1 - x);
        return x < 1 ? 1.5 * x * x * x - 2.5 * x * x + 1 : x < 2 ? -0.5 * (x * x * x - 5 * x * x + 8 * x - 4) : 0;
    }
}
