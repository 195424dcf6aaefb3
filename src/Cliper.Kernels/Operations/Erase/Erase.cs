namespace Cliper.Kernels.Operations;

/// <summary>
/// Random erasing (Zhong et al. 2020, arXiv 1708.04896): sets a rectangle of a normalized picture to 0, the mean
/// color, in every channel. On a device <see cref="Normalize"/> does it as it writes the picture.
/// </summary>
public static class Erase
{
    /// <summary>Clears a rectangle.</summary>
    /// <param name="y">Picture, [channels, height, width], changed in place.</param>
    /// <param name="width">Columns.</param>
    /// <param name="height">Rows.</param>
    /// <param name="box">The rectangle, inside the picture.</param>
    public static void Forward(Span<float> y, int width, int height, PixelBox box)
    {
        box.Check(width, height, nameof(box));
        int plane = width * height;
        if (y.Length % plane != 0)
            throw new ArgumentException($"{y.Length} values are not whole planes of {width} x {height}", nameof(y));
        for (int start = 0; start < y.Length; start += plane)
            for (int row = box.Y; row < box.Y + box.Height; row++)
                y.Slice(start + row * width + box.X, box.Width).Clear();
    }
}
