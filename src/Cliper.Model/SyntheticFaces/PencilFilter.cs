using Cliper.Model.Images;

namespace Cliper.Model.SyntheticFaces;

/// <summary>
/// Turns the image of a face into a pencil sketch: no colors, no light, strokes where the image is darker than its
/// surroundings.
/// </summary>
/// <remarks>
/// paper * (1 - pressure * (1 - (g + floor) / (mean + floor))), g the pixel's brightness and mean that of the square
/// around it; the floor keeps the noise of dark surroundings from becoming strokes.
/// </remarks>
internal static class PencilFilter
{
    private const float Paper = 245, Pressure = 1.5f, Floor = 8;

    /// <summary>The square reaches this part of the image's edge to each side.</summary>
    private const int Reach = 12;

    /// <summary>The sketch of a square image, gray in all three channels.</summary>
    public static RgbImage Of(RgbImage image)
    {
        int size = image.Width, reach = Math.Max(1, size / Reach);
        int[] sums = SumsOfCorners(image);
        var pixels = new byte[image.Pixels.Length];
        for (int y = 0; y < size; y++)
        {
            int top = Math.Max(0, y - reach), bottom = Math.Min(size, y + reach + 1);
            for (int x = 0; x < size; x++)
            {
                int left = Math.Max(0, x - reach), right = Math.Min(size, x + reach + 1);
                float mean = (float)Sum(left, top, right, bottom) / ((right - left) * (bottom - top));
                float share = (Sum(x, y, x + 1, y + 1) + Floor) / (mean + Floor);
                pixels.AsSpan(3 * ((y * size) + x), 3).Fill((byte)Math.Clamp(Paper * (1 - (Pressure * (1 - share))), 0,
                    255));
            }
        }
        return new RgbImage(size, size, pixels);

        int Sum(int left, int top, int right, int bottom) => sums[(bottom * (size + 1)) + right]
            - sums[(top * (size + 1)) + right]
            - sums[(bottom * (size + 1)) + left] + sums[(top * (size + 1)) + left];
    }

    /// <summary>
    /// For each corner of a pixel the brightness above and left of it, [size + 1, size + 1] (Crow 1984, summed areas).
    /// </summary>
    private static int[] SumsOfCorners(RgbImage image)
    {
        int size = image.Width;
        var sums = new int[(size + 1) * (size + 1)];
        for (int y = 0; y < size; y++)
            for (int x = 0, row = 0; x < size; x++)
            {
                ReadOnlySpan<byte> pixel = image.Pixels.AsSpan(3 * ((y * size) + x), 3);
                row += ((77 * pixel[0]) + (150 * pixel[1]) + (29 * pixel[2])) >> 8;
                sums[((y + 1) * (size + 1)) + x + 1] = sums[(y * (size + 1)) + x + 1] + row;
            }
        return sums;
    }
}
