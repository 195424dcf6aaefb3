namespace Cliper.Kernels.Operations;

/// <summary>Mirrors pictures left to right.</summary>
public static class Flip
{
    /// <summary>Mirrors a picture in place.</summary>
    /// <param name="pixels">Picture, [height, width, channels].</param>
    /// <param name="width">Columns.</param>
    /// <param name="channels">Bytes of a pixel.</param>
    public static void Horizontal(Span<byte> pixels, int width, int channels)
    {
        int line = width * channels;
        if (line < 1 || pixels.Length % line != 0)
            throw new ArgumentException(
                $"{pixels.Length} bytes are not whole rows of {width} pixels of {channels}", nameof(pixels));
        for (int row = 0; row < pixels.Length; row += line)
        {
            Span<byte> pixelsOfRow = pixels.Slice(row, line);
            pixelsOfRow.Reverse();
            // Reversing the bytes also reversed the channels of each pixel.
            for (int x = 0; x < line && channels == 3; x += 3)
                (pixelsOfRow[x], pixelsOfRow[x + 2]) = (pixelsOfRow[x + 2], pixelsOfRow[x]);
        }
    }
}
