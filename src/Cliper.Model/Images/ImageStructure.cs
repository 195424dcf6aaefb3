using System.Buffers.Binary;

namespace Cliper.Model.Images;

/// <summary>Facts of a file of an image that SkiaSharp does not tell.</summary>
internal static class ImageStructure
{
    private const int PngSignature = 8, ChunkAround = 12;
    private const byte Marker = 0xFF, StartOfScan = 0xDA;

    /// <summary>
    /// Orientation that a PNG file's eXIf chunk states, 1 to 8 as EXIF counts; null for other files and without one.
    /// </summary>
    public static int? PngOrientation(ReadOnlySpan<byte> encoded)
    {
        if (!encoded.StartsWith((ReadOnlySpan<byte>)[0x89, (byte)'P', (byte)'N', (byte)'G']))
            return null;
        for (int at = PngSignature; at <= encoded.Length - ChunkAround;)
        {
            uint length = BinaryPrimitives.ReadUInt32BigEndian(encoded[at..]);
            if (length > encoded.Length - at - ChunkAround)
                return null;
            if (encoded[(at + 4)..].StartsWith("eXIf"u8))
                return TiffStructure.OrientationOf(encoded.Slice(at + 8, (int)length));
            at += ChunkAround + (int)length;
        }
        return null;
    }

    /// <summary>Whether the file is a JPEG whose decoder keeps the coefficients of all pixels.</summary>
    public static bool IsProgressiveJpeg(ReadOnlySpan<byte> encoded)
    {
        if (!encoded.StartsWith((ReadOnlySpan<byte>)[Marker, 0xD8]))
            return false;
        for (int at = 2; at + 4 <= encoded.Length && encoded[at] == Marker;)
        {
            byte kind = encoded[at + 1];
            // Progressive frames, Huffman and arithmetic.
            if (kind is 0xC2 or 0xCA)
                return true;
            if (kind == StartOfScan)
                return false;
            at += kind == Marker ? 1 : 2 + BinaryPrimitives.ReadUInt16BigEndian(encoded[(at + 2)..]);
        }
        return false;
    }
}
