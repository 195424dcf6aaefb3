using Cliper.Kernels.Operations;

namespace Cliper.References;

/// <summary>
/// Pillow's resampling by plain loops: every pixel of an axis weighted by distance, columns after rows, 8 bits between.
/// </summary>
/// <remarks>The weights are whole numbers of 2^-22, as Pillow has them; their sums are exact in double.</remarks>
internal static class ResizeReference
{
    /// <summary>The picture [newHeight, newWidth, channels] of one [height, width, channels].</summary>
    public static byte[] Forward(byte[] source, (int Width, int Height, int Channels) sizes, int newWidth,
        int newHeight, bool bicubic)
    {
        (int width, int height, int channels) = sizes;
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

    /// <summary>The pixels in a box of a picture of <c>width</c> pixels a row.</summary>
    public static byte[] Cut(byte[] picture, int width, int channels, PixelBox box) =>
        [.. Enumerable.Range(box.Y, box.Height).SelectMany(row =>
            picture.AsSpan((row * width + box.X) * channels, box.Width * channels).ToArray())];

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
            ? Filter((i - center + 0.5) / stretch, bicubic) : 0)];
        double sum = exact.Sum();
        return [.. exact.Select(w => (long)Math.Round(w / sum * (1 << 22), MidpointRounding.AwayFromZero))];
    }

    private static double Filter(double x, bool bicubic)
    {
        x = Math.Abs(x);
        if (!bicubic)
            return Math.Max(0, 1 - x);
        return x < 1 ? 1.5 * x * x * x - 2.5 * x * x + 1 : x < 2 ? -0.5 * (x * x * x - 5 * x * x + 8 * x - 4) : 0;
    }
}
