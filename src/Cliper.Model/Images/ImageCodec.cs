namespace Cliper.Model.Images;

/// <summary>
/// The usual codec. SkiaSharp decodes what it can: it is several times as fast, and browsers harden its decoders every
/// day. ImageSharp, which is managed code, decodes only what Skia cannot read: TIFF, TGA and PBM, PGM, PPM.
/// </summary>
public sealed class ImageCodec : IImageCodec
{
    /// <summary>The codec; it has no state.</summary>
    public static ImageCodec Instance { get; } = new();

    /// <inheritdoc/>
    public bool CanRead(string extension) =>
        SkiaImageCodec.Instance.CanRead(extension) || ImageSharpDecoder.CanRead(extension);

    /// <inheritdoc/>
    public RgbImage Decode(ReadOnlySpan<byte> encoded, string name) => ImageSharpDecoder.FormatOf(encoded, name)
        is { } format
        ? ImageSharpDecoder.Decode(encoded, format, name)
        : SkiaImageCodec.Instance.Decode(encoded, name);

    /// <inheritdoc/>
    public byte[] Encode(RgbImage image, ImageFormat format, int quality = 90) =>
        SkiaImageCodec.Instance.Encode(image, format, quality);
}
