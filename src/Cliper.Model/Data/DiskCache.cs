using System.Buffers.Binary;
using System.Collections.Concurrent;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Microsoft.Win32.SafeHandles;

namespace Cliper.Model.Data;

/// <summary>
/// Decoded pictures in one file: magic and version, fingerprint of everything that the pixels depend on, index, pixels,
/// SHA-256 of all before it. Written under another name and renamed when whole; a file that is damaged or of other pictures is
/// made anew.
/// </summary>
/// <remarks>
/// Little-endian. Header: 8 bytes "CLIPPIX1", 32 bytes fingerprint, int64 number of pictures. Index, 24 bytes a picture: int64
/// offset, int32 width, height, channels, and a zero. A picture that could not be read has width 0.
/// </remarks>
internal sealed class DiskCache(DataSplit split, LoaderOptions options) : PixelCache(options.Codec)
{
    private const int HeaderBytes = 8 + FingerprintBytes + 8;
    private const int FingerprintBytes = 32;
    private const int EntryBytes = 24;

    private readonly Lock _lock = new();
    private SafeFileHandle? _file;
    private Entry[] _index = [];
    private long _rebuilt;

    private readonly record struct Entry(long Offset, int Width, int Height, int Channels)
    {
        public int Bytes => Width * Height * Channels;
    }

    /// <summary>How often the file was made.</summary>
    public long Rebuilt => _rebuilt;

    public override StoredImage Get(int index, Frame frame, PixelPipeline pipeline)
    {
        Entry entry = _index[index];
        if (entry.Width == 0)
            return Load(frame, pipeline);
        var pixels = GC.AllocateUninitializedArray<byte>(entry.Bytes);
        for (int done = 0; done < pixels.Length;)
        {
            int read = RandomAccess.Read(_file!, pixels.AsSpan(done), entry.Offset + done);
            if (read == 0)
                throw new InputException($"{FilePath}: the cache file became shorter while in use; run again");
            done += read;
        }
        return new StoredImage(entry.Width, entry.Height, entry.Channels, pixels);
    }

    public override void Prepare(Func<PixelPipeline> pipelines, Action<string, InputException> skip, IProgress<double>? progress,
        CancellationToken cancellation)
    {
        lock (_lock)
        {
            if (_file != null)
                return;
            try
            {
                byte[] fingerprint = Fingerprint();
                Directory.CreateDirectory(options.CacheFolder!);
                if (!TryOpen(fingerprint))
                {
                    Build(fingerprint, pipelines, skip, progress, cancellation);
                    if (!TryOpen(fingerprint))
                        throw new InputException(
                            $"{FilePath}: the cache file is damaged although it was just written; check the disk, or "
                            + "use another cache");
                }
            }
            catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
            {
                throw new InputException(
                    $"{FilePath}: the cache file cannot be written or read ({failure.Message}); give another folder, "
                    + "or use another cache", failure);
            }
        }
    }

    public override void Dispose() => _file?.Dispose();

    private string FilePath => Path.Combine(options.CacheFolder!, $"{split.Name}-{options.ImageSize}{(options.Augmentation.FromOriginal ? "-crops" : "")}.pixels");

    private IEnumerable<Frame> Frames => split.Samples.SelectMany(sample => sample.Frames);

