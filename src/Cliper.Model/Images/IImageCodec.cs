namespace Cliper.Model.Images;

/// <summary>Reads and writes picture files. One small interface, so that the library behind it can be changed.</summary>
public interface IImageCodec
{
    /// <summary>Whether a file of this extension (with its dot, any case) is a picture that can be read.</summary>
    bool CanRead(string extension);

    /// <summary>
    /// Decodes a picture and turns it upright by its EXIF orientation. Gray becomes RGB, transparency is dropped, colour
    /// profiles are not applied.
    /// </summary>
    /// <param name="encoded">The file's bytes.</param>
    /// <param name="name">What to call the picture in an error.</param>
    /// <exception cref="InputException">No picture, a damaged or a truncated one.</exception>
    RgbImage Decode(ReadOnlySpan<byte> encoded, string name);

    /// <summary>Encodes a picture.</summary>
    /// <param name="image">The picture.</param>
    /// <param name="format">File format.</param>
    /// <param name="quality">JPEG quality, 1 to 100.</param>
    byte[] Encode(RgbImage image, ImageFormat format, int quality = 90);
}

/// <summary>Formats that pictures are written in.</summary>
public enum ImageFormat
{
    /// <summary>Lossless.</summary>
    Png,

    /// <summary>Lossy, small.</summary>
    Jpeg,
}
