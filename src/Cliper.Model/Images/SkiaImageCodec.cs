using System.Collections.Frozen;
using System.Runtime.InteropServices;
using SkiaSharp;

namespace Cliper.Model.Images;

/// <summary>
/// JPEG, PNG, WebP, BMP and GIF (first frame) by SkiaSharp, whose JPEG decoder gives the same bytes as Pillow's.
/// </summary>
public sealed unsafe class SkiaImageCodec : IImageCodec
{
    /// <summary>Most pixels of a decoded image; a larger picture is decoded at a smaller size.</summary>
    internal const long MostDecoded = 32L << 20;

    /// <summary>Largest image accepted, so that a few damaged bytes cannot ask for gigabytes.</summary>
    private const long MaxPixels = 256L << 20;

    /// <summary>Smallest part of its size that a JPEG is decoded at, as a divisor.</summary>
    private const int LargestDivisor = 8;

    /// <summary>Bytes of coefficients that a progressive JPEG keeps a pixel, at most: two for each of three
    /// components.</summary>
    private const int ProgressiveBytes = 6;

    private static readonly FrozenSet<string> Extensions =
        FrozenSet.ToFrozenSet([".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif"], StringComparer.OrdinalIgnoreCase);

    /// <summary>The codec; it has no state.</summary>
    public static SkiaImageCodec Instance { get; } = new();

    /// <inheritdoc/>
    public bool CanRead(string extension) => Extensions.Contains(extension);

    /// <summary>Whether the first bytes are those of a picture that this codec reads.</summary>
    public static bool IsReadable(ReadOnlySpan<byte> encoded) => ImageSignature.IsForSkia(encoded);

    /// <summary>Columns and rows that an encoded image says it has, by its header alone.</summary>
    /// <param name="encoded">The file's bytes.</param>
    /// <param name="name">Name of the image for error messages.</param>
    /// <exception cref="InputException">No image, or one whose header is damaged.</exception>
    public static (int Width, int Height) SizeOf(ReadOnlySpan<byte> encoded, string name)
    {
        fixed (byte* bytes = encoded)
        {
            using SKData data = DataOf(bytes, encoded.Length, name);
            using SKCodec codec = CodecOf(data, name);
            return (codec.Info.Width, codec.Info.Height);
        }
    }

    /// <inheritdoc/>
    public RgbImage Decode(ReadOnlySpan<byte> encoded, string name)
    {
        fixed (byte* bytes = encoded)
        {
            using SKData data = DataOf(bytes, encoded.Length, name);
            using SKCodec codec = CodecOf(data, name);
            CheckSize(codec.Info.Width, codec.Info.Height, name);
            RgbImage image = Decode(codec, ImageStructure.IsProgressiveJpeg(encoded), name);
            return Upright(image, ImageStructure.PngOrientation(encoded) is { } orientation
                ? (SKEncodedOrigin)orientation : codec.EncodedOrigin);
        }
    }

    /// <summary>The bytes as Skia takes them, if they are of a format that it is given.</summary>
    private static SKData DataOf(byte* bytes, int length, string name)
    {
        var encoded = new ReadOnlySpan<byte>(bytes, length);
        if (encoded.IsEmpty)
            throw new InputException($"{name}: the file is empty; replace or remove it");
        // Skia also takes WBMP, which begins with two zero bytes as much else does, and icons.
        if (!ImageSignature.IsForSkia(encoded))
            throw new InputException(
                $"{name}: {ImageSignature.Describe(encoded[..Math.Min(encoded.Length, ImageSignature.HeadBytes)])}; "
                + $"expected a picture ({ImageSignature.Read}); replace or remove it");
        return SKData.Create((nint)bytes, length);
    }

    private static SKCodec CodecOf(SKData data, string name) => SKCodec.Create(data)
        ?? throw new InputException($"{name}: not a readable picture, its header is damaged; replace or remove it");

