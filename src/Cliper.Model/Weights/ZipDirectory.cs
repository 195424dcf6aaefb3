using System.Buffers.Binary;
using System.Text;
using Cliper.Model.IO;

namespace Cliper.Model.Weights;

/// <summary>A file in a zip archive.</summary>
/// <param name="Name">Its name with folders.</param>
/// <param name="Start">Where its bytes begin in the archive.</param>
/// <param name="Length">Its bytes as they are stored.</param>
/// <param name="Crc">Checksum of its bytes.</param>
/// <param name="Stored">Whether it is stored as it is, neither compressed nor encrypted.</param>
internal sealed record ZipEntry(string Name, long Start, long Length, uint Crc, bool Stored);

/// <summary>
/// The list of files in a zip archive and where the bytes of each lie, so that they can be read: ZipArchive of the
/// standard library does not tell. Read strictly: what the list at the end says has to agree with what stands before
/// each file, no two files overlap (as in a zip bomb), and no name occurs twice. Nothing is ever unpacked.
/// </summary>
internal static class ZipDirectory
{
    private const uint EndSignature = 0x06054b50, End64Signature = 0x06064b50, End64LocatorSignature = 0x07064b50,
        EntrySignature = 0x02014b50, LocalSignature = 0x04034b50;
    private const int EndBytes = 22, End64Bytes = 56, End64LocatorBytes = 20, EntryBytes = 46, LocalBytes = 30;
    private const int LongestComment = ushort.MaxValue;
    private const int LongestDirectory = 64 << 20, MostEntries = 200_000;
    private const ushort Extra64 = 1, Encrypted = 1, StoredMethod = 0;

    /// <summary>Lists the files of an archive by name.</summary>
    /// <exception cref="InputException">The archive is damaged.</exception>
    public static Dictionary<string, ZipEntry> Read(ReadOnlyFile file)
    {
        (long count, long start, long length) = FindDirectory(file);
        if (count > MostEntries || length > LongestDirectory)
            throw Damaged(file, $"{count:N0} files and a list of {length:N0} bytes, expected at most {MostEntries:N0} "
                + "and "
                + $"{LongestDirectory:N0}");
        byte[] directory = file.Read(start, (int)length);
        var entries = new Dictionary<string, ZipEntry>(StringComparer.Ordinal);
        var extents = new List<(long Start, long End, string Name)>();
        int at = 0;
        for (long i = 0; i < count; i++)
        {
            (ZipEntry entry, long header) = ReadEntry(file, directory, ref at, start);
            if (!entries.TryAdd(entry.Name, entry))
                throw Damaged(file, $"{ForeignText.Quote(entry.Name)} occurs twice");
            extents.Add((header, entry.Start + entry.Length, entry.Name));
        }
        if (at != directory.Length)
            throw Damaged(file, "the list of files is longer than its files");
        extents.Sort();
        for (int i = 1; i < extents.Count; i++)
            if (extents[i].Start < extents[i - 1].End)
                throw Damaged(file, $"{ForeignText.Quote(extents[i].Name)} overlaps "
                    + $"{ForeignText.Quote(extents[i - 1].Name)}");
        return entries;
    }

    private static (long Count, long Start, long Length) FindDirectory(ReadOnlyFile file)
    {
        long tailStart = Math.Max(0, file.Length - EndBytes - LongestComment - End64LocatorBytes);
        byte[] bytes = file.Read(tailStart, (int)(file.Length - tailStart));
        ReadOnlySpan<byte> tail = bytes;
        int end = tail.Length - EndBytes;
        while (end >= 0 && !(U32(tail, end) == EndSignature && end + EndBytes + U16(tail, end + 20) == tail.Length))
            end--;
        if (end < 0)
            throw Damaged(file, "no list of files at the end (a file that was cut short?)");
        long count = U16(tail, end + 10), length = U32(tail, end + 12), start = U32(tail, end + 16);
        long limit = tailStart + end;
        int locator = end - End64LocatorBytes;
        if (locator >= 0 && U32(tail, locator) == End64LocatorSignature)
        {
            long at = I64(tail, locator + 8);
            if (at < 0 || at > tailStart + locator - End64Bytes)
                throw Damaged(file, $"the list's description is said to be at byte {at}");
            ReadOnlySpan<byte> end64 = file.Read(at, End64Bytes);
            if (U32(end64, 0) != End64Signature)
                throw Damaged(file, "the list's description has another signature");
            (count, length, start, limit) = (I64(end64, 32), I64(end64, 40), I64(end64, 48), at);
        }
        if (count < 0 || length < 0 || start < 0 || start > limit || length != limit - start)
            throw Damaged(file, $"the list of files is said to be {length} bytes from {start} on, before byte {limit}");
        return (count, start, length);
    }

