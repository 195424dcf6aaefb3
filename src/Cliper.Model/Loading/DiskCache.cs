using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Cliper.Model.Images;
using Cliper.Model.IO;
using Cliper.Model.Samples;
using Microsoft.Win32.SafeHandles;

namespace Cliper.Model.Loading;

/// <summary>
/// Keeps decoded images in one <see cref="PixelFile"/> a split. The file is written under another name and renamed when
/// it is whole. A file that is damaged, was made for other options, or lacks an image as it is now, is made again; a
/// file with more images than are wanted serves. Images are read and not mapped: a program that cuts a mapped file
/// short would end this process with a signal.
/// </summary>
internal sealed class DiskCache(DataSplit split, LoaderOptions options) : PixelCache(options)
{
    private readonly Lock _lock = new();
    private SafeFileHandle? _file;
    private PixelFileEntry[] _index = [];
    private long _rebuilt;

    /// <summary>How often the file was made.</summary>
    public long Rebuilt => _rebuilt;

    protected override StoredImage? Find(int index)
    {
        PixelFileEntry entry = _index[index];
        if (entry.Width == 0)
            return null;
        byte[] pixels = GC.AllocateUninitializedArray<byte>(entry.Bytes);
        try
        {
            for (int done = 0, read; done < pixels.Length; done += read)
                if ((read = RandomAccess.Read(_file!, pixels.AsSpan(done), entry.Offset + done)) == 0)
                    throw new InputException($"{FilePath}: the cache file has become shorter while it was used; leave "
                        + "it alone, or remove it so that it is made again");
        }
        catch (IOException failure)
        {
            throw new InputException($"{FilePath}: the cache file cannot be read ({failure.Message})", failure);
        }
        return new StoredImage(entry.Width, entry.Height, entry.Channels, pixels);
    }

    public override void Prepare(Action<string, InputException> skip, IProgress<double>? progress,
        CancellationToken cancellation)
    {
        lock (_lock)
        {
            if (_file != null)
                return;
            try
            {
                byte[] fingerprint = Fingerprint();
                Directory.CreateDirectory(Options.CacheFolder!);
                if (!TryOpen(fingerprint, cancellation))
                {
                    Build(fingerprint, skip, progress, cancellation);
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
        _file?.Dispose();
        base.Dispose();
    }

    private string FilePath => Path.Combine(Options.CacheFolder!,
        $"{split.Name}-{Options.ImageSize}{(Options.Augmentation.FromOriginal ? "-crops" : "")}.pixels");

    private IEnumerable<Frame> Frames => split.Samples.SelectMany(sample => sample.Frames);

    /// <summary>Hash of how images are reduced.</summary>
    private byte[] Fingerprint() => SHA256.HashData(Encoding.UTF8.GetBytes(string.Create(CultureInfo.InvariantCulture,
        $"{Options.ImageSize}|{Options.Augmentation.FromOriginal}|{Options.Codec.GetType().FullName}")));

    private bool TryOpen(byte[] fingerprint, CancellationToken cancellation)
    {
        if (!File.Exists(FilePath))
            return false;
        RegularFile.Require(FilePath);
        SafeFileHandle? file = File.OpenHandle(FilePath, share: FileShare.Read | FileShare.Delete);
        try
        {
            if (PixelFile.ReadIndex(file, fingerprint, cancellation) is not { } stored)
                return false;
            var index = new List<PixelFileEntry>();
            foreach (Frame frame in Frames)
            {
                cancellation.ThrowIfCancellationRequested();
                if (!stored.TryGetValue(PixelFile.KeyOf(frame), out PixelFileEntry entry))
                    return false;
                index.Add(entry);
            }
            (_index, _file, file) = ([.. index], file, null);
            return true;
        }
        finally
        {
            file?.Dispose();
        }
    }

    private void Build(byte[] fingerprint, Action<string, InputException> skip, IProgress<double>? progress,
        CancellationToken cancellation)
    {
        _rebuilt++;
        Frame[] frames = [.. Frames];
        var index = new PixelFileEntry[frames.Length];
        string temporary = $"{FilePath}.{Environment.ProcessId}.tmp";
        try
        {
            using (SafeFileHandle file = File.OpenHandle(temporary, FileMode.Create, FileAccess.ReadWrite))
            {
                WritePixels(file, frames, index, skip, progress, cancellation);
                PixelFile.WriteIndex(file, fingerprint, frames, index, cancellation);
                PixelFile.WriteChecksum(file, cancellation);
            }
            File.Move(temporary, FilePath, overwrite: true);
        }
        finally
        {
            File.Delete(temporary);
        }
    }

    /// <summary>Images in their order, decoded a few hundred at a time on the loader's threads.</summary>
    private void WritePixels(SafeFileHandle file, Frame[] frames, PixelFileEntry[] index,
        Action<string, InputException> skip, IProgress<double>? progress, CancellationToken cancellation)
    {
        const int Chunk = 256;
        long offset = PixelFile.PixelsOffset(frames.Length);
        var images = new StoredImage?[Chunk];
        var parallel = new ParallelOptions
        {
            MaxDegreeOfParallelism = Math.Max(1, Options.Threads),
            CancellationToken = cancellation,
        };
        for (int start = 0; start < frames.Length; start += Chunk)
        {
            int count = Math.Min(Chunk, frames.Length - start), from = start;
            (int First, int Count)[] together = [.. Frame.Runs(frames, start, start + count)];
            RunParallel(together.Length, parallel, unit =>
            {
                (int first, int number) = together[unit];
                Frame.LoadAll(new ArraySegment<Frame>(frames, first, number), Options.Codec, (at, image) =>
                {
                    // A unit may be hundreds of a video's frames.
                    cancellation.ThrowIfCancellationRequested();
                    images[first + at - from] = Store(image);
                }, (at, failure) =>
                {
                    images[first + at - from] = null;
                    skip(frames[first + at].Name, failure);
                });
            });
            for (int i = 0; i < count; i++)
            {
                if (images[i] is not { } image)
                    continue;
                index[start + i] = new PixelFileEntry(offset, image.Width, image.Height, image.Channels);
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
}
