using System.Runtime.InteropServices;
using Google.Protobuf;

namespace Cliper.Benchmarks.Peers;

/// <summary>
/// Writes ONNX models: just the fields of onnx.proto3 that a graph with constants needs. Operator set 17, and version 1
/// of ONNX Runtime's own operators (com.microsoft).
/// </summary>
internal sealed class OnnxGraph
{
    /// <summary>ONNX Runtime's own operators.</summary>
    public const string Microsoft = "com.microsoft";

    private const int TypeFloat = 1, TypeInt64 = 7;
    private const int AttributeFloat = 1, AttributeInt = 2, AttributeInts = 7;

    private readonly List<byte[]> _nodes = [];
    private readonly List<byte[]> _constants = [];
    private readonly List<byte[]> _inputs = [];
    private readonly List<byte[]> _outputs = [];
    private int _names;

    /// <summary>An fp32 input; a negative size is left open.</summary>
    public string Input(string name, params int[] shape) => Declare(_inputs, name, TypeFloat, shape);

    /// <summary>An int64 input; a negative size is left open.</summary>
    public string InputIds(string name, params int[] shape) => Declare(_inputs, name, TypeInt64, shape);

    /// <summary>Makes a value an fp32 output; a negative size is left open.</summary>
    public void Output(string name, params int[] shape) => Declare(_outputs, name, TypeFloat, shape);

    /// <summary>An fp32 constant.</summary>
    public string Constant(ReadOnlySpan<float> values, params int[] shape) =>
        Constant(TypeFloat, MemoryMarshal.AsBytes(values), shape);

    /// <summary>A one-dimensional int64 constant.</summary>
    public string Integers(params long[] values) =>
        Constant(TypeInt64, MemoryMarshal.AsBytes(values.AsSpan()), [values.Length]);

    /// <summary>An int64 constant without axes.</summary>
    public string Integer(long value) => Constant(TypeInt64, MemoryMarshal.AsBytes(new ReadOnlySpan<long>(in value)),
        []);

    /// <summary>A node of one output.</summary>
    public string Node(string operation, string[] inputs, string domain = "",
        params (string Name, object Value)[] attributes) => Node(operation, inputs, 1, domain, attributes)[0];

    /// <summary>A node; an empty name among the inputs leaves an optional one out.</summary>
    public string[] Node(string operation, string[] inputs, int outputs, string domain,
        params (string Name, object Value)[] attributes)
    {
        string[] results = [.. Enumerable.Range(0, outputs).Select(_ => NewName())];
        _nodes.Add(Message(node =>
        {
            foreach (string input in inputs)
                Text(node, 1, input);
            foreach (string result in results)
                Text(node, 2, result);
            Text(node, 4, operation);
            foreach ((string name, object value) in attributes)
                Bytes(node, 5, Attribute(name, value));
            if (domain.Length > 0)
                Text(node, 7, domain);
        }));
        return results;
    }

    /// <summary>The finished model file.</summary>
    public byte[] ToModel()
    {
        byte[] graph = Message(writer =>
        {
            foreach (byte[] node in _nodes)
                Bytes(writer, 1, node);
            Text(writer, 2, "graph");
            foreach (byte[] constant in _constants)
                Bytes(writer, 5, constant);
            foreach (byte[] input in _inputs)
                Bytes(writer, 11, input);
            foreach (byte[] output in _outputs)
                Bytes(writer, 12, output);
        }, _constants.Sum(constant => (long)constant.Length));
        return Message(model =>
        {
            Integer(model, 1, 8);
            Bytes(model, 7, graph);
            Bytes(model, 8, OperatorSet("", 17));
            Bytes(model, 8, OperatorSet(Microsoft, 1));
        }, graph.Length);
    }

    private string NewName() => $"v{_names++}";

    private string Constant(int type, ReadOnlySpan<byte> data, int[] shape)
    {
        string name = NewName();
        ByteString bytes = ByteString.CopyFrom(data);
        _constants.Add(Message(tensor =>
        {
            foreach (int size in shape)
                Integer(tensor, 1, size);
            Integer(tensor, 2, type);
            Text(tensor, 8, name);
            tensor.WriteTag(9, WireFormat.WireType.LengthDelimited);
            tensor.WriteBytes(bytes);
        }, data.Length));
        return name;
    }

    private static string Declare(List<byte[]> list, string name, int type, int[] shape)
    {
        byte[] axes = Message(writer =>
        {
            foreach (int size in shape)
                Bytes(writer, 1, Message(axis =>
                {
                    if (size < 0)
                        Text(axis, 2, "N");
                    else
                        Integer(axis, 1, size);
                }));
        });
        byte[] tensor = Message(writer =>
        {
            Integer(writer, 1, type);
            Bytes(writer, 2, axes);
        });
        list.Add(Message(writer =>
        {
            Text(writer, 1, name);
            Bytes(writer, 2, Message(value => Bytes(value, 1, tensor)));
        }));
        return name;
    }

    private static byte[] Attribute(string name, object value) => Message(writer =>
    {
        Text(writer, 1, name);
        switch (value)
        {
            case float number:
                writer.WriteTag(2, WireFormat.WireType.Fixed32);
                writer.WriteFloat(number);
                Integer(writer, 20, AttributeFloat);
                break;
            case int number:
                Integer(writer, 3, number);
                Integer(writer, 20, AttributeInt);
                break;
            case int[] numbers:
                foreach (int number in numbers)
                    Integer(writer, 8, number);
                Integer(writer, 20, AttributeInts);
                break;
            default:
                throw new ArgumentException($"attribute {name}: {value.GetType()} is not written here");
        }
    });

    private static byte[] OperatorSet(string domain, int version) => Message(writer =>
    {
        Text(writer, 1, domain);
        Integer(writer, 2, version);
    });

    private static byte[] Message(Action<CodedOutputStream> write, long expectedBytes = 0)
    {
        using var memory = new MemoryStream(checked((int)(expectedBytes + 1024)));
        using (var writer = new CodedOutputStream(memory, leaveOpen: true))
            write(writer);
        return memory.ToArray();
    }

    private static void Integer(CodedOutputStream writer, int field, long value)
    {
        writer.WriteTag(field, WireFormat.WireType.Varint);
        writer.WriteInt64(value);
    }

    private static void Text(CodedOutputStream writer, int field, string value)
    {
        writer.WriteTag(field, WireFormat.WireType.LengthDelimited);
        writer.WriteString(value);
    }

    private static void Bytes(CodedOutputStream writer, int field, byte[] value)
    {
        writer.WriteTag(field, WireFormat.WireType.LengthDelimited);
        writer.WriteBytes(UnsafeByteOperations.UnsafeWrap(value));
    }
}
