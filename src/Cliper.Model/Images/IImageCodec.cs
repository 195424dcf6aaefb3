namespace Cliper.Model.Images;

/// <summary>Reads and writes image files. One small interface, so that the library behind it can be changed.</summary>
public interface IImageCodec
{
    /// <summary>Whether a file of this extension (with its dot, any case) is an image that can be read.</summary>
    bool CanRead(string extension);

    /// <summary>
    /// Decodes an image and turns it upright by its EXIF orientation. Gray becomes RGB, transparency is dropped, color
    /// profiles are not applied.
    /// </summary>
    /// <param name="encoded">The file's bytes.</param>
    /// <param name="name">Name of the image for error messages.</param>
    /// <exception cref="InputException">No image, a damaged or a truncated one.</exception>
    RgbImage Decode(ReadOnlySpan<byte> encoded, string name);

    /// <summary>Encodes an image.</summary>
    /// <param name="image">The image.</param>
    /// <param name="format">File format.</param>
    /// <param name="quality">JPEG quality, 1 to 100.</param>
    byte[] Encode(RgbImage image, ImageFormat format, int quality = 90);
}

/// <summary>Formats that images are written in.</summary>
public enum ImageFormat
{
    /// <summary>Lossless.</summary>
    Png,

    /// <summary>Lossy, small.</summary>
    Jpeg,
}
