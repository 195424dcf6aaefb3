using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;
using Cliper.Model.Samples;
using Microsoft.Win32.SafeHandles;

namespace Cliper.Model.Loading;

/// <summary>Position and size of an image in a pixel file; an image that could not be read has width 0.</summary>
internal readonly record struct PixelFileEntry(long Offset, int Width, int Height, int Channels)
{
    /// <summary>Size of the pixels in bytes.</summary>
    public int Bytes => Width * Height * Channels;

    /// <summary>Whether the pixels lie between these bytes of the file. An image without pixels does.</summary>
    public bool LiesWithin(long start, long end) => Width == 0 || Width > 0 && Height > 0 && Channels is 1 or 3
        && Offset >= start && Offset <= end && (long)Width * Height <= (end - Offset) / Channels
        && (long)Width * Height * Channels <= int.MaxValue;
}

/// <summary>Reads and writes the header, the index and the checksum of a file of pixels.</summary>
/// <remarks>
/// All numbers are little-endian. Header: 8 bytes "CLIPPIX2", 32 bytes fingerprint, int64 number of images. Index, 40
/// bytes an image: 16 bytes hash of the frame's identity, int64 offset, int32 width, height, channels, and a zero. The
/// pixels follow, then the SHA-256 of all bytes before it.
/// </remarks>
internal static class PixelFile
{
    private const int HeaderBytes = 8 + FingerprintBytes + 8;
    private const int FingerprintBytes = 32;
    private const int EntryBytes = KeyBytes + 24;
    private const int KeyBytes = 16;

    private static ReadOnlySpan<byte> Magic => "CLIPPIX2"u8;

    /// <summary>Key of a frame in the index.</summary>
    public static UInt128 KeyOf(Frame frame) =>
        BinaryPrimitives.ReadUInt128LittleEndian(SHA256.HashData(Encoding.UTF8.GetBytes(frame.Identity)));

    /// <summary>Offset of the first image's pixels.</summary>
    public static long PixelsOffset(int images) => HeaderBytes + (long)images * EntryBytes;

    /// <summary>Reads the index of a whole file with this fingerprint; null for any other file.</summary>
    public static Dictionary<UInt128, PixelFileEntry>? ReadIndex(SafeFileHandle file, byte[] fingerprint,
        CancellationToken cancellation)
    {
        long length = RandomAccess.GetLength(file);
        var start = new byte[HeaderBytes];
        if (length < HeaderBytes + FingerprintBytes || RandomAccess.Read(file, start, 0) != HeaderBytes
            || !start.AsSpan(0, 8).SequenceEqual(Magic)
                || !start.AsSpan(8, FingerprintBytes).SequenceEqual(fingerprint))
            return null;
        long count = BinaryPrimitives.ReadInt64LittleEndian(start.AsSpan(8 + FingerprintBytes));
        // A count that does not fit the file is damage; no memory is allocated for it.
        if (count < 0 || count > (length - HeaderBytes - FingerprintBytes) / EntryBytes
            || count > int.MaxValue / EntryBytes || !IsWhole(file, length, cancellation))
            return null;
        var entries = new byte[count * EntryBytes];
        RandomAccess.Read(file, entries, HeaderBytes);
        var index = new Dictionary<UInt128, PixelFileEntry>((int)count);
        for (int i = 0; i < count; i++)
        {
            ReadOnlySpan<byte> at = entries.AsSpan(i * EntryBytes);
            var entry = new PixelFileEntry(
                BinaryPrimitives.ReadInt64LittleEndian(at[KeyBytes..]),
                BinaryPrimitives.ReadInt32LittleEndian(at[(KeyBytes + 8)..]),
                BinaryPrimitives.ReadInt32LittleEndian(at[(KeyBytes + 12)..]),
                BinaryPrimitives.ReadInt32LittleEndian(at[(KeyBytes + 16)..]));
            // The checksum does not protect against a file that was made to mislead: no read may leave the file.
            if (!entry.LiesWithin(HeaderBytes + entries.Length, length - FingerprintBytes))
                return null;
            index[BinaryPrimitives.ReadUInt128LittleEndian(at)] = entry;
        }
        return index;
    }

    /// <summary>Writes the header and the index, after the pixels.</summary>
    public static void WriteIndex(SafeFileHandle file, byte[] fingerprint, Frame[] frames, PixelFileEntry[] index,
        CancellationToken cancellation)
    {
        var head = new byte[PixelsOffset(index.Length)];
        Magic.CopyTo(head);
        fingerprint.CopyTo(head, 8);
        BinaryPrimitives.WriteInt64LittleEndian(head.AsSpan(8 + FingerprintBytes), index.Length);
        for (int i = 0; i < index.Length; i++)
        {
            cancellation.ThrowIfCancellationRequested();
            Span<byte> at = head.AsSpan(HeaderBytes + i * EntryBytes);
            BinaryPrimitives.WriteUInt128LittleEndian(at, KeyOf(frames[i]));
            BinaryPrimitives.WriteInt64LittleEndian(at[KeyBytes..], index[i].Offset);
            BinaryPrimitives.WriteInt32LittleEndian(at[(KeyBytes + 8)..], index[i].Width);
            BinaryPrimitives.WriteInt32LittleEndian(at[(KeyBytes + 12)..], index[i].Height);
            BinaryPrimitives.WriteInt32LittleEndian(at[(KeyBytes + 16)..], index[i].Channels);
        }
        RandomAccess.Write(file, head, 0);
    }

    /// <summary>Appends the checksum of all that the file holds.</summary>
    public static void WriteChecksum(SafeFileHandle file, CancellationToken cancellation)
    {
        long length = RandomAccess.GetLength(file);
        RandomAccess.Write(file, HashOf(file, length, cancellation), length);
    }

    private static bool IsWhole(SafeFileHandle file, long length, CancellationToken cancellation)
    {
        long end = length - FingerprintBytes;
        var stored = new byte[FingerprintBytes];
        return HashOf(file, end, cancellation) is var hash && RandomAccess.Read(file, stored, end) == stored.Length
            && hash.AsSpan().SequenceEqual(stored);
    }

    // SHA-256 of the bytes before `end`, or of all that are there in a file that has become shorter.
    private static byte[] HashOf(SafeFileHandle file, long end, CancellationToken cancellation)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        var buffer = new byte[1 << 20];
        for (long at = 0; at < end;)
        {
            cancellation.ThrowIfCancellationRequested();
            int read = RandomAccess.Read(file, buffer.AsSpan(0, (int)Math.Min(buffer.Length, end - at)), at);
            if (read == 0)
                break;
            hash.AppendData(buffer, 0, read);
            at += read;
        }
        return hash.GetHashAndReset();
    }
}
