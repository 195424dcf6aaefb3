using System.Collections.Frozen;
using System.Runtime.InteropServices;
using Cliper.Model.IO;
using SixLabors.ImageSharp;
using SixLabors.ImageSharp.Formats;
using SixLabors.ImageSharp.Formats.Pbm;
using SixLabors.ImageSharp.Formats.Tga;
using SixLabors.ImageSharp.Formats.Tiff;
using SixLabors.ImageSharp.Memory;
using SixLabors.ImageSharp.Metadata;
using SixLabors.ImageSharp.PixelFormats;
using SkiaSharp;

namespace Cliper.Model.Images;

/// <summary>Formats that ImageSharp decodes.</summary>
internal enum ForeignFormat
{
    /// <summary>Tagged image file format, not tiled, not BigTIFF; the first image of a file.</summary>
    Tiff,

    /// <summary>Truevision's TGA.</summary>
    Tga,

    /// <summary>Netpbm's bitmaps, graymaps and pixmaps, plain and binary.</summary>
    Netpbm,
}

/// <summary>
/// TIFF, TGA and PBM, PGM, PPM by ImageSharp. A reader of our own looks at each file's structure first: ImageSharp
/// takes a truncated file for a whole one, and reads more of a TIFF than its image.
/// </summary>
internal static class ImageSharpDecoder
{
    private static readonly FrozenSet<string> Extensions = FrozenSet.ToFrozenSet(
        [".tif", ".tiff", ".tga", ".pbm", ".pgm", ".ppm"], StringComparer.OrdinalIgnoreCase);

    // Only the decoders that are needed can be reached. Arrays of the garbage collector begin as zeros, so that what a
    // decoder leaves out is never another image's content.
    private static readonly Configuration Settings =
        new(new TiffConfigurationModule(), new TgaConfigurationModule(), new PbmConfigurationModule())
        {
            MemoryAllocator = new SimpleGcMemoryAllocator(),
            MaxDegreeOfParallelism = 1,
        };

    /// <summary>The decoder's image and the copy of it.</summary>
    private const long BytesPerPixel = 6;

    /// <summary>Whether a file of this extension (with its dot, any case) is an image of these formats.</summary>
    public static bool CanRead(string extension) => Extensions.Contains(extension);

    /// <summary>
    /// The format that the first bytes tell; null for none of these. TGA, which has no such bytes, is recognized by its
    /// footer, or by its extension and a plausible header.</summary>
    /// <param name="encoded">The file's bytes.</param>
    /// <param name="name">Its path or name, for the extension.</param>
    public static ForeignFormat? FormatOf(ReadOnlySpan<byte> encoded, string name)
    {
        if (TiffStructure.IsTiff(encoded))
            return ForeignFormat.Tiff;
        if (NetpbmStructure.IsNetpbm(encoded))
            return ForeignFormat.Netpbm;
        bool isNamedSo = name.EndsWith(".tga", StringComparison.OrdinalIgnoreCase);
        return TgaStructure.HasFooter(encoded) || isNamedSo && TgaStructure.IsPlausible(encoded)
            ? ForeignFormat.Tga : null;
    }

    /// <summary>Decodes a file's first image and turns it upright. Gray becomes RGB, transparency is dropped.</summary>
    /// <param name="encoded">The file's bytes.</param>
    /// <param name="format">From <see cref="FormatOf"/>.</param>
    /// <param name="name">Name of the image for error messages.</param>
    /// <exception cref="InputException">A damaged, truncated or too large image, or a variant that is not
    /// read.</exception>
    public static RgbImage Decode(ReadOnlySpan<byte> encoded, ForeignFormat format, string name)
    {
        int orientation = 1;
        byte[] bytes;
        switch (format)
        {
            case ForeignFormat.Tiff:
                (bytes, orientation) = TiffStructure.FirstImage(encoded, name);
                break;
            case ForeignFormat.Tga:
                TgaStructure.Check(encoded, name);
                bytes = encoded.ToArray();
                break;
            default:
                bytes = NetpbmStructure.Image(encoded, name);
                break;
        }
        return SkiaImageCodec.Upright(Decode(bytes, DecoderOf(format), name), (SKEncodedOrigin)orientation);
    }

    private static RgbImage Decode(byte[] bytes, IImageDecoder decoder, string name)
    {
        try
        {
            using var stream = new MemoryStream(bytes, writable: false);
            IImageInfo info = ((IImageInfoDetector)decoder).Identify(Settings, stream, CancellationToken.None);
            SkiaImageCodec.CheckSize(info.Width, info.Height, name);
            stream.Position = 0;
            using PixelBudget.Lease lease = PixelBudget.Take(BytesPerPixel * info.Width * info.Height, name);
            using Image<Rgb24> image = decoder.Decode<Rgb24>(Settings, stream, CancellationToken.None);
            SkiaImageCodec.CheckSize(image.Width, image.Height, name);
            var pixels = new byte[3L * image.Width * image.Height];
            image.CopyPixelDataTo(MemoryMarshal.Cast<byte, Rgb24>(pixels.AsSpan()));
            int factor = SkiaImageCodec.FactorOf(image.Width, image.Height);
            return factor == 1 ? new RgbImage(image.Width, image.Height, pixels)
                : Reduced(pixels, image.Width, image.Height, factor);
        }
        catch (Exception failure) when (failure is not (InputException or OutOfMemoryException))
        {
            // The decoders meet damage with exceptions of many kinds, of indices and of LINQ among them.
            throw new InputException($"{name}: the picture is damaged, or of a variant that is not read "
                + $"({ForeignText.Short(failure.Message)}); replace or remove it, or convert it to PNG", failure);
        }
    }

    private static unsafe RgbImage Reduced(byte[] pixels, int width, int height, int factor)
    {
        fixed (byte* decoded = pixels)
            return SkiaImageCodec.Reduced(decoded, new SKSizeI(width, height), 3, factor);
    }

    private static IImageDecoder DecoderOf(ForeignFormat format) => format switch
    {
        ForeignFormat.Tiff => new TiffDecoder { DecodingMode = FrameDecodingMode.First },
        ForeignFormat.Tga => new TgaDecoder(),
        _ => new PbmDecoder(),
    };
}
