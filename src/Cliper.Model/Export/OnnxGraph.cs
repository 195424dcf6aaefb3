using System.Runtime.InteropServices;
using Cliper.Model.Weights;
using static Cliper.Model.Export.Protobuf;

namespace Cliper.Model.Export;

/// <summary>
/// An ONNX graph that is built node by node and written as one model file: the fields of onnx.proto3 that a graph with
/// constants needs. Weights are made when the file is written, one after another, so that a large model is never held
/// twice.
/// </summary>
/// <param name="opset">Version of the standard operators.</param>
/// <param name="half">Whether <see cref="Weight"/> stores fp16.</param>
internal sealed class OnnxGraph(int opset = OnnxGraph.LeastOpset, bool half = false)
{
    /// <summary>ONNX Runtime's own operators, of which version 1 is declared where they are used.</summary>
    public const string Microsoft = "com.microsoft";

    /// <summary>Versions of the standard operators that the nodes here are written for. LayerNormalization begins with
    /// 17.</summary>
    public const int LeastOpset = 17, LatestOpset = 26;

    /// <summary>The axis that a negative size leaves open.</summary>
    public const string OpenAxis = "N";

    // ReduceMean takes its axes as an input from here on.
    private const int AxesAreInputs = 18;

    // The version of the file format that came with opset 17: later readers take it with every opset.
    private const int IrVersion = 8;

    private readonly List<OnnxNode> _nodes = [];
    private readonly List<OnnxConstant> _constants = [];
    private readonly List<(string Name, OnnxType Type, int[] Shape)> _inputs = [], _outputs = [];
    private readonly Dictionary<string, string> _renamed = [];
    private readonly Dictionary<string, string> _weights = [];
    private int _names;

    /// <summary>Version of the standard operators.</summary>
    public int Opset => opset;

    /// <summary>Whether <see cref="Weight"/> stores fp16.</summary>
    public bool Half => half;

    /// <summary>Version of the program that writes the model.</summary>
    public string Version { get; set; } = "";

    /// <summary>Texts for whoever loads the model, by key.</summary>
    public SortedDictionary<string, string> Metadata { get; } = new(StringComparer.Ordinal);

    /// <summary>Numbers in all constants.</summary>
    public long Numbers => _constants.Sum(constant => constant.Count);

    /// <summary>An input of the model; a negative size is left open.</summary>
    public string Input(string name, OnnxType type, params int[] shape)
    {
        _inputs.Add((name, type, shape));
        return name;
    }

    /// <summary>Makes a node's result an output of the model; a negative size is left open.</summary>
    /// <param name="value">The result.</param>
    /// <param name="name">The name it gets; null for the one it has.</param>
    /// <param name="type">Its type.</param>
    /// <param name="shape">Its sizes.</param>
    public void Output(string value, string? name, OnnxType type, params int[] shape)
    {
        if (name is not null)
            _renamed.Add(value, name);
        _outputs.Add((name ?? value, type, shape));
    }

    /// <summary>An fp32 constant.</summary>
    public string Constant(float[] values, params int[] shape) =>
        Add(NewName(), OnnxType.Float, shape, stream => stream.Write(MemoryMarshal.AsBytes(values.AsSpan())));

    /// <summary>A one-dimensional int64 constant.</summary>
    public string Integers(params long[] values) => Add(NewName(), OnnxType.Int64, [values.Length], stream =>
        stream.Write(MemoryMarshal.AsBytes(values.AsSpan())));

    /// <summary>An int64 constant without axes.</summary>
    public string Integer(long value) => Add(NewName(), OnnxType.Int64, [], stream =>
        stream.Write(MemoryMarshal.AsBytes(new ReadOnlySpan<long>(in value))));

    /// <summary>
    /// A weight of the model under its own name. With <see cref="Half"/> one of more than one axis is stored as fp16
    /// and cast to fp32, which a runtime does once, when it loads the file; vectors are few numbers and stay fp32.
    /// </summary>
    /// <param name="name">The name; a weight that was added before is not added again.</param>
    /// <param name="values">Makes the numbers, row-major, when the file is written.</param>
    /// <param name="shape">Sizes of the axes.</param>
    /// <returns>The fp32 value.</returns>
    public string Weight(string name, Func<float[]> values, params int[] shape)
    {
        if (!half || shape.Length < 2)
            return Exact(name, values, shape);
        if (_weights.TryGetValue(name, out string? known))
            return known;
        Add(name, OnnxType.Float16, shape, stream =>
        {
            float[] numbers = values();
            if (HalfRange.CountBeyond(numbers) is > 0 and var beyond)
                throw new InputException($"{name}: {beyond} of {numbers.Length} numbers are beyond the range of fp16; "
                    + "export the model in fp32");
            SafeTensorsWriter.WriteFloats(stream, numbers, TensorType.F16);
        });
        return _weights[name] = Cast(name, OnnxType.Float);
    }

    /// <summary>A weight that is stored as fp32 always.</summary>
    /// <param name="name">The name; a weight that was added before is not added again.</param>
    /// <param name="values">Makes the numbers, row-major, when the file is written.</param>
    /// <param name="shape">Sizes of the axes.</param>
    public string Exact(string name, Func<float[]> values, params int[] shape) =>
        _weights.TryGetValue(name, out string? known) ? known : _weights[name] = Add(name, OnnxType.Float, shape,
            stream => stream.Write(MemoryMarshal.AsBytes(values().AsSpan())));

