using System.Buffers.Binary;
using System.Text;

namespace Cliper.Model.Images;

/// <summary>
/// Tells a file's format by its first bytes, whatever its name says. A format without a signature, such as WBMP, is
/// never recognized: noise would pass for it.
/// </summary>
public static class ImageSignature
{
    /// <summary>Formats that are read, for an error message.</summary>
    public const string Read = "JPEG, PNG, WebP, BMP, GIF, TIFF, TGA, PBM, PGM, PPM";

    /// <summary>Bytes of a file's beginning that suffice.</summary>
    internal const int HeadBytes = 400;

    private const int BmpHeaderSizeAt = 14, DicomAt = 128, TransportPacket = 188, TimedPacket = 192;
    private const byte TransportSync = 0x47;

    // Sizes that a BMP's second header has had, from OS/2 1 to Windows 98.
    private static readonly int[] BmpHeaderSizes = [12, 16, 40, 52, 56, 64, 108, 124];

    /// <summary>Whether SkiaSharp is given the file: JPEG, PNG, WebP, BMP or GIF.</summary>
    internal static bool IsForSkia(ReadOnlySpan<byte> head) =>
        head.StartsWith((ReadOnlySpan<byte>)[0xFF, 0xD8, 0xFF])
        || head.StartsWith((ReadOnlySpan<byte>)[0x89, (byte)'P', (byte)'N', (byte)'G', 13, 10, 26, 10])
        || head.StartsWith("GIF87a"u8) || head.StartsWith("GIF89a"u8) || IsRiff(head, "WEBP"u8) || IsBmp(head);

    /// <summary>Whether the first bytes are those of an image that is read. TGA has no such bytes.</summary>
    public static bool IsPicture(ReadOnlySpan<byte> head) =>
        IsForSkia(head) || TiffStructure.IsTiff(head) || NetpbmStructure.IsNetpbm(head);

    /// <summary>Whether the first bytes are those of a container of videos.</summary>
    public static bool IsVideo(ReadOnlySpan<byte> head) =>
        IsFtyp(head) && !IsStillFtyp(head) && !head[8..].StartsWith("M4A"u8)
        || head.StartsWith((ReadOnlySpan<byte>)[0x1A, 0x45, 0xDF, 0xA3]) || IsRiff(head, "AVI "u8)
        || head.StartsWith((ReadOnlySpan<byte>)[0, 0, 1, 0xBA]) || head.StartsWith((ReadOnlySpan<byte>)[0, 0, 1, 0xB3])
        || head.StartsWith("FLV"u8) || head.StartsWith((ReadOnlySpan<byte>)[0x30, 0x26, 0xB2, 0x75, 0x8E, 0x66])
        || head.Length > TransportPacket && head[0] == TransportSync && head[TransportPacket] == TransportSync
        || IsCamcorders(head);

    /// <summary>Whether the first bytes are those of a camcorder's tape or card: AVCHD's packets with their times, DV,
    /// MXF; or of an open format: Ogg, IVF, YUV4MPEG.</summary>
    private static bool IsCamcorders(ReadOnlySpan<byte> head) =>
        head.Length > TimedPacket + 4 && head[4] == TransportSync && head[TimedPacket + 4] == TransportSync
        || head.StartsWith((ReadOnlySpan<byte>)[0x1F, 0x07, 0x00])
        || head.StartsWith((ReadOnlySpan<byte>)[0x06, 0x0E, 0x2B, 0x34]) || head.StartsWith("OggS"u8)
        || head.StartsWith("DKIF"u8) || head.StartsWith("YUV4MPEG2 "u8);

