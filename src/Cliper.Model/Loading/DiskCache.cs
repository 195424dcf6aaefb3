using System.Buffers;
using System.Buffers.Binary;
using System.Collections.Concurrent;
using System.Globalization;
using System.IO.MemoryMappedFiles;
using System.Security.Cryptography;
using System.Text;
using Cliper.Model.Images;
using Cliper.Model.Samples;
using Microsoft.Win32.SafeHandles;

namespace Cliper.Model.Loading;

/// <summary>
/// Decoded pictures in one memory-mapped file: magic and version, fingerprint of how pictures are reduced, index by what each
/// picture depends on, pixels, SHA-256 of all before it. Written under another name and renamed when whole; a file that is
/// damaged, or lacks a picture that is wanted as it is now, is made anew. One with more pictures than are wanted serves.
/// </summary>
/// <remarks>
/// Little-endian. Header: 8 bytes "CLIPPIX2", 32 bytes fingerprint, int64 number of pictures. Index, 40 bytes a picture: 16
/// bytes hash of its identity, int64 offset, int32 width, height, channels, and a zero. A picture that could not be read has
/// width 0.
/// </remarks>
internal sealed unsafe class DiskCache(DataSplit split, LoaderOptions options) : PixelCache(options.Codec)
{
    private const int HeaderBytes = 8 + FingerprintBytes + 8;
    private const int FingerprintBytes = 32;
    private const int EntryBytes = KeyBytes + 24;
    private const int KeyBytes = 16;

    private readonly Lock _lock = new();
    private MemoryMappedFile? _file;
    private MemoryMappedViewAccessor? _view;
    private byte* _start;
    private Entry[] _index = [];
    private long _rebuilt;

    private readonly record struct Entry(long Offset, int Width, int Height, int Channels)
    {
        public int Bytes => Width * Height * Channels;

        /// <summary>Whether it stands for a picture in these bytes of the file, or for one that could not be read.</summary>
        public bool LiesWithin(long start, long end) => Width == 0 || Width > 0 && Height > 0 && Channels is 1 or 3
            && Offset >= start && Offset <= end && (long)Width * Height <= (end - Offset) / Channels
            && (long)Width * Height * Channels <= int.MaxValue;
    }

    /// <summary>How often the file was made.</summary>
    public long Rebuilt => _rebuilt;

