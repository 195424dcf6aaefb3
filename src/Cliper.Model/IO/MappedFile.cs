using System.IO.MemoryMappedFiles;

namespace Cliper.Model.IO;

/// <summary>
/// A file of which pieces are mapped into memory while they are read. A piece that is let go no longer counts as this
/// process's memory, so that a model can be copied out of a file with little more memory than the model has.
/// Thread-safe.
/// </summary>
internal sealed class MappedFile : IDisposable
{
    private readonly MemoryMappedFile? _file;
    private bool _disposed;

    /// <summary>Opens a file for reading; others may delete or replace it meanwhile.</summary>
    /// <exception cref="InputException">It is not there or cannot be read.</exception>
    public MappedFile(string path)
    {
        Path = path;
        if (!File.Exists(path))
            throw new InputException($"{path}: no such file: expected weights or tensors");
        try
        {
            using var stream = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read | FileShare.Delete,
                1);
            Length = stream.Length;
            // Nothing cannot be mapped.
            if (Length > 0)
                _file = MemoryMappedFile.CreateFromFile(stream, null, 0, MemoryMappedFileAccess.Read,
                    HandleInheritability.None, leaveOpen: true);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new InputException($"{path}: cannot be read: {e.Message}", e);
        }
    }

    /// <summary>The file.</summary>
    public string Path { get; }

    /// <summary>Its bytes.</summary>
    public long Length { get; }

    /// <summary>A piece of the file, mapped until it is disposed.</summary>
    /// <param name="offset">Its first byte.</param>
    /// <param name="length">Its bytes; the piece lies within the file.</param>
    public MappedBytes Map(long offset, int length)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        ArgumentOutOfRangeException.ThrowIfNegative(offset);
        ArgumentOutOfRangeException.ThrowIfNegative(length);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(length, Length - offset);
        return length == 0 ? default
            : new MappedBytes(_file!.CreateViewAccessor(offset, length, MemoryMappedFileAccess.Read), length);
    }

    /// <summary>A copy of a piece of the file.</summary>
    public byte[] Read(long offset, int length)
    {
        using MappedBytes piece = Map(offset, length);
        return piece.Span.ToArray();
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _disposed = true;
        _file?.Dispose();
    }
}

/// <summary>Bytes of a file, or made of one, that are there until this is disposed.</summary>
internal readonly unsafe ref struct MappedBytes
{
    private readonly MemoryMappedViewAccessor? _view;

    /// <summary>Bytes in an array.</summary>
    public MappedBytes(byte[] bytes) => Span = bytes;

    /// <summary>The first <paramref name="length"/> bytes of a view, which is taken over.</summary>
    public MappedBytes(MemoryMappedViewAccessor view, int length)
    {
        _view = view;
        byte* start = null;
        view.SafeMemoryMappedViewHandle.AcquirePointer(ref start);
        Span = new ReadOnlySpan<byte>(start + view.PointerOffset, length);
    }

    /// <summary>The bytes.</summary>
    public ReadOnlySpan<byte> Span { get; }

    /// <summary>Lets the bytes go.</summary>
    public void Dispose()
    {
        if (_view is null)
            return;
        _view.SafeMemoryMappedViewHandle.ReleasePointer();
        _view.Dispose();
    }
}