    private static (ZipEntry Entry, long Header) ReadEntry(ReadOnlyFile file, ReadOnlySpan<byte> directory, ref int at,
        long limit)
    {
        if (directory.Length - at < EntryBytes || U32(directory, at) != EntrySignature)
            throw Damaged(file, "the list of files ends too early");
        ReadOnlySpan<byte> entry = directory[at..];
        int nameLength = U16(entry, 28), extraLength = U16(entry, 30), commentLength = U16(entry, 32);
        if (entry.Length < EntryBytes + nameLength + extraLength + commentLength)
            throw Damaged(file, "the list of files ends too early");
        at += EntryBytes + nameLength + extraLength + commentLength;
        ReadOnlySpan<byte> nameBytes = entry.Slice(EntryBytes, nameLength);
        string name = Encoding.UTF8.GetString(nameBytes);
        long packed = U32(entry, 20), unpacked = U32(entry, 24), header = U32(entry, 42);
        ReadExtra64(entry.Slice(EntryBytes + nameLength, extraLength), ref unpacked, ref packed, ref header);
        if (header < 0 || header > limit - LocalBytes || packed < 0)
            throw Damaged(file, $"{ForeignText.Quote(name)} is said to be at byte {header}");

        ReadOnlySpan<byte> local = file.Read(header, (int)Math.Min(LocalBytes + nameLength, limit - header));
        if (U32(local, 0) != LocalSignature || U16(local, 26) != nameLength
            || !local[LocalBytes..].SequenceEqual(nameBytes))
            throw Damaged(file, $"{ForeignText.Quote(name)} is not where the list of files says");
        long start = header + LocalBytes + nameLength + U16(local, 28);
        if (start > limit || packed > limit - start)
            throw Damaged(file, $"{ForeignText.Quote(name)} of {packed} bytes does not fit the file");
        bool stored = U16(entry, 10) == StoredMethod && (U16(entry, 8) & Encrypted) == 0;
        if (stored && packed != unpacked)
            throw Damaged(file, $"{ForeignText.Quote(name)} is stored as it is, but has {packed} bytes and {unpacked}");
        return (new ZipEntry(name, start, packed, U32(entry, 16), stored), header);
    }

    /// <summary>Takes from the extra field what did not fit 32 bits, in the order that the format prescribes.</summary>
    private static void ReadExtra64(ReadOnlySpan<byte> extra, ref long unpacked, ref long packed, ref long header)
    {
        while (extra.Length >= 4)
        {
            int length = Math.Min(U16(extra, 2), extra.Length - 4);
            if (U16(extra, 0) == Extra64)
            {
                ReadOnlySpan<byte> values = extra.Slice(4, length);
                Take(ref unpacked, ref values);
                Take(ref packed, ref values);
                Take(ref header, ref values);
                return;
            }
            extra = extra[(4 + length)..];
        }

        static void Take(ref long value, ref ReadOnlySpan<byte> values)
        {
            if (value != uint.MaxValue || values.Length < sizeof(long))
                return;
            value = I64(values, 0);
            values = values[sizeof(long)..];
        }
    }

    private static ushort U16(ReadOnlySpan<byte> bytes, int at) => BinaryPrimitives.ReadUInt16LittleEndian(bytes[at..]);

    private static uint U32(ReadOnlySpan<byte> bytes, int at) => BinaryPrimitives.ReadUInt32LittleEndian(bytes[at..]);

    private static long I64(ReadOnlySpan<byte> bytes, int at) => BinaryPrimitives.ReadInt64LittleEndian(bytes[at..]);

    private static InputException Damaged(ReadOnlyFile file, string fault) =>
        new($"{file.Path}: not a sound zip archive: {fault}; get or write the file anew");
}