    protected override StoredImage? Find(int index)
    {
        Entry entry = _index[index];
        if (entry.Width == 0)
            return null;
        return new StoredImage(entry.Width, entry.Height, entry.Channels, new Mapped(_start + entry.Offset, entry.Bytes).Memory);
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
                if (!TryOpen(fingerprint, cancellation))
                {
                    Build(fingerprint, pipelines, skip, progress, cancellation);
                    if (!TryOpen(fingerprint, cancellation))
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

    public override void Dispose()
    {
        if (_start != null)
            _view!.SafeMemoryMappedViewHandle.ReleasePointer();
        _start = null;
        _view?.Dispose();
        _file?.Dispose();
        base.Dispose();
    }

    private string FilePath => Path.Combine(options.CacheFolder!, $"{split.Name}-{options.ImageSize}{(options.Augmentation.FromOriginal ? "-crops" : "")}.pixels");

    private IEnumerable<Frame> Frames => split.Samples.SelectMany(sample => sample.Frames);

    /// <summary>Hash of how pictures are reduced.</summary>
    private byte[] Fingerprint() => SHA256.HashData(Encoding.UTF8.GetBytes(string.Create(CultureInfo.InvariantCulture,
        $"{options.ImageSize}|{options.Augmentation.FromOriginal}|{options.Codec.GetType().FullName}")));

    private static UInt128 KeyOf(Frame frame) =>
        BinaryPrimitives.ReadUInt128LittleEndian(SHA256.HashData(Encoding.UTF8.GetBytes(frame.Identity)));

    private bool TryOpen(byte[] fingerprint, CancellationToken cancellation)
    {
        if (!File.Exists(FilePath))
            return false;
        using (SafeFileHandle file = File.OpenHandle(FilePath, options: FileOptions.SequentialScan))
        {
            if (ReadIndex(file, fingerprint, cancellation) is not { } stored)
                return false;
            var index = new List<Entry>();
            foreach (Frame frame in Frames)
            {
                cancellation.ThrowIfCancellationRequested();
                if (!stored.TryGetValue(KeyOf(frame), out Entry entry))
                    return false;
                index.Add(entry);
            }
            _index = [.. index];
        }
        _file = MemoryMappedFile.CreateFromFile(FilePath, FileMode.Open, null, 0, MemoryMappedFileAccess.Read);
        _view = _file.CreateViewAccessor(0, 0, MemoryMappedFileAccess.Read);
        _view.SafeMemoryMappedViewHandle.AcquirePointer(ref _start);
        return true;
    }

    /// <summary>The pictures in a file that is whole and of this kind; null for any other.</summary>
    private static Dictionary<UInt128, Entry>? ReadIndex(SafeFileHandle file, byte[] fingerprint, CancellationToken cancellation)
    {
        long length = RandomAccess.GetLength(file);
        var start = new byte[HeaderBytes];
        if (length < HeaderBytes + FingerprintBytes || RandomAccess.Read(file, start, 0) != HeaderBytes
            || !start.AsSpan(0, 8).SequenceEqual("CLIPPIX2"u8) || !start.AsSpan(8, FingerprintBytes).SequenceEqual(fingerprint))
            return null;
        long count = BinaryPrimitives.ReadInt64LittleEndian(start.AsSpan(8 + FingerprintBytes));
        // A number that the file has no room for is damage, not a wish for memory.
        if (count < 0 || count > (length - HeaderBytes - FingerprintBytes) / EntryBytes || count > int.MaxValue / EntryBytes || !IsWhole(file, length, cancellation))
            return null;
        var entries = new byte[count * EntryBytes];
        RandomAccess.Read(file, entries, HeaderBytes);
        var index = new Dictionary<UInt128, Entry>((int)count);
        for (int i = 0; i < count; i++)
        {
            ReadOnlySpan<byte> at = entries.AsSpan(i * EntryBytes);
            var entry = new Entry(BinaryPrimitives.ReadInt64LittleEndian(at[KeyBytes..]),
                BinaryPrimitives.ReadInt32LittleEndian(at[(KeyBytes + 8)..]), BinaryPrimitives.ReadInt32LittleEndian(at[(KeyBytes + 12)..]),
                BinaryPrimitives.ReadInt32LittleEndian(at[(KeyBytes + 16)..]));
            // A checksum that holds tells damage, not a file that was made to mislead: nothing is read beyond its end.
            if (!entry.LiesWithin(HeaderBytes + entries.Length, length - FingerprintBytes))
                return null;
            index[BinaryPrimitives.ReadUInt128LittleEndian(at)] = entry;
        }
        return index;
    }

    private static bool IsWhole(SafeFileHandle file, long length, CancellationToken cancellation)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        var buffer = new byte[1 << 20];
        long end = length - FingerprintBytes;
        for (long at = 0; at < end;)
        {
            cancellation.ThrowIfCancellationRequested();
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
                RandomAccess.Write(file, Head(fingerprint, frames, index, cancellation), 0);
                WriteChecksum(file, cancellation);
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
            int count = Math.Min(Chunk, frames.Length - start), from = start;
            (int First, int Count)[] together = [.. FrameReader.Together(frames, start, start + count)];
            RunParallel(together.Length, parallel, unit =>
            {
                PixelPipeline pipeline = idle.TryTake(out PixelPipeline? free) ? free : pipelines();
                (int first, int number) = together[unit];
                FrameReader.Load(new ArraySegment<Frame>(frames, first, number), options.Codec, (at, image) =>
                    {
                        // A unit may be hundreds of a video's frames.
                        cancellation.ThrowIfCancellationRequested();
                        images[first + at - from] = pipeline.Store(image);
                    }, (at, failure) =>
                    {
                        images[first + at - from] = null;
                        skip(frames[first + at].Name, failure);
                    });
                idle.Add(pipeline);
            });
            for (int i = 0; i < count; i++)
            {
                if (images[i] is not { } image)
                    continue;
                index[start + i] = new Entry(offset, image.Width, image.Height, image.Channels);
                RandomAccess.Write(file, image.Pixels.Span, offset);
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

    private static byte[] Head(byte[] fingerprint, Frame[] frames, Entry[] index, CancellationToken cancellation)
    {
        var head = new byte[HeaderBytes + (long)index.Length * EntryBytes];
        "CLIPPIX2"u8.CopyTo(head);
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
        return head;
    }

    private static void WriteChecksum(SafeFileHandle file, CancellationToken cancellation)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        var buffer = new byte[1 << 20];
        long length = RandomAccess.GetLength(file), at = 0;
        for (int read; (read = RandomAccess.Read(file, buffer, at)) > 0; at += read)
        {
            cancellation.ThrowIfCancellationRequested();
            hash.AppendData(buffer, 0, read);
        }
        RandomAccess.Write(file, hash.GetHashAndReset(), length);
    }

    /// <summary>A part of the mapped file, valid until the cache is disposed.</summary>
    private sealed class Mapped(byte* start, int length) : MemoryManager<byte>
    {
        public override Span<byte> GetSpan() => new(start, length);

        public override MemoryHandle Pin(int elementIndex = 0) => new(start + elementIndex);

        public override void Unpin()
        {
        }

        protected override void Dispose(bool disposing)
        {
        }
    }
}
