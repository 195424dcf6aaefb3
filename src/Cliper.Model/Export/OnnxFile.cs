using System.Buffers.Binary;
using System.Numerics.Tensors;
using System.Runtime.InteropServices;
using System.Text;

namespace Cliper.Model.Export;

/// <summary>A model file that is read back: as much of ONNX as <see cref="OnnxGraph"/> writes.</summary>
/// <param name="Path">The file.</param>
/// <param name="Nodes">The nodes, each after those whose results it takes.</param>
/// <param name="Constants">Constants by name.</param>
/// <param name="Input">The one input: its name, and whether it takes bytes or fp32.</param>
/// <param name="Outputs">Names of the outputs.</param>
internal sealed record OnnxFile(string Path, IReadOnlyList<OnnxNode> Nodes,
    IReadOnlyDictionary<string, OnnxTensor> Constants, (string Name, OnnxType Type) Input,
    IReadOnlyList<string> Outputs)
{
    /// <summary>Whether weights are stored as fp16. The values of a cast constant are already fp32 here.</summary>
    public bool HasHalf => Nodes.Any(node => node.Operation == "Cast" && Constants.ContainsKey(node.Inputs[0]));

    /// <summary>Reads a file.</summary>
    /// <exception cref="InputException">It is damaged, or has no graph of one input.</exception>
    public static OnnxFile Read(string path)
    {
        byte[] bytes = File.ReadAllBytes(path);
        try
        {
            ProtobufField[] graph = [.. ProtobufField.In(ProtobufField.In(bytes)
                .Single(field => field.Number == OnnxFields.Graph).Bytes)];
            return new OnnxFile(path,
                [.. graph.Where(field => field.Number == OnnxFields.Nodes).Select(field => NodeOf(field.Bytes))],
                graph.Where(field => field.Number == OnnxFields.Initializers).Select(field => ConstantOf(field.Bytes))
                    .ToDictionary(),
                graph.Where(field => field.Number == OnnxFields.Inputs).Select(field => ValueOf(field.Bytes)).Single(),
                [.. graph.Where(field => field.Number == OnnxFields.Outputs)
                    .Select(field => ValueOf(field.Bytes).Name)]);
        }
        catch (Exception damage) when (damage is InvalidOperationException or ArgumentException or InvalidDataException)
        {
            throw new InputException($"{path}: cannot be read back as an ONNX model: {damage.Message}", damage);
        }
    }

    private static OnnxNode NodeOf(ReadOnlyMemory<byte> message)
    {
        ProtobufField[] fields = [.. ProtobufField.In(message)];
        return new OnnxNode(Text(OnnxFields.Operator).Single(), Text(OnnxFields.Domain).SingleOrDefault(""),
            [.. Text(OnnxFields.NodeInputs)], [.. Text(OnnxFields.NodeOutputs)],
            [.. fields.Where(field => field.Number == OnnxFields.Attributes).Select(field =>
                AttributeOf(field.Bytes))]);

        IEnumerable<string> Text(int number) => fields.Where(field => field.Number == number)
            .Select(field => field.Text);
    }

    private static (string, object) AttributeOf(ReadOnlyMemory<byte> message)
    {
        ProtobufField[] fields = [.. ProtobufField.In(message)];
        object value = fields.Single(field => field.Number == OnnxFields.AttributeType).Value switch
        {
            OnnxFields.TypeFloat => BitConverter.UInt32BitsToSingle((uint)One(OnnxFields.AttributeFloat).Value),
            OnnxFields.TypeInteger => (int)One(OnnxFields.AttributeInteger).Value,
            OnnxFields.TypeIntegers => fields.Where(field => field.Number == OnnxFields.AttributeIntegers)
                .Select(field => (int)field.Value).ToArray(),
            long type => throw new InvalidDataException($"an attribute has type {type}"),
        };
        return (One(OnnxFields.AttributeName).Text, value);

        ProtobufField One(int number) => fields.Single(field => field.Number == number);
    }

    private static KeyValuePair<string, OnnxTensor> ConstantOf(ReadOnlyMemory<byte> message)
    {
        ProtobufField[] fields = [.. ProtobufField.In(message)];
        int[] shape = [.. fields.Where(field => field.Number == OnnxFields.Dimensions)
            .Select(field => checked((int)field.Value))];
        ReadOnlySpan<byte> bytes = fields.Single(field => field.Number == OnnxFields.RawData).Bytes.Span;
        OnnxTensor tensor = (OnnxType)fields.Single(field => field.Number == OnnxFields.DataType).Value switch
        {
            OnnxType.Float => OnnxTensor.Of(MemoryMarshal.Cast<byte, float>(bytes).ToArray(), shape),
            OnnxType.Float16 => OnnxTensor.Of(Widened(MemoryMarshal.Cast<byte, Half>(bytes)), shape),
            OnnxType.Int64 => OnnxTensor.Of(MemoryMarshal.Cast<byte, long>(bytes).ToArray(), shape),
            OnnxType type => throw new InvalidDataException($"a constant has type {type}"),
        };
        return new(fields.Single(field => field.Number == OnnxFields.TensorName).Text, tensor);
    }

    private static float[] Widened(ReadOnlySpan<Half> values)
    {
        var wide = new float[values.Length];
        TensorPrimitives.ConvertToSingle(values, wide);
        return wide;
    }

    private static (string Name, OnnxType Type) ValueOf(ReadOnlyMemory<byte> message)
    {
        ProtobufField[] fields = [.. ProtobufField.In(message)];
        ReadOnlyMemory<byte> tensor = Inner(fields.Single(field => field.Number == OnnxFields.ValueType).Bytes,
            OnnxFields.TensorType).Bytes;
        return (fields.Single(field => field.Number == OnnxFields.ValueName).Text,
            (OnnxType)Inner(tensor, OnnxFields.ElementType).Value);

        static ProtobufField Inner(ReadOnlyMemory<byte> bytes, int number) =>
            ProtobufField.In(bytes).Single(field => field.Number == number);
    }
}

