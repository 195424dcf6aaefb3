using Cliper.Kernels.Operations;

namespace Cliper.Model.Images;

/// <summary>An image in memory: rows of interleaved red, green and blue bytes.</summary>
public sealed class RgbImage
{
    /// <summary>An image over <paramref name="pixels"/>, which is not copied.</summary>
    /// <exception cref="ArgumentException">The number of bytes is not 3 x width x height.</exception>
    public RgbImage(int width, int height, byte[] pixels)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(width, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(height, 1);
        if (pixels.Length != 3L * width * height)
            throw new ArgumentException($"{pixels.Length} bytes for {width} x {height} pixels", nameof(pixels));
        (Width, Height, Pixels) = (width, height, pixels);
        (OriginalWidth, OriginalHeight) = (width, height);
    }

    /// <summary>Columns.</summary>
    public int Width { get; }

    /// <summary>Rows.</summary>
    public int Height { get; }

    /// <summary>[Height, Width, 3].</summary>
    public byte[] Pixels { get; }

    /// <summary>
    /// Columns of the picture as it is shown: more than <see cref="Width"/> where it was so large that it has been
    /// decoded at a smaller size.
    /// </summary>
    public int OriginalWidth { get; init; }

    /// <summary>Rows of the picture as it is shown.</summary>
    public int OriginalHeight { get; init; }

    /// <summary>Pixels of the picture as it is shown to one of these, along an axis; 1 unless it was reduced.</summary>
    internal double Reduction => (double)OriginalWidth / Width;

    /// <summary>A box of the picture as it is shown, in the pixels of this image.</summary>
    public PixelBox FromOriginal(PixelBox box) => box.Scaled(1 / Reduction);

    /// <summary>A part of the image; what of <paramref name="box"/> lies outside is cut off.</summary>
    /// <param name="box">The part, in pixels.</param>
    /// <param name="name">Name of the image for error messages.</param>
    /// <exception cref="InputException">All of the box lies outside.</exception>
    internal RgbImage Cut(PixelBox box, string name)
    {
        (int left, int top, int width, int height) = Inside(box, name);
        var pixels = new byte[3 * width * height];
        for (int y = 0; y < height; y++)
            Pixels.AsSpan((int)(3L * ((top + y) * Width + left)), 3 * width).CopyTo(pixels.AsSpan(3 * y * width));
        return new RgbImage(width, height, pixels);
    }

    /// <summary>The image in the middle of black.</summary>
    /// <param name="border">Pixels on each side.</param>
    internal RgbImage WithBorder(int border)
    {
        int width = Width + 2 * border, height = Height + 2 * border;
        var pixels = new byte[3 * width * height];
        for (int y = 0; y < Height; y++)
            Pixels.AsSpan(3 * y * Width, 3 * Width).CopyTo(pixels.AsSpan(3 * ((border + y) * width + border)));
        return new RgbImage(width, height, pixels);
    }

    /// <summary>The part of a box that lies within the image.</summary>
    /// <param name="box">The box, in pixels.</param>
    /// <param name="name">Name of the image for error messages.</param>
    /// <exception cref="InputException">All of the box lies outside.</exception>
    internal PixelBox Inside(PixelBox box, string name)
    {
        long left = Math.Max(0, box.X), top = Math.Max(0, box.Y);
        long right = Math.Min(Width, (long)box.X + box.Width), bottom = Math.Min(Height, (long)box.Y + box.Height);
        if (right <= left || bottom <= top)
            throw new InputException(
                $"{name}: the box {box.X},{box.Y},{box.Width},{box.Height} lies outside of the {Width} x {Height} "
                + "pixels");
        return new PixelBox((int)left, (int)top, (int)(right - left), (int)(bottom - top));
    }
}