    /// <summary>The image as it is stored, at a smaller size where it has too many pixels.</summary>
    private static RgbImage Decode(SKCodec codec, bool isProgressive, string name)
    {
        SKSizeI whole = codec.Info.Size, size = whole;
        for (int divisor = 2; divisor <= LargestDivisor && Pixels(size) > MostDecoded; divisor *= 2)
            size = codec.GetScaledDimensions(1f / divisor);
        bool isGray = codec.Info.ColorType == SKColorType.Gray8;
        var info = new SKImageInfo(size.Width, size.Height, isGray ? SKColorType.Gray8 : SKColorType.Rgba8888,
            isGray ? SKAlphaType.Opaque : SKAlphaType.Unpremul);
        // Formats that are not decoded at a smaller size are reduced afterwards.
        int factor = FactorOf(size.Width, size.Height);
        using PixelBudget.Lease lease = PixelBudget.Take(
            info.BytesSize64 + (isProgressive ? ProgressiveBytes * Pixels(whole) : 0), name);
        // Zeros, so that what a decoder leaves out is never another image's content. The memory is given back at once,
        // which the garbage collector would not do.
        void* decoded = NativeMemory.AllocZeroed((nuint)info.BytesSize64);
        try
        {
            SKCodecResult result = codec.GetPixels(info, (nint)decoded);
            if (result != SKCodecResult.Success)
                throw new InputException(
                    $"{name}: the picture is "
                    + $"{(result == SKCodecResult.IncompleteInput ? "truncated" : $"damaged ({result})")}; replace "
                    + "or remove it");
            RgbImage image = factor == 1
                ? new RgbImage(size.Width, size.Height, ToRgb((byte*)decoded, (int)Pixels(size), isGray))
                : Reduced((byte*)decoded, size, isGray ? 1 : 4, factor);
            return new RgbImage(image.Width, image.Height, image.Pixels)
            {
                OriginalWidth = whole.Width,
                OriginalHeight = whole.Height,
            };
        }
        finally
        {
            NativeMemory.Free(decoded);
        }

        static long Pixels(SKSizeI size) => (long)size.Width * size.Height;
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

    private static byte[] ToRgb(byte* decoded, int pixels, bool isGray)
    {
        byte[] rgb = GC.AllocateUninitializedArray<byte>(3 * pixels);
        fixed (byte* output = rgb)
        {
            byte* p = decoded, q = output;
            for (int i = 0; i < pixels; i++, q += 3, p += isGray ? 1 : 4)
            {
                q[0] = p[0];
                q[1] = isGray ? p[0] : p[1];
                q[2] = isGray ? p[0] : p[2];
            }
        }
        return rgb;
    }

    /// <summary>Side of the squares whose means are taken of an image with too many pixels; 1 for another.</summary>
    internal static int FactorOf(int width, int height) =>
        (int)Math.Ceiling(Math.Sqrt((double)width * height / MostDecoded));

    /// <summary>The image of the means of squares of pixels; it knows the size that it had.</summary>
    /// <param name="decoded">Rows of interleaved channels.</param>
    /// <param name="size">Columns and rows.</param>
    /// <param name="channels">Bytes of a pixel: 1 of gray, or 3 or more that begin with red, green and blue.</param>
    /// <param name="factor">Side of the squares, from <see cref="FactorOf"/>.</param>
    internal static RgbImage Reduced(byte* decoded, SKSizeI size, int channels, int factor)
    {
        int width = (size.Width + factor - 1) / factor, height = (size.Height + factor - 1) / factor;
        var rgb = new byte[3 * width * height];
        for (int y = 0, at = 0; y < height; y++)
            for (int x = 0; x < width; x++)
                for (int c = 0; c < 3; c++, at++)
                {
                    int bottom = Math.Min((y + 1) * factor, size.Height), right = Math.Min((x + 1) * factor,
                        size.Width), sum = 0;
                    for (int row = y * factor; row < bottom; row++)
                        for (int column = x * factor; column < right; column++)
                            sum += decoded[((long)row * size.Width + column) * channels + Math.Min(c, channels - 1)];
                    rgb[at] = (byte)(sum / ((bottom - y * factor) * (right - x * factor)));
                }
        return new RgbImage(width, height, rgb) { OriginalWidth = size.Width, OriginalHeight = size.Height };
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
        bool isTurned = width != image.Width || height != image.Height;
        return new RgbImage(width, height, pixels)
        {
            OriginalWidth = isTurned ? image.OriginalHeight : image.OriginalWidth,
            OriginalHeight = isTurned ? image.OriginalWidth : image.OriginalHeight,
        };
    }
}
