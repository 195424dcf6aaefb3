using Google.Protobuf;
using static Cliper.Model.Export.Protobuf;

namespace Cliper.Model.Export;

/// <summary>A node of a graph.</summary>
/// <param name="Operation">The operator.</param>
/// <param name="Domain">Whose operator it is; empty for a standard one.</param>
/// <param name="Inputs">Names of values; an empty one leaves an optional input out.</param>
/// <param name="Outputs">Names of values.</param>
/// <param name="Attributes">Each a float, an int or an array of ints.</param>
internal sealed record OnnxNode(string Operation, string Domain, IReadOnlyList<string> Inputs,
    IReadOnlyList<string> Outputs, IReadOnlyList<(string Name, object Value)> Attributes)
{
    /// <summary>The node's message.</summary>
    /// <param name="nameOf">Gives the name of a value in the file.</param>
    public byte[] Encode(Func<string, string> nameOf) => Message(node =>
    {
        foreach (string input in Inputs)
            node.Put(OnnxFields.NodeInputs, nameOf(input));
        foreach (string output in Outputs)
            node.Put(OnnxFields.NodeOutputs, nameOf(output));
        node.Put(OnnxFields.NodeName, $"{Operation}_{Outputs[0]}");
        node.Put(OnnxFields.Operator, Operation);
        foreach ((string name, object value) in Attributes)
            node.Put(OnnxFields.Attributes, Attribute(name, value));
        if (Domain.Length > 0)
            node.Put(OnnxFields.Domain, Domain);
    });

    private static byte[] Attribute(string name, object value) => Message(writer =>
    {
        writer.Put(OnnxFields.AttributeName, name);
        switch (value)
        {
            case float number:
                writer.WriteTag(OnnxFields.AttributeFloat, WireFormat.WireType.Fixed32);
                writer.WriteFloat(number);
                writer.Put(OnnxFields.AttributeType, OnnxFields.TypeFloat);
                break;
            case int number:
                writer.Put(OnnxFields.AttributeInteger, number);
                writer.Put(OnnxFields.AttributeType, OnnxFields.TypeInteger);
                break;
            case int[] numbers:
                foreach (int number in numbers)
                    writer.Put(OnnxFields.AttributeIntegers, number);
                writer.Put(OnnxFields.AttributeType, OnnxFields.TypeIntegers);
                break;
            default:
                throw new ArgumentException($"attribute {name}: {value.GetType()} is not written here");
        }
    });
}

/// <summary>A constant of a graph (TensorProto).</summary>
/// <param name="Name">Its name.</param>
/// <param name="Type">Type of its elements.</param>
/// <param name="Shape">Sizes of its axes; empty for a scalar.</param>
/// <param name="Write">Writes its elements, row-major, little-endian.</param>
internal sealed record OnnxConstant(string Name, OnnxType Type, IReadOnlyList<int> Shape, Action<Stream> Write)
{
    /// <summary>Number of elements.</summary>
    public long Count => Shape.Aggregate(1L, (count, size) => checked(count * size));

    /// <summary>Bytes of the elements.</summary>
    public long Bytes => Count * SizeOf(Type);

    /// <summary>The message up to the elements.</summary>
    public byte[] Head() => Message(tensor =>
    {
        foreach (int size in Shape)
            tensor.Put(OnnxFields.Dimensions, size);
        tensor.Put(OnnxFields.DataType, (int)Type);
        tensor.Put(OnnxFields.TensorName, Name);
        tensor.PutHead(OnnxFields.RawData, Bytes);
    });

    /// <summary>Bytes of an element.</summary>
    public static int SizeOf(OnnxType type) => type switch
    {
        OnnxType.Float => sizeof(float),
        OnnxType.UInt8 => 1,
        OnnxType.Int64 => sizeof(long),
        OnnxType.Float16 => 2,
        _ => throw new ArgumentOutOfRangeException(nameof(type), type, null),
    };
}
