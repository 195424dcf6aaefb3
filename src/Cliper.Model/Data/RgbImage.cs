namespace Cliper.Model.Data;

/// <summary>A picture in memory: rows of interleaved red, green and blue bytes.</summary>
public sealed class RgbImage
{
    /// <summary>A picture over <paramref name="pixels"/>, which is not copied.</summary>
    /// <exception cref="ArgumentException">The number of bytes is not 3 x width x height.</exception>
    public RgbImage(int width, int height, byte[] pixels)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(width, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(height, 1);
        if (pixels.Length != 3L * width * height)
            throw new ArgumentException($"{pixels.Length} bytes for {width} x {height} pixels", nameof(pixels));
        (Width, Height, Pixels) = (width, height, pixels);
    }

    /// <summary>Columns.</summary>
    public int Width { get; }

    /// <summary>Rows.</summary>
    public int Height { get; }

    /// <summary>[Height, Width, 3].</summary>
    public byte[] Pixels { get; }
}
