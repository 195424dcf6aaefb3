using System.Buffers.Binary;

namespace Cliper.Model.Images;

/// <summary>Checks that a TGA file holds all that its header promises.</summary>
internal static class TgaStructure
{
    private const int HeaderBytes = 18;
    private const byte RunLength = 8;

    // An RLE packet's count, and the flag of a packet that repeats one pixel.
    private const int CountMask = 0x7F, RepeatFlag = 0x80;

    /// <summary>Whether the file ends with the footer of TGA 2.0.</summary>
    public static bool HasFooter(ReadOnlySpan<byte> encoded) => encoded.EndsWith("TRUEVISION-XFILE.\0"u8);

    /// <summary>Whether the first bytes can be a TGA file's header.</summary>
    public static bool IsPlausible(ReadOnlySpan<byte> encoded)
    {
        if (encoded.Length < HeaderBytes)
            return false;
        byte hasMap = encoded[1], kind = (byte)(encoded[2] & ~RunLength), mapBits = encoded[7], bits = encoded[16];
        bool isMapped = kind == 1;
        return encoded[2] < 12 && hasMap <= 1 && (!isMapped || hasMap == 1)
            && (hasMap == 0 || mapBits is 15 or 16 or 24 or 32)
            && (isMapped && bits is 8 || kind == 2 && bits is 15 or 16 or 24 or 32 || kind == 3 && bits is 8 or 16)
            && WidthOf(encoded) > 0 && HeightOf(encoded) > 0;
    }

    /// <summary>Throws unless the header is plausible and every pixel that it promises is in the file.</summary>
    /// <param name="encoded">The file's bytes.</param>
    /// <param name="name">Name of the image for error messages.</param>
    /// <exception cref="InputException">The header is damaged, or the file ends before its last pixel.</exception>
    public static void Check(ReadOnlySpan<byte> encoded, string name)
    {
        if (!IsPlausible(encoded))
            throw new InputException($"{name}: the TGA picture's header is damaged; replace or remove it");
        int pixelBytes = (encoded[16] + 7) / 8;
        int mapBytes = encoded[1] == 0 ? 0 : BinaryPrimitives.ReadUInt16LittleEndian(encoded[5..])
            * ((encoded[7] + 7) / 8);
        int start = HeaderBytes + encoded[0] + mapBytes;
        long pixels = (long)WidthOf(encoded) * HeightOf(encoded);
        bool isWhole = start <= encoded.Length && ((encoded[2] & RunLength) == 0
            ? encoded.Length - start >= pixels * pixelBytes
            : HoldsPackets(encoded[start..], pixels, pixelBytes));
        if (!isWhole)
            throw new InputException($"{name}: the picture is truncated; replace or remove it");
    }

    private static bool HoldsPackets(ReadOnlySpan<byte> packets, long pixels, int pixelBytes)
    {
        int at = 0;
        while (pixels > 0 && at < packets.Length)
        {
            int count = (packets[at] & CountMask) + 1;
            at += 1 + ((packets[at] & RepeatFlag) != 0 ? 1 : count) * pixelBytes;
            pixels -= count;
        }
        return pixels <= 0 && at <= packets.Length;
    }

    private static int WidthOf(ReadOnlySpan<byte> encoded) => BinaryPrimitives.ReadUInt16LittleEndian(encoded[12..]);

    private static int HeightOf(ReadOnlySpan<byte> encoded) => BinaryPrimitives.ReadUInt16LittleEndian(encoded[14..]);
}
