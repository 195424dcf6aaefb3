using System.Buffers;
using Microsoft.Win32.SafeHandles;

namespace Cliper.Model.IO;

/// <summary>
/// A file of which pieces are copied into memory while they are needed. The memory of a piece that is let go serves the
/// next, so that a model can be read with little more memory than it has itself. Pieces are read and not mapped by the
/// system: a program that cuts a mapped file short would end this process with a signal. Thread-safe.
/// </summary>
internal sealed class ReadOnlyFile : IDisposable
{
    /// <summary>A larger piece gets memory of its own, because the pool would keep it for good.</summary>
    private const int LargestPooled = 16 << 20;

    private readonly SafeFileHandle _file;

    /// <summary>Opens a file for reading; others may delete or replace it meanwhile.</summary>
    /// <exception cref="InputException">It is not there, no regular file, or cannot be read.</exception>
    public ReadOnlyFile(string path)
    {
        Path = path;
        if (!System.IO.Path.Exists(path))
            throw new InputException($"{path}: no such file: expected weights or tensors");
        RegularFile.Require(path);
        try
        {
            _file = File.OpenHandle(path, FileMode.Open, FileAccess.Read, FileShare.Read | FileShare.Delete);
            Length = RandomAccess.GetLength(_file);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new InputException($"{path}: cannot be read: {e.Message}", e);
        }
    }

    /// <summary>The file.</summary>
    public string Path { get; }

    /// <summary>Its bytes when it was opened.</summary>
    public long Length { get; }

    /// <summary>A piece of the file, in memory until it is disposed.</summary>
    /// <param name="offset">Its first byte.</param>
    /// <param name="length">Its bytes; the piece lies within the file.</param>
    /// <exception cref="InputException">The file has become shorter, or cannot be read.</exception>
    public FileBytes ReadPiece(long offset, int length)
    {
        if (length > LargestPooled)
            return new FileBytes(Read(offset, length));
        byte[] rented = ArrayPool<byte>.Shared.Rent(length);
        try
        {
            Fill(offset, rented.AsSpan(0, length));
            return new FileBytes(rented, length);
        }
        catch
        {
            ArrayPool<byte>.Shared.Return(rented);
            throw;
        }
    }

    /// <summary>A copy of a piece of the file.</summary>
    /// <exception cref="InputException">The file has become shorter, or cannot be read.</exception>
    public byte[] Read(long offset, int length)
    {
        var bytes = new byte[length];
        Fill(offset, bytes);
        return bytes;
    }

    /// <inheritdoc/>
    public void Dispose() => _file.Dispose();

    private void Fill(long offset, Span<byte> target)
    {
        ObjectDisposedException.ThrowIf(_file.IsClosed, this);
        ArgumentOutOfRangeException.ThrowIfNegative(offset);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(target.Length, Length - offset);
        try
        {
            while (target.Length > 0)
            {
                int read = RandomAccess.Read(_file, target, offset);
                if (read == 0)
                    throw new InputException($"{Path}: the file had {Length:N0} bytes when it was opened and has "
                        + "become shorter; leave it alone while it is read, or get it anew");
                target = target[read..];
                offset += read;
            }
        }
        catch (IOException e)
        {
            throw new InputException($"{Path}: cannot be read: {e.Message}", e);
        }
    }
}

/// <summary>Bytes of a file, or made of one, that are there until this is disposed.</summary>
internal readonly ref struct FileBytes
{
    private readonly byte[]? _rented;

    /// <summary>Bytes in an array.</summary>
    public FileBytes(byte[] bytes) => Span = bytes;

    /// <summary>The first <paramref name="length"/> bytes of an array of the shared pool, which goes back to
    /// it.</summary>
    public FileBytes(byte[] rented, int length)
    {
        _rented = rented;
        Span = rented.AsSpan(0, length);
    }

    /// <summary>The bytes.</summary>
    public ReadOnlySpan<byte> Span { get; }

    /// <summary>Lets the bytes go.</summary>
    public void Dispose()
    {
        if (_rented is not null)
            ArrayPool<byte>.Shared.Return(_rented);
    }
}
