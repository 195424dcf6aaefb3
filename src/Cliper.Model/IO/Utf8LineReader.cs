using System.Text;

namespace Cliper.Model.IO;

/// <summary>
/// Reads a list line by line: text in UTF-8, or in UTF-16 with its byte order mark, as spreadsheets export it. What is
/// neither is refused with its line, because replaced characters would make two labels one; so is a line that no list
/// has, before it fills the memory.
/// </summary>
internal class Utf8LineReader : TextReader
{
    /// <summary>Longest line, in bytes; a row of FER2013 has a hundredth.</summary>
    private const int LongestLine = 1 << 20;

    private static readonly UTF8Encoding Strict = new(encoderShouldEmitUTF8Identifier: false,
        throwOnInvalidBytes: true);

    private readonly string _path;
    private readonly CancellationToken _cancellation;
    private readonly Stream _stream;
    private readonly byte[] _buffer = new byte[1 << 16];
    private readonly MemoryStream _line = new();
    private int _at, _end, _number;
    private bool _isAfterReturn;

    /// <summary>Opens a file.</summary>
    /// <param name="path">The file.</param>
    /// <param name="cancellation">Cancels the reading with an <see cref="OperationCanceledException"/>.</param>
    /// <exception cref="InputException">It is no regular file.</exception>
    /// <exception cref="IOException">It cannot be read.</exception>
    public Utf8LineReader(string path, CancellationToken cancellation = default) =>
        (_path, _cancellation, _stream) = (path, cancellation, Open(path));

    /// <summary>The next line without its end; null at the end of the file.</summary>
    /// <exception cref="InputException">The line is too long, or not text.</exception>
    public override string? ReadLine()
    {
        _cancellation.ThrowIfCancellationRequested();
        _line.SetLength(0);
        _number++;
        bool isThere = false;
        while (_at < _end || Fill())
        {
            // A line feed after a carriage return ends the same line.
            bool isRest = _isAfterReturn && _buffer[_at] == '\n';
            _isAfterReturn = false;
            if (isRest)
            {
                _at++;
                continue;
            }
            isThere = true;
            ReadOnlySpan<byte> rest = _buffer.AsSpan(_at.._end);
            int length = rest.IndexOfAny((byte)'\r', (byte)'\n');
            _line.Write(length < 0 ? rest : rest[..length]);
            if (_line.Length > LongestLine)
                throw new InputException($"{_path}:{_number}: a line of more than {LongestLine:N0} bytes; this is no "
                    + "list");
            _at = length < 0 ? _end : _at + length + 1;
            if (length < 0)
                continue;
            _isAfterReturn = rest[length] == '\r';
            return Decoded();
        }
        return isThere ? Decoded() : null;
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (disposing)
            _stream.Dispose();
        base.Dispose(disposing);
    }

    private static Stream Open(string path)
    {
        RegularFile.Require(path);
        var stream = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite, 1);
        Span<byte> mark = stackalloc byte[3];
        mark = mark[..stream.ReadAtLeast(mark, mark.Length, throwOnEndOfStream: false)];
        Encoding? other = mark.StartsWith((ReadOnlySpan<byte>)[0xFF, 0xFE]) ? Encoding.Unicode
            : mark.StartsWith((ReadOnlySpan<byte>)[0xFE, 0xFF]) ? Encoding.BigEndianUnicode : null;
        stream.Position = other is not null ? 2 : mark.SequenceEqual(Encoding.UTF8.Preamble) ? 3 : 0;
        return other is null ? stream : Encoding.CreateTranscodingStream(stream, other, Encoding.UTF8);
    }

    private bool Fill()
    {
        (_at, _end) = (0, _stream.Read(_buffer));
        return _end > 0;
    }

    private string Decoded()
    {
        try
        {
            return Strict.GetString(_line.GetBuffer(), 0, (int)_line.Length);
        }
        catch (DecoderFallbackException failure)
        {
            throw new InputException($"{_path}:{_number}: not text in UTF-8 (the byte "
                + $"0x{failure.BytesUnknown?.FirstOrDefault():X2} after {failure.Index} others); save the list as "
                + "UTF-8", failure);
        }
    }
}