    /// <summary>Converts elements to a type.</summary>
    public string Cast(string x, OnnxType type) => Node("Cast", [x], "", ("to", (int)type));

    /// <summary>The axes in another order.</summary>
    public string Transpose(string x, params int[] order) => Node("Transpose", [x], "", ("perm", order));

    /// <summary>"AveragePool" or "MaxPool" over squares that do not overlap; those of one pixel are left out.</summary>
    public string Pool(string operation, string x, int size)
    {
        int[] square = [size, size];
        return size == 1 ? x : Node(operation, [x], "", ("kernel_shape", square), ("strides", square));
    }

    /// <summary>The mean over one axis.</summary>
    public string Mean(string x, int axis, bool keepAxis)
    {
        int keep = keepAxis ? 1 : 0;
        return opset >= AxesAreInputs ? Node("ReduceMean", [x, Integers(axis)], "", ("keepdims", keep))
            : Node("ReduceMean", [x], "", ("axes", new[] { axis }), ("keepdims", keep));
    }

    /// <summary>A node of one output.</summary>
    public string Node(string operation, string[] inputs, string domain = "",
        params (string Name, object Value)[] attributes) => Node(operation, inputs, 1, domain, attributes)[0];

    /// <summary>A node; an empty name among the inputs leaves an optional one out.</summary>
    public string[] Node(string operation, string[] inputs, int outputs, string domain,
        params (string Name, object Value)[] attributes)
    {
        string[] results = [.. Enumerable.Range(0, outputs).Select(_ => NewName())];
        _nodes.Add(new OnnxNode(operation, domain, inputs, results, attributes));
        return results;
    }

    /// <summary>The finished model file in memory.</summary>
    public byte[] ToModel()
    {
        using var memory = new MemoryStream();
        Write(memory);
        return memory.ToArray();
    }

    /// <summary>Writes the finished model file.</summary>
    /// <returns>Its size in bytes.</returns>
    /// <exception cref="InputException">It would be larger than protobuf allows, or has numbers that fp16 cannot
    /// hold.</exception>
    public long Write(Stream stream)
    {
        byte[] head = Message(graph =>
        {
            foreach (OnnxNode node in _nodes)
                graph.Put(OnnxFields.Nodes, node.Encode(NameOf));
            graph.Put(OnnxFields.GraphName, "cliper");
            foreach ((string name, OnnxType type, int[] shape) in _inputs)
                graph.Put(OnnxFields.Inputs, Declaration(name, type, shape));
            foreach ((string name, OnnxType type, int[] shape) in _outputs)
                graph.Put(OnnxFields.Outputs, Declaration(name, type, shape));
        });
        byte[][] heads = [.. _constants.Select(constant => constant.Head())];
        // The order of fields is free in protobuf: the constants come last, and are not collected before.
        long length = head.Length + _constants.Zip(heads, (constant, bytes) => LengthOf(OnnxFields.Initializers,
            bytes.Length + constant.Bytes)).Sum();
        if (length > int.MaxValue)
            throw new InputException($"the graph would have {length} bytes, and protobuf allows {int.MaxValue}");
        byte[] front = Message(model =>
        {
            model.Put(OnnxFields.IrVersion, IrVersion);
            model.Put(OnnxFields.ProducerName, "cliper-gpu");
            model.Put(OnnxFields.ProducerVersion, Version);
            model.Put(OnnxFields.OperatorSet, OperatorSet("", opset));
            if (_nodes.Any(node => node.Domain == Microsoft))
                model.Put(OnnxFields.OperatorSet, OperatorSet(Microsoft, 1));
            foreach ((string key, string value) in Metadata)
                model.Put(OnnxFields.Metadata, Message(entry =>
                {
                    entry.Put(OnnxFields.Key, key);
                    entry.Put(OnnxFields.Value, value);
                }));
            model.PutHead(OnnxFields.Graph, length);
        });
        stream.Write(front);
        stream.Write(head);
        for (int i = 0; i < heads.Length; i++)
        {
            stream.Write(Message(graph => graph.PutHead(OnnxFields.Initializers,
                heads[i].Length + _constants[i].Bytes)));
            stream.Write(heads[i]);
            _constants[i].Write(stream);
        }
        return front.Length + length;
    }

    private string NewName() => $"v{_names++}";

    private string NameOf(string value) => _renamed.GetValueOrDefault(value, value);

    private string Add(string name, OnnxType type, int[] shape, Action<Stream> write)
    {
        _constants.Add(new OnnxConstant(name, type, shape, write));
        return name;
    }

    private static byte[] Declaration(string name, OnnxType type, int[] shape)
    {
        byte[] axes = Message(writer =>
        {
            foreach (int size in shape)
                writer.Put(OnnxFields.Dimension, Message(axis =>
                {
                    if (size < 0)
                        axis.Put(OnnxFields.DimensionName, OpenAxis);
                    else
                        axis.Put(OnnxFields.DimensionValue, size);
                }));
        });
        byte[] tensor = Message(writer =>
        {
            writer.Put(OnnxFields.ElementType, (int)type);
            writer.Put(OnnxFields.Shape, axes);
        });
        return Message(writer =>
        {
            writer.Put(OnnxFields.ValueName, name);
            writer.Put(OnnxFields.ValueType, Message(value => value.Put(OnnxFields.TensorType, tensor)));
        });
    }

    private static byte[] OperatorSet(string domain, int version) => Message(writer =>
    {
        writer.Put(OnnxFields.SetDomain, domain);
        writer.Put(OnnxFields.SetVersion, version);
    });
}
