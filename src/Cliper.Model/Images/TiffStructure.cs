using System.Buffers.Binary;

namespace Cliper.Model.Images;

/// <summary>
/// The first directory of a TIFF file. Only what describes the image is handed on to the decoder: no second image, no
/// metadata, no entry twice, no pointer out of the file.
/// </summary>
internal static class TiffStructure
{
    private const int HeaderBytes = 8, EntryBytes = 12;
    private const ushort StripOffsets = 273, Orientation = 274, StripByteCounts = 279, TileOffsets = 324;

    // Size and kind of the image, its strips, and what their compression needs: tags of TIFF 6.0, and of its supplement
    // 2.
    private static readonly HashSet<ushort> Wanted =
    [
        256, 257, 258, 259, 262, 266, StripOffsets, Orientation, 277, 278, StripByteCounts, 282, 283, 284,
        292, 293, 296,
        317, 320, 338, 339, 340, 341, 347, 529, 530, 531, 532,
    ];

    /// <summary>Whether the file begins as a TIFF file (not BigTIFF) does.</summary>
    public static bool IsTiff(ReadOnlySpan<byte> encoded) => encoded.StartsWith("II*\0"u8)
        || encoded.StartsWith("MM\0*"u8);

    /// <summary>
    /// A copy of the file whose only directory is the first, with the entries that describe the image.
    /// </summary>
    /// <param name="encoded">The file's bytes.</param>
    /// <param name="name">Name of the image for error messages.</param>
    /// <returns>The copy, and the image's orientation as EXIF counts it, 1 for upright.</returns>
    /// <exception cref="InputException">The directory or a strip lies outside of the file, or the image is
    /// tiled.</exception>
    public static (byte[] Bytes, int Orientation) FirstImage(ReadOnlySpan<byte> encoded, string name)
    {
        byte[] bytes = encoded.ToArray();
        var file = new Order(bytes, bytes[0] == 'I');
        long directory = bytes.Length < HeaderBytes ? bytes.Length : file.Long(4);
        int count = directory + 2 <= bytes.Length ? file.Short((int)directory) : 0;
        // The end of a directory is the place of the next, four bytes.
        if (count == 0 || directory + 2 + EntryBytes * (long)count + 4 > bytes.Length)
            throw new InputException($"{name}: the TIFF picture is truncated or damaged: its directory lies outside of "
                + $"the {bytes.Length} bytes of the file; replace or remove it");
        int first = (int)directory + 2, kept = first;
        var entries = new Dictionary<ushort, int>();
        for (int at = first; at < first + EntryBytes * count; at += EntryBytes)
        {
            ushort tag = file.Short(at);
            if (tag == TileOffsets)
                throw new InputException(
                    $"{name}: the TIFF picture is made of tiles, which are not read; convert it to PNG");
            if (!Wanted.Contains(tag) || !entries.TryAdd(tag, kept))
                continue;
            if (SizeOf(file, at) is var size && size > 4 && file.Long(at + 8) + size > bytes.Length)
                throw Truncated(name);
            bytes.AsSpan(at, EntryBytes).CopyTo(bytes.AsSpan(kept));
            kept += EntryBytes;
        }
        CheckStrips(file, entries, name);
        int orientation = entries.TryGetValue(Orientation, out int place) && Values(file, place) is [var value, ..]
            ? (int)value : 1;
        file.SetShort((int)directory, (ushort)entries.Count);
        file.SetLong(kept, 0);
        return (bytes, orientation);
    }

    /// <summary>The orientation that the first directory states, 1 to 8; null where it states none, or is
    /// damaged.</summary>
    /// <param name="tiff">Bytes of a TIFF file, or of EXIF data, which are laid out as one.</param>
    public static int? OrientationOf(ReadOnlySpan<byte> tiff)
    {
        if (!IsTiff(tiff) || tiff.Length < HeaderBytes)
            return null;
        var file = new Order(tiff.ToArray(), tiff[0] == 'I');
        long directory = file.Long(4);
        int count = directory + 2 <= tiff.Length ? file.Short((int)directory) : 0;
        for (long at = directory + 2; count > 0 && at + EntryBytes <= tiff.Length; at += EntryBytes, count--)
            if (file.Short((int)at) == Orientation)
                return file.Short((int)at + 8) is >= 1 and <= 8 and var value ? value : null;
        return null;
    }

    private static void CheckStrips(Order file, Dictionary<ushort, int> entries, string name)
    {
        if (!entries.TryGetValue(StripOffsets, out int offsets)
            || !entries.TryGetValue(StripByteCounts, out int counts))
            throw new InputException($"{name}: the TIFF picture has no strips of pixels; replace or remove it");
        uint[] starts = Values(file, offsets), sizes = Values(file, counts);
        if (starts.Length != sizes.Length || starts.Length == 0)
            throw new InputException(
                $"{name}: the TIFF picture is damaged: it has places of {starts.Length} strips and "
                + $"sizes of {sizes.Length}; replace or remove it");
        for (int i = 0; i < starts.Length; i++)
            if ((long)starts[i] + sizes[i] > file.Length)
                throw Truncated(name);
    }

    private static InputException Truncated(string name) =>
        new($"{name}: the picture is truncated; replace or remove it");

    /// <summary>Bytes of an entry's values.</summary>
    private static long SizeOf(Order file, int entry) => file.Long(entry + 4) * (long)(file.Short(entry + 2) switch
    {
        1 or 2 or 6 or 7 => 1,
        3 or 8 => 2,
        5 or 10 or 12 => 8,
        _ => 4,
    });

    /// <summary>An entry's whole numbers, which are known to lie in the file.</summary>
    private static uint[] Values(Order file, int entry)
    {
        bool isShort = file.Short(entry + 2) == 3;
        long size = SizeOf(file, entry);
        int at = size > 4 ? (int)file.Long(entry + 8) : entry + 8, each = isShort ? 2 : 4;
        var values = new uint[size / each];
        for (int i = 0; i < values.Length; i++)
            values[i] = isShort ? file.Short(at + each * i) : file.Long(at + each * i);
        return values;
    }

    /// <summary>Numbers in the file's order of bytes.</summary>
    private readonly struct Order(byte[] bytes, bool isLittle)
    {
        public int Length => bytes.Length;

        public ushort Short(int at) => isLittle
            ? BinaryPrimitives.ReadUInt16LittleEndian(bytes.AsSpan(at))
            : BinaryPrimitives.ReadUInt16BigEndian(bytes.AsSpan(at));

        public uint Long(int at) => isLittle
            ? BinaryPrimitives.ReadUInt32LittleEndian(bytes.AsSpan(at))
            : BinaryPrimitives.ReadUInt32BigEndian(bytes.AsSpan(at));

        public void SetShort(int at, ushort value)
        {
            if (isLittle)
                BinaryPrimitives.WriteUInt16LittleEndian(bytes.AsSpan(at), value);
            else
                BinaryPrimitives.WriteUInt16BigEndian(bytes.AsSpan(at), value);
        }

        public void SetLong(int at, uint value)
        {
            if (isLittle)
                BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(at), value);
            else
                BinaryPrimitives.WriteUInt32BigEndian(bytes.AsSpan(at), value);
        }
    }
}
