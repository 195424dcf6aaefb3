using Cliper.Model.Images;

namespace Cliper.Model.Reporting;

/// <summary>Small images inside a page.</summary>
internal static class Thumbnail
{
    private const int LargestEdge = 96;

    /// <summary>The image as a data URI, at most 96 pixels wide and high.</summary>
    public static string DataUri(RgbImage image)
    {
        RgbImage small = Shrink(image);
        byte[] encoded = SkiaImageCodec.Instance.Encode(small, ImageFormat.Jpeg, 86);
        return $"data:image/jpeg;base64,{Convert.ToBase64String(encoded)}";
    }

    private static RgbImage Shrink(RgbImage image)
    {
        if (Math.Max(image.Width, image.Height) <= LargestEdge)
            return image;
        double scale = (double)LargestEdge / Math.Max(image.Width, image.Height);
        int width = Math.Max(1, (int)Math.Round(image.Width * scale));
        int height = Math.Max(1, (int)Math.Round(image.Height * scale));
        byte[] pixels = new byte[3 * width * height];
        for (int y = 0; y < height; y++)
            for (int x = 0; x < width; x++)
                Average(image, Range(x, width, image.Width), Range(y, height, image.Height),
                    pixels.AsSpan(3 * ((y * width) + x), 3));
        return new RgbImage(width, height, pixels);
    }

    private static (int Start, int End) Range(int index, int count, int length)
    {
        int start = (int)((long)index * length / count);
        return (start, Math.Max(start + 1, (int)((long)(index + 1) * length / count)));
    }

    private static void Average(RgbImage image, (int Start, int End) columns, (int Start, int End) rows,
        Span<byte> pixel)
    {
        int count = (columns.End - columns.Start) * (rows.End - rows.Start);
        for (int channel = 0; channel < 3; channel++)
        {
            int sum = 0;
            for (int y = rows.Start; y < rows.End; y++)
                for (int x = columns.Start; x < columns.End; x++)
                    sum += image.Pixels[(3 * ((y * image.Width) + x)) + channel];
            pixel[channel] = (byte)((sum + (count / 2)) / count);
        }
    }
}