/// <summary>A field of a protobuf message.</summary>
/// <param name="Number">Its number.</param>
/// <param name="Value">A whole number, or the bits of a float.</param>
/// <param name="Bytes">A text, bytes or a message; empty for a number.</param>
internal readonly record struct ProtobufField(int Number, long Value, ReadOnlyMemory<byte> Bytes)
{
    private const int Varint = 0, Fixed64 = 1, Delimited = 2, Fixed32 = 5;

    /// <summary>The bytes as a text.</summary>
    public string Text => Encoding.UTF8.GetString(Bytes.Span);

    /// <summary>The fields of a message, in the order of the file.</summary>
    /// <exception cref="InvalidDataException">It is none.</exception>
    public static IEnumerable<ProtobufField> In(ReadOnlyMemory<byte> message)
    {
        while (!message.IsEmpty)
        {
            ulong tag = ReadVarint(ref message);
            int number = checked((int)(tag >> 3));
            switch ((int)(tag & 7))
            {
                case Varint:
                    yield return new ProtobufField(number, (long)ReadVarint(ref message), default);
                    break;
                case Fixed64:
                    yield return new ProtobufField(number, BinaryPrimitives.ReadInt64LittleEndian(
                        Take(ref message, sizeof(long)).Span), default);
                    break;
                case Delimited:
                    ulong length = ReadVarint(ref message);
                    yield return new ProtobufField(number, 0, Take(ref message, length));
                    break;
                case Fixed32:
                    yield return new ProtobufField(number, BinaryPrimitives.ReadUInt32LittleEndian(
                        Take(ref message, sizeof(uint)).Span), default);
                    break;
                case int type:
                    throw new InvalidDataException($"a field has wire type {type}");
            }
        }
    }

    private static ReadOnlyMemory<byte> Take(ref ReadOnlyMemory<byte> message, ulong length)
    {
        if (length > (ulong)message.Length)
            throw new InvalidDataException($"a field of {length} bytes stands before the last {message.Length}");
        ReadOnlyMemory<byte> taken = message[..(int)length];
        message = message[(int)length..];
        return taken;
    }

    private static ulong ReadVarint(ref ReadOnlyMemory<byte> message)
    {
        const int MostBytes = 10, Bits = 7;
        ulong value = 0;
        for (int i = 0; i < MostBytes; i++)
        {
            byte next = Take(ref message, 1).Span[0];
            value |= (ulong)(next & 0x7F) << (Bits * i);
            if (next < 0x80)
                return value;
        }
        throw new InvalidDataException("a number has more than 64 bits");
    }
}
