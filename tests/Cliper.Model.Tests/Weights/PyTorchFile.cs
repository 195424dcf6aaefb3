using System.Buffers;
using System.Buffers.Binary;
using System.Numerics;
using System.Text;

namespace Cliper.Model.Tests.Weights;

/// <summary>Writes pickles and archives as PyTorch does, and such as it never would.</summary>
internal sealed class PickleWriter
{
    private readonly ArrayBufferWriter<byte> _bytes = new();

    /// <summary>The pickle so far.</summary>
    public byte[] Bytes => _bytes.WrittenSpan.ToArray();

    public PickleWriter Raw(params byte[] bytes)
    {
        _bytes.Write(bytes);
        return this;
    }

    /// <summary>Instructions without operands, by their letters.</summary>
    public PickleWriter Code(string letters) => Raw([.. letters.Select(letter => (byte)letter)]);

    public PickleWriter Start() => Raw(0x80, 2);

    public PickleWriter Global(string module, string name) => Code($"c{module}\n{name}\n");

    public PickleWriter Text(string text)
    {
        byte[] bytes = Encoding.UTF8.GetBytes(text);
        return Code("X").Raw(BitConverter.GetBytes(bytes.Length)).Raw(bytes);
    }

    public PickleWriter Number(long number) => number is >= 0 and < 256 ? Code("K").Raw((byte)number)
        : Raw(0x8a, 8).Raw(BitConverter.GetBytes(number));

    public PickleWriter Number(BigInteger number)
    {
        byte[] bytes = number.ToByteArray();
        return Raw(0x8a, (byte)bytes.Length).Raw(bytes);
    }

    public PickleWriter Tuple(params long[] numbers)
    {
        Code("(");
        foreach (long number in numbers)
            Number(number);
        return Code("t");
    }

    /// <summary>A tensor as torch.save writes it.</summary>
    public PickleWriter Tensor(string storage, string key, long elements, long offset, long[] shape, long[] strides) =>
        Global("torch._utils", "_rebuild_tensor_v2").Code("((").Text("storage").Global("torch", storage).Text(key)
        .Text("cpu")
            .Number(elements).Code("tQ").Number(offset).Tuple(shape).Tuple(strides).Raw(0x89)
            .Global("collections", "OrderedDict").Code(")RtR");

    /// <summary>A contiguous tensor that is the whole of its storage.</summary>
    public PickleWriter Tensor(string storage, string key, params long[] shape)
    {
        var strides = new long[shape.Length];
        long count = 1;
        for (int axis = shape.Length - 1; axis >= 0; axis--)
        {
            strides[axis] = count;
            count *= shape[axis];
        }
        return Tensor(storage, key, count, 0, shape, strides);
    }
}

/// <summary>
/// Writes zip archives without compression, each record's bytes on a boundary of 64 as PyTorch's are.
/// </summary>
internal sealed class ArchiveWriter : IDisposable
{
    private const int Alignment = 64;

    private readonly FileStream _stream;
    private readonly MemoryStream _directory = new();
    private int _count;

    public ArchiveWriter(string path) => _stream = File.Create(path);

    /// <summary>Adds a record.</summary>
    /// <param name="name">Its name.</param>
    /// <param name="length">Its bytes.</param>
    /// <param name="write">Writes them.</param>
    /// <param name="crc">Their checksum; 0 for none.</param>
    public void Add(string name, long length, Action<Stream> write, uint crc = 0)
    {
        byte[] text = Encoding.UTF8.GetBytes(name);
        long header = _stream.Position;
        int padding = (int)(-(header + 30 + text.Length + 4) & (Alignment - 1));
        byte[] local = new byte[30];
        BinaryPrimitives.WriteUInt32LittleEndian(local, 0x04034b50);
        BinaryPrimitives.WriteUInt16LittleEndian(local.AsSpan(26), (ushort)text.Length);
        BinaryPrimitives.WriteUInt16LittleEndian(local.AsSpan(28), (ushort)(padding + 4));
        _stream.Write(local);
        _stream.Write(text);
        _stream.Write([(byte)'F', (byte)'B', (byte)padding, 0]);
        _stream.Write(new byte[padding]);
        write(_stream);

        byte[] entry = new byte[46];
        BinaryPrimitives.WriteUInt32LittleEndian(entry, 0x02014b50);
        BinaryPrimitives.WriteUInt32LittleEndian(entry.AsSpan(16), crc);
        BinaryPrimitives.WriteUInt32LittleEndian(entry.AsSpan(20), (uint)length);
        BinaryPrimitives.WriteUInt32LittleEndian(entry.AsSpan(24), (uint)length);
        BinaryPrimitives.WriteUInt16LittleEndian(entry.AsSpan(28), (ushort)text.Length);
        BinaryPrimitives.WriteUInt32LittleEndian(entry.AsSpan(42), (uint)header);
        _directory.Write(entry);
        _directory.Write(text);
        _count++;
    }

    public void Add(string name, byte[] bytes, uint crc = 0) => Add(name, bytes.Length, stream => stream.Write(bytes),
        crc);

    public void Dispose()
    {
        byte[] end = new byte[22];
        BinaryPrimitives.WriteUInt32LittleEndian(end, 0x06054b50);
        BinaryPrimitives.WriteUInt16LittleEndian(end.AsSpan(8), (ushort)_count);
        BinaryPrimitives.WriteUInt16LittleEndian(end.AsSpan(10), (ushort)_count);
        BinaryPrimitives.WriteUInt32LittleEndian(end.AsSpan(12), (uint)_directory.Length);
        BinaryPrimitives.WriteUInt32LittleEndian(end.AsSpan(16), (uint)_stream.Position);
        _stream.Write(_directory.ToArray());
        _stream.Write(end);
        _stream.Dispose();
    }
}
