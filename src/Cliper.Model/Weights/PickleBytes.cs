using System.Buffers.Binary;
using System.Numerics;
using System.Text;

namespace Cliper.Model.Weights;

/// <summary>The bytes of a pickle, read from front to back.</summary>
/// <param name="bytes">The bytes with the pickle.</param>
/// <param name="fault">Makes the error of a sentence.</param>
/// <remarks>Every method throws an <see cref="InputException"/> where the bytes end too early.</remarks>
internal sealed class PickleBytes(byte[] bytes, Func<string, InputException> fault)
{
    private const int LongestLine = 1000, LongestNumber = 256;

    private static readonly UTF8Encoding Utf8 = new(false, throwOnInvalidBytes: true);

    /// <summary>Index of the next byte.</summary>
    public int Position { get; private set; }

    /// <summary>The next byte.</summary>
    public byte Byte() => Take(1)[0];

    /// <summary>The next bytes.</summary>
    public ReadOnlySpan<byte> Take(int count)
    {
        if (count > bytes.Length - Position)
            throw Damaged("it ends too early");
        ReadOnlySpan<byte> taken = bytes.AsSpan(Position, count);
        Position += count;
        return taken;
    }

    /// <summary>A length of 4 or 8 bytes; one beyond the pickle's end is a fault before anything is made of
    /// it.</summary>
    public int Length(int size)
    {
        ReadOnlySpan<byte> field = Take(size);
        ulong length = size == 4 ? BinaryPrimitives.ReadUInt32LittleEndian(field)
            : BinaryPrimitives.ReadUInt64LittleEndian(field);
        return length <= (ulong)(bytes.Length - Position) ? (int)length
            : throw Damaged($"{length} bytes are announced, but it ends before");
    }

    /// <summary>The next bytes as UTF-8.</summary>
    public string Text(int length)
    {
        try
        {
            return Utf8.GetString(Take(length));
        }
        catch (DecoderFallbackException)
        {
            throw Damaged("text that is no UTF-8");
        }
    }

    /// <summary>A number of any length, little-endian in two's complement: a long where it is one, else a
    /// <see cref="BigInteger"/>.</summary>
    public object Number(int length)
    {
        if (length > LongestNumber)
            throw Damaged($"a number of {length} bytes");
        var number = new BigInteger(Take(length));
        // Without the second cast the long would become a BigInteger too.
        return number >= long.MinValue && number <= long.MaxValue ? (long)number : (object)number;
    }

    /// <summary>A name that ends with a line feed, which is passed over.</summary>
    public string Line()
    {
        ReadOnlySpan<byte> rest = bytes.AsSpan(Position, Math.Min(bytes.Length - Position, LongestLine));
        int end = rest.IndexOf((byte)'\n');
        if (end < 0)
            throw Damaged("a name without end");
        string line = Text(end);
        Position++;
        return line;
    }

    /// <summary>Makes the error of a damaged pickle.</summary>
    public InputException Damaged(string what) =>
        fault($"the pickle is damaged or of no kind that PyTorch writes: {what}; get or write the file anew");
}
