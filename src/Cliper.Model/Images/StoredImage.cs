using Cliper.Kernels.Operations;

namespace Cliper.Model.Images;

/// <summary>Decoded pixels as they are cached: gray images keep one channel.</summary>
/// <param name="Width">Columns.</param>
/// <param name="Height">Rows.</param>
/// <param name="Channels">1 or 3.</param>
/// <param name="Pixels">[Height, Width, Channels].</param>
internal sealed record StoredImage(int Width, int Height, int Channels, ReadOnlyMemory<byte> Pixels)
{
    /// <summary>All of an image. Every operation gives the same on one gray channel as on three equal ones.</summary>
    public static StoredImage Of(RgbImage image)
    {
        byte[] rgb = image.Pixels;
        for (int i = 0; i < rgb.Length; i += 3)
            if (rgb[i] != rgb[i + 1] || rgb[i] != rgb[i + 2])
                return new StoredImage(image.Width, image.Height, 3, rgb);
        var gray = new byte[rgb.Length / 3];
        for (int i = 0; i < gray.Length; i++)
            gray[i] = rgb[3 * i];
        return new StoredImage(image.Width, image.Height, 1, gray);
    }

    /// <summary>The image after a resize with the bicubic filter.</summary>
    public StoredImage Resized(in Resize.Geometry to)
    {
        var pixels = new byte[to.Window.Width * to.Window.Height * Channels];
        ResizeTo(to, pixels);
        return new StoredImage(to.Window.Width, to.Window.Height, Channels, pixels);
    }

    /// <summary>Writes the pixels after a resize with the bicubic filter, [window height, window width,
    /// Channels].</summary>
    public void ResizeTo(in Resize.Geometry to, Span<byte> target) => Resize.Forward<Bicubic>(Pixels.Span, Width,
        Height, Channels, to, target);
}

/// <summary>The resizes that images go through before an augmentation.</summary>
internal static class Resizing
{
    /// <summary>CLIP's test transform up to normalization: shorter side to <paramref name="size"/>, center
    /// crop.</summary>
    public static Resize.Geometry ToSquare(int width, int height, int size)
    {
        // torchvision: the longer side is rounded down, the crop's corner to the nearest, ties to even.
        (int newWidth, int newHeight) = Shrunk(width, height, size);
        return new(new(0, 0, width, height), newWidth, newHeight,
            new((int)Math.Round((newWidth - size) / 2.0), (int)Math.Round((newHeight - size) / 2.0), size, size));
    }

    /// <summary>The whole image with its shorter side made <paramref name="shorter"/>.</summary>
    public static Resize.Geometry ToShorterSide(int width, int height, int shorter)
    {
        (int newWidth, int newHeight) = Shrunk(width, height, shorter);
        return new(new(0, 0, width, height), newWidth, newHeight, new(0, 0, newWidth, newHeight));
    }

    // The longer side is rounded down.
    private static (int Width, int Height) Shrunk(int width, int height, int shorter) => width <= height
        ? (shorter, (int)((double)shorter * height / width))
        : ((int)((double)shorter * width / height), shorter);
}