    /// <summary>The first bytes of a file, at most <see cref="HeadBytes"/> of them.</summary>
    /// <exception cref="IOException">The file cannot be read.</exception>
    /// <exception cref="UnauthorizedAccessException">The file may not be read.</exception>
    internal static byte[] HeadOf(string path)
    {
        // Another program may have the file open for writing.
        using var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite, bufferSize: 0);
        var head = new byte[HeadBytes];
        return head[..file.ReadAtLeast(head, HeadBytes, throwOnEndOfStream: false)];
    }

    /// <summary>Says why a file is not read, for a message: "a HEIC image, which is not read".</summary>
    internal static string Describe(ReadOnlySpan<byte> head)
    {
        if (head.IsEmpty)
            return "not an image: the file is empty";
        if (ForeignImage(head) is { } image)
            return $"{image} image, which is not read; convert it to PNG or JPEG";
        if (IsVideo(head))
            return "not an image: a video";
        if (Playlists.Describe(head) is { } playlist)
            return $"not an image: {playlist}";
        return Other(head) is { } other ? $"not an image: {other}" : "not an image";
    }

    private static string? ForeignImage(ReadOnlySpan<byte> head)
    {
        if (head.StartsWith((ReadOnlySpan<byte>)[0, 0, 1, 0]) && head.Length > 5 && head[5] == 0 && head[4] > 0)
            return "an icon (ICO)";
        if (head.StartsWith((ReadOnlySpan<byte>)[0, 0, 2, 0]) && head.Length > 5 && head[5] == 0 && head[4] > 0)
            return "a cursor (CUR)";
        if (IsStillFtyp(head))
            return head[8..].StartsWith("avi"u8) ? "an AVIF" : "a HEIC";
        if (head.StartsWith((ReadOnlySpan<byte>)[0xFF, 0x0A]) || IsBox(head, "JXL "u8))
            return "a JPEG XL";
        if (head.StartsWith((ReadOnlySpan<byte>)[0xFF, 0x4F, 0xFF, 0x51]) || IsBox(head, "jP  "u8))
            return "a JPEG 2000";
        if (head.StartsWith("8BPS"u8))
            return "a Photoshop (PSD)";
        if (head.StartsWith((ReadOnlySpan<byte>)[0x76, 0x2F, 0x31, 0x01]))
            return "an OpenEXR";
        if (head.StartsWith("II+\0"u8) || head.StartsWith("MM\0+"u8))
            return "a BigTIFF";
        if (head.StartsWith("DDS "u8))
            return "a DDS";
        if (head.StartsWith("#?RADIANCE"u8) || head.StartsWith("#?RGBE"u8))
            return "a Radiance (HDR)";
        if (head.Length > DicomAt && head[DicomAt..].StartsWith("DICM"u8))
            return "a DICOM";
        return head.StartsWith("P7"u8) || head.StartsWith("Pf"u8) || head.StartsWith("PF"u8) ? "a PAM or PFM"
            : head.IndexOf("<svg"u8) >= 0 ? "an SVG" : null;
    }

    private static string? Other(ReadOnlySpan<byte> head)
    {
        if (head.StartsWith("version https://git-lfs"u8))
            return "a pointer of Git LFS; get the file itself";
        if (head.StartsWith("%PDF"u8))
            return "a PDF";
        if (head.StartsWith("PK\u0003\u0004"u8))
            return "a ZIP archive";
        if (head.StartsWith((ReadOnlySpan<byte>)[0x1F, 0x8B]))
            return "a gzip archive";
        if (head.StartsWith((ReadOnlySpan<byte>)[0, 5, 0x16, 7]))
            return "macOS's attributes of a file (AppleDouble)";
        string text = Encoding.Latin1.GetString(head).TrimStart('\u00EF', '\u00BB', '\u00BF').TrimStart();
        if (text.StartsWith("<!doctype html", StringComparison.OrdinalIgnoreCase)
            || text.StartsWith("<html", StringComparison.OrdinalIgnoreCase))
            return "a web page";
        return head.IndexOfAnyInRange((byte)0, (byte)8) < 0 && head.IndexOfAnyInRange((byte)14, (byte)31) < 0 ? "text"
            : null;
    }

    private static bool IsBmp(ReadOnlySpan<byte> head) =>
        head.StartsWith("BM"u8) && head.Length >= BmpHeaderSizeAt + 4
        && BmpHeaderSizes.Contains(BinaryPrimitives.ReadInt32LittleEndian(head[BmpHeaderSizeAt..]));

    private static bool IsRiff(ReadOnlySpan<byte> head, ReadOnlySpan<byte> kind) =>
        head.Length >= 12 && head.StartsWith("RIFF"u8) && head[8..].StartsWith(kind);

    private static bool IsFtyp(ReadOnlySpan<byte> head) =>
        head.Length >= 12 && (head[4..].StartsWith("ftyp"u8) || head[4..].StartsWith("moov"u8)
        || head[4..].StartsWith("mdat"u8) && head[0] == 0);

    private static bool IsStillFtyp(ReadOnlySpan<byte> head)
    {
        if (head.Length < 12 || !head[4..].StartsWith("ftyp"u8))
            return false;
        ReadOnlySpan<byte> brand = head[8..12];
        return brand.StartsWith("avi"u8) || brand.StartsWith("hei"u8) || brand.StartsWith("hev"u8)
            || brand.SequenceEqual("mif1"u8) || brand.SequenceEqual("msf1"u8);
    }

    /// <summary>A first box of 12 bytes, which the JPEG committee's newer formats begin with.</summary>
    private static bool IsBox(ReadOnlySpan<byte> head, ReadOnlySpan<byte> kind) =>
        head.StartsWith((ReadOnlySpan<byte>)[0, 0, 0, 12]) && head[4..].StartsWith(kind);
}