    /// <summary>Hash of what the stored pixels depend on: the pictures, and how they are reduced.</summary>
    private byte[] Fingerprint()
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        hash.AppendData(Encoding.UTF8.GetBytes(string.Create(CultureInfo.InvariantCulture,
            $"{options.ImageSize}|{options.Augmentation.FromOriginal}|{options.Codec.GetType().FullName}\n")));
        foreach (Frame frame in Frames)
            hash.AppendData(Encoding.UTF8.GetBytes(frame.Identity + "\n"));
        return hash.GetHashAndReset();
    }

    private bool TryOpen(byte[] fingerprint)
    {
        if (!File.Exists(FilePath))
            return false;
        SafeFileHandle file = File.OpenHandle(FilePath, options: FileOptions.RandomAccess);
        if (ReadIndex(file, fingerprint) is { } index)
        {
            (_file, _index) = (file, index);
            return true;
        }
        file.Dispose();
        return false;
    }

    private Entry[]? ReadIndex(SafeFileHandle file, byte[] fingerprint)
    {
        long length = RandomAccess.GetLength(file);
        int count = Frames.Count();
        var head = new byte[HeaderBytes + (long)count * EntryBytes];
        if (length < head.Length + FingerprintBytes || RandomAccess.Read(file, head, 0) != head.Length
            || !head.AsSpan(0, 8).SequenceEqual("CLIPPIX1"u8) || !head.AsSpan(8, FingerprintBytes).SequenceEqual(fingerprint)
            || BinaryPrimitives.ReadInt64LittleEndian(head.AsSpan(8 + FingerprintBytes)) != count || !IsWhole(file, length))
            return null;
        // The checksum holds, so the entries are what Build wrote.
        var index = new Entry[count];
        for (int i = 0; i < count; i++)
        {
            ReadOnlySpan<byte> at = head.AsSpan(HeaderBytes + i * EntryBytes);
            index[i] = new Entry(BinaryPrimitives.ReadInt64LittleEndian(at), BinaryPrimitives.ReadInt32LittleEndian(at[8..]),
                BinaryPrimitives.ReadInt32LittleEndian(at[12..]), BinaryPrimitives.ReadInt32LittleEndian(at[16..]));
        }
        return index;
    }

    private static bool IsWhole(SafeFileHandle file, long length)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        var buffer = new byte[1 << 20];
        long end = length - FingerprintBytes;
        for (long at = 0; at < end;)
        {
            int read = RandomAccess.Read(file, buffer.AsSpan(0, (int)Math.Min(buffer.Length, end - at)), at);
            if (read == 0)
                return false;
            hash.AppendData(buffer, 0, read);
            at += read;
        }
        var stored = new byte[FingerprintBytes];
        return RandomAccess.Read(file, stored, end) == stored.Length && hash.GetHashAndReset().AsSpan().SequenceEqual(stored);
    }

    private void Build(byte[] fingerprint, Func<PixelPipeline> pipelines, Action<string, InputException> skip,
        IProgress<double>? progress, CancellationToken cancellation)
    {
        _rebuilt++;
        Frame[] frames = [.. Frames];
        var index = new Entry[frames.Length];
        string temporary = $"{FilePath}.{Environment.ProcessId}.tmp";
        try
        {
            using (SafeFileHandle file = File.OpenHandle(temporary, FileMode.Create, FileAccess.ReadWrite))
            {
                WritePixels(file, frames, index, pipelines, skip, progress, cancellation);
                RandomAccess.Write(file, Head(fingerprint, index), 0);
                WriteChecksum(file);
            }
            File.Move(temporary, FilePath, overwrite: true);
        }
        finally
        {
            File.Delete(temporary);
        }
    }

    /// <summary>Pictures in their order, decoded a few hundred at a time on the loader's threads.</summary>
    private void WritePixels(SafeFileHandle file, Frame[] frames, Entry[] index, Func<PixelPipeline> pipelines,
        Action<string, InputException> skip, IProgress<double>? progress, CancellationToken cancellation)
    {
        const int Chunk = 256;
        long offset = HeaderBytes + (long)frames.Length * EntryBytes;
        var images = new StoredImage?[Chunk];
        var idle = new ConcurrentBag<PixelPipeline>();
        var parallel = new ParallelOptions { MaxDegreeOfParallelism = Math.Max(1, options.Threads), CancellationToken = cancellation };
        for (int start = 0; start < frames.Length; start += Chunk)
        {
            int count = Math.Min(Chunk, frames.Length - start);
            RunParallel(count, parallel, i =>
            {
                PixelPipeline pipeline = idle.TryTake(out PixelPipeline? free) ? free : pipelines();
                try
                {
                    images[i] = Load(frames[start + i], pipeline);
                }
                catch (InputException failure)
                {
                    images[i] = null;
                    skip(frames[start + i].Name, failure);
                }
                idle.Add(pipeline);
            });
            for (int i = 0; i < count; i++)
            {
                if (images[i] is not { } image)
                    continue;
                index[start + i] = new Entry(offset, image.Width, image.Height, image.Channels);
                RandomAccess.Write(file, image.Pixels, offset);
                offset += image.Pixels.Length;
            }
            progress?.Report((start + count) / (double)frames.Length);
        }
    }

    /// <summary>Throws a unit's own exception rather than a collection of them.</summary>
    private static void RunParallel(int count, ParallelOptions parallel, Action<int> body)
    {
        try
        {
            Parallel.For(0, count, parallel, body);
        }
        catch (AggregateException failures)
        {
            System.Runtime.ExceptionServices.ExceptionDispatchInfo.Throw(failures.InnerExceptions[0]);
        }
    }

    private static byte[] Head(byte[] fingerprint, Entry[] index)
    {
        var head = new byte[HeaderBytes + (long)index.Length * EntryBytes];
        "CLIPPIX1"u8.CopyTo(head);
        fingerprint.CopyTo(head, 8);
        BinaryPrimitives.WriteInt64LittleEndian(head.AsSpan(8 + FingerprintBytes), index.Length);
        for (int i = 0; i < index.Length; i++)
        {
            Span<byte> at = head.AsSpan(HeaderBytes + i * EntryBytes);
            BinaryPrimitives.WriteInt64LittleEndian(at, index[i].Offset);
            BinaryPrimitives.WriteInt32LittleEndian(at[8..], index[i].Width);
            BinaryPrimitives.WriteInt32LittleEndian(at[12..], index[i].Height);
            BinaryPrimitives.WriteInt32LittleEndian(at[16..], index[i].Channels);
        }
        return head;
    }

    private static void WriteChecksum(SafeFileHandle file)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        var buffer = new byte[1 << 20];
        long length = RandomAccess.GetLength(file), at = 0;
        for (int read; (read = RandomAccess.Read(file, buffer, at)) > 0; at += read)
            hash.AppendData(buffer, 0, read);
        RandomAccess.Write(file, hash.GetHashAndReset(), length);
    }
}
