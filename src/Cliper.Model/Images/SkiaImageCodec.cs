using System.Collections.Frozen;
using SkiaSharp;

namespace Cliper.Model.Images;

/// <summary>
/// JPEG, PNG, WebP, BMP and GIF (first frame) by SkiaSharp, whose JPEG decoder gives the same bytes as Pillow's.
/// </summary>
public sealed unsafe class SkiaImageCodec : IImageCodec
{
    /// <summary>Largest image accepted, so that a few damaged bytes cannot ask for gigabytes.</summary>
    private const long MaxPixels = 256L << 20;

    private static readonly FrozenSet<string> Extensions =
        FrozenSet.ToFrozenSet([".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif"], StringComparer.OrdinalIgnoreCase);

    /// <summary>The codec; it has no state.</summary>
    public static SkiaImageCodec Instance { get; } = new();

    /// <inheritdoc/>
    public bool CanRead(string extension) => Extensions.Contains(extension);

    /// <inheritdoc/>
    public RgbImage Decode(ReadOnlySpan<byte> encoded, string name)
    {
        if (encoded.IsEmpty)
            throw new InputException($"{name}: the file is empty; replace or remove it");
        // Skia also takes WBMP, which begins with two zero bytes as much else does, and icons.
        if (!ImageSignature.IsForSkia(encoded))
            throw new InputException(
                $"{name}: {ImageSignature.Describe(encoded[..Math.Min(encoded.Length, ImageSignature.HeadBytes)])}; "
                + $"expected a picture ({ImageSignature.Read}); replace or remove it");
        fixed (byte* bytes = encoded)
        {
            using var data = SKData.Create((nint)bytes, encoded.Length);
            using SKCodec? codec = SKCodec.Create(data);
            if (codec == null)
                throw new InputException(
                    $"{name}: not a readable picture, its header is damaged; replace or remove it");
            int width = codec.Info.Width, height = codec.Info.Height;
            CheckSize(width, height, name);
            bool gray = codec.Info.ColorType == SKColorType.Gray8;
            var info = new SKImageInfo(width, height, gray ? SKColorType.Gray8 : SKColorType.Rgba8888,
                gray ? SKAlphaType.Opaque : SKAlphaType.Unpremul);
            var decoded = new byte[info.BytesSize64];
            SKCodecResult result;
            fixed (byte* target = decoded)
                result = codec.GetPixels(info, (nint)target);
            if (result != SKCodecResult.Success)
                throw new InputException(
                    $"{name}: the picture is "
                    + $"{(result == SKCodecResult.IncompleteInput ? "truncated" : $"damaged ({result})")}; replace "
                    + "or remove it");
            var image = new RgbImage(width, height, ToRgb(decoded, width * height, gray));
            return Upright(image, codec.EncodedOrigin);
        }
    }

    /// <inheritdoc/>
    public byte[] Encode(RgbImage image, ImageFormat format, int quality = 90)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(quality, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(quality, 100);
        var rgba = new byte[4L * image.Width * image.Height];
        for (int from = 0, to = 0; to < rgba.Length; from += 3, to += 4)
        {
            rgba[to] = image.Pixels[from];
            rgba[to + 1] = image.Pixels[from + 1];
            rgba[to + 2] = image.Pixels[from + 2];
            rgba[to + 3] = 255;
        }
        var info = new SKImageInfo(image.Width, image.Height, SKColorType.Rgba8888, SKAlphaType.Opaque);
        fixed (byte* pixels = rgba)
        {
            using var pixmap = new SKPixmap(info, (nint)pixels);
            using SKData data = pixmap.Encode(format == ImageFormat.Png ? SKEncodedImageFormat.Png
                : SKEncodedImageFormat.Jpeg, quality)
                ?? throw new InvalidOperationException(
                    $"a picture of {image.Width} x {image.Height} could not be encoded as {format}");
            return data.ToArray();
        }
    }

    /// <summary>Throws when an image is too large to be decoded.</summary>
    /// <exception cref="InputException">It has no pixels, or more than are accepted.</exception>
    internal static void CheckSize(int width, int height, string name)
    {
        if (width < 1 || height < 1 || (long)width * height > MaxPixels)
            throw new InputException(
                $"{name}: a picture of {width} x {height} pixels, expected at most {MaxPixels} in all");
    }

    private static byte[] ToRgb(byte[] decoded, int pixels, bool gray)
    {
        var rgb = new byte[3L * pixels];
        fixed (byte* start = decoded, output = rgb)
        {
            byte* p = start, q = output;
            for (int i = 0; i < pixels; i++, q += 3, p += gray ? 1 : 4)
            {
                q[0] = p[0];
                q[1] = gray ? p[0] : p[1];
                q[2] = gray ? p[0] : p[2];
            }
        }
        return rgb;
    }

    /// <summary>The image turned upright by its EXIF orientation; as it is for a number that means none.</summary>
    internal static RgbImage Upright(RgbImage image, SKEncodedOrigin origin)
    {
        // Each case says which stored column and row the upright pixel (x, y) comes from.
        int w = image.Width, h = image.Height;
        return origin switch
        {
            SKEncodedOrigin.TopRight => Rearrange(image, w, h, (x, y) => (w - 1 - x, y)),
            SKEncodedOrigin.BottomRight => Rearrange(image, w, h, (x, y) => (w - 1 - x, h - 1 - y)),
            SKEncodedOrigin.BottomLeft => Rearrange(image, w, h, (x, y) => (x, h - 1 - y)),
            SKEncodedOrigin.LeftTop => Rearrange(image, h, w, (x, y) => (y, x)),
            SKEncodedOrigin.RightTop => Rearrange(image, h, w, (x, y) => (y, h - 1 - x)),
            SKEncodedOrigin.RightBottom => Rearrange(image, h, w, (x, y) => (w - 1 - y, h - 1 - x)),
            SKEncodedOrigin.LeftBottom => Rearrange(image, h, w, (x, y) => (w - 1 - y, x)),
            _ => image,
        };
    }

    private static RgbImage Rearrange(RgbImage image, int width, int height, Func<int, int, (int X, int Y)> source)
    {
        var pixels = new byte[image.Pixels.Length];
        for (int y = 0, to = 0; y < height; y++)
        {
            for (int x = 0; x < width; x++, to += 3)
            {
                (int sx, int sy) = source(x, y);
                image.Pixels.AsSpan((sy * image.Width + sx) * 3, 3).CopyTo(pixels.AsSpan(to));
            }
        }
        return new RgbImage(width, height, pixels);
    }
}
