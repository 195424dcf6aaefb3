using System.Buffers;
using System.Buffers.Binary;
using System.Numerics.Tensors;
using System.Runtime.InteropServices;
using System.Text.Json;
using Cliper.Kernels.Memory;
using Cliper.Model.IO;

namespace Cliper.Model.Weights;

/// <summary>
/// Collects tensors and writes them as one safetensors file. The same content gives the same bytes: larger elements
/// first (so that every tensor is aligned), then by name; metadata by key.
/// </summary>
public sealed class SafeTensorsWriter
{
    private const int ChunkElements = 1 << 16;

    private readonly SortedDictionary<string, (TensorEntry Entry, Action<Stream> Write)> _tensors =
        new(StringComparer.Ordinal);

    /// <summary>Free-form metadata.</summary>
    public SortedDictionary<string, string> Metadata { get; } = new(StringComparer.Ordinal);

    /// <summary>Adds floating-point numbers.</summary>
    /// <param name="name">A new name.</param>
    /// <param name="shape">Sizes of the axes; empty for a scalar.</param>
    /// <param name="values">The elements, row-major; not copied before the file is written.</param>
    /// <param name="type">F32, F16 or BF16, rounded to nearest; beyond F16's range a value becomes infinite.</param>
    public void Add(string name, ReadOnlySpan<int> shape, ReadOnlyMemory<float> values,
        TensorType type = TensorType.F32)
    {
        Add(name, shape, values.Length, () => values, type);
    }

    /// <summary>Adds floating-point numbers that are made when the file is written, and let go then.</summary>
    /// <param name="name">A new name.</param>
    /// <param name="shape">Sizes of the axes; empty for a scalar.</param>
    /// <param name="values">Gives the elements, row-major, as many as the shape says.</param>
    /// <param name="type">F32, F16 or BF16, rounded to nearest; beyond F16's range a value becomes infinite.</param>
    public void Add(string name, ReadOnlySpan<int> shape, Func<ReadOnlyMemory<float>> values,
        TensorType type = TensorType.F32)
    {
        int count = 1;
        foreach (int size in shape)
            count = checked(count * size);
        Add(name, shape, count, values, type);
    }

    private void Add(string name, ReadOnlySpan<int> shape, int count, Func<ReadOnlyMemory<float>> values,
        TensorType type)
    {
        if (type is not (TensorType.F32 or TensorType.F16 or TensorType.BF16))
            throw new ArgumentException($"{type}: expected F32, F16 or BF16", nameof(type));
        Add(name, type, shape, count, stream => WriteFloats(stream, values().Span, type));
    }

    /// <summary>Adds integers as I64.</summary>
    public void Add(string name, ReadOnlySpan<int> shape, ReadOnlyMemory<long> values) =>
        Add(name, TensorType.I64, shape, values.Length, stream => stream.Write(MemoryMarshal.AsBytes(values.Span)));

    /// <summary>Adds integers as I32.</summary>
    public void Add(string name, ReadOnlySpan<int> shape, ReadOnlyMemory<int> values) =>
        Add(name, TensorType.I32, shape, values.Length, stream => stream.Write(MemoryMarshal.AsBytes(values.Span)));

    /// <summary>Adds bytes as U8.</summary>
    public void Add(string name, ReadOnlySpan<int> shape, ReadOnlyMemory<byte> values) =>
        Add(name, TensorType.U8, shape, values.Length, stream => stream.Write(values.Span));

    /// <summary>Tensors that were added.</summary>
    public int Count => _tensors.Count;

    /// <summary>Adds a tensor of any type whose bytes <paramref name="write"/> writes.</summary>
    internal void Add(TensorEntry entry, Action<Stream> write)
    {
        if (entry.Name == SafeTensors.MetadataKey || !_tensors.TryAdd(entry.Name, (entry, write)))
            throw new ArgumentException($"the name {entry.Name} is taken", nameof(entry));
    }

    /// <summary>Writes the file: under a temporary name, then renamed, so that it is there whole or not at
    /// all.</summary>
    /// <exception cref="IOException">The place cannot be written to.</exception>
    public void Write(string path) => AtomicFile.Write(path, Write);

    /// <summary>Writes the file's bytes.</summary>
    public void Write(Stream stream)
    {
        (TensorEntry Entry, Action<Stream> Write)[] ordered =
            [.. _tensors.Values.OrderByDescending(tensor => tensor.Entry.Type.Size())];
        ReadOnlySpan<byte> header = Header(ordered.Select(tensor => tensor.Entry));
        // Padding with spaces, which JSON ignores, aligns the tensors.
        int padding = -header.Length & 7;
        Span<byte> length = stackalloc byte[SafeTensors.LengthBytes];
        BinaryPrimitives.WriteUInt64LittleEndian(length, (ulong)(header.Length + padding));
        stream.Write(length);
        stream.Write(header);
        stream.Write("       "u8[..padding]);
        foreach ((_, Action<Stream> write) in ordered)
            write(stream);
    }

    private void Add(string name, TensorType type, ReadOnlySpan<int> shape, int length, Action<Stream> write)
    {
        var axes = new long[shape.Length];
        for (int axis = 0; axis < axes.Length; axis++)
            axes[axis] = shape[axis];
        var entry = new TensorEntry(name, type, axes);
        if (entry.Count != length)
            throw new ArgumentException($"{name}: {length} elements for {entry}", nameof(shape));
        Add(entry, write);
    }

    private ReadOnlySpan<byte> Header(IEnumerable<TensorEntry> entries)
    {
        var buffer = new ArrayBufferWriter<byte>();
        using (var json = new Utf8JsonWriter(buffer))
        {
            json.WriteStartObject();
            if (Metadata.Count > 0)
            {
                json.WriteStartObject(SafeTensors.MetadataKey);
                foreach ((string key, string value) in Metadata)
                    json.WriteString(key, value);
                json.WriteEndObject();
            }
            long at = 0;
            foreach (TensorEntry entry in entries)
            {
                json.WriteStartObject(entry.Name);
                json.WriteString("dtype", entry.Type.SafeTensorsName());
                json.WriteStartArray("shape");
                foreach (long size in entry.Shape)
                    json.WriteNumberValue(size);
                json.WriteEndArray();
                json.WriteStartArray("data_offsets");
                json.WriteNumberValue(at);
                json.WriteNumberValue(at += entry.Bytes);
                json.WriteEndArray();
                json.WriteEndObject();
            }
            json.WriteEndObject();
        }
        return buffer.WrittenSpan;
    }

    /// <summary>Writes numbers as F32, F16 or BF16, rounded to nearest.</summary>
    internal static void WriteFloats(Stream stream, ReadOnlySpan<float> values, TensorType type)
    {
        if (type == TensorType.F32)
        {
            stream.Write(MemoryMarshal.AsBytes(values));
            return;
        }
        var chunk = new ushort[Math.Min(values.Length, ChunkElements)];
        for (int start = 0; start < values.Length; start += ChunkElements)
        {
            ReadOnlySpan<float> part = values[start..Math.Min(values.Length, start + ChunkElements)];
            if (type == TensorType.F16)
                TensorPrimitives.ConvertToHalf(part, MemoryMarshal.Cast<ushort, Half>(chunk.AsSpan()));
            else
                BFloat16.ToBits(part, chunk);
            stream.Write(MemoryMarshal.AsBytes(chunk.AsSpan(0, part.Length)));
        }
    }
}
