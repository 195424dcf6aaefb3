namespace Cliper.Model.Export;

/// <summary>Element types of ONNX tensors, by their numbers in onnx.proto3 (TensorProto.DataType).</summary>
internal enum OnnxType
{
    /// <summary>32-bit floating point.</summary>
    Float = 1,

    /// <summary>Unsigned bytes.</summary>
    UInt8 = 2,

    /// <summary>64-bit integers.</summary>
    Int64 = 7,

    /// <summary>16-bit floating point (IEEE 754 binary16).</summary>
    Float16 = 10,
}

/// <summary>Numbers of the fields of onnx.proto3 that a graph with constants needs.</summary>
internal static class OnnxFields
{
    /// <summary>Fields of ModelProto.</summary>
    public const int IrVersion = 1, ProducerName = 2, ProducerVersion = 3, DocString = 6, Graph = 7, OperatorSet = 8,
        Metadata = 14;

    /// <summary>Fields of GraphProto.</summary>
    public const int Nodes = 1, GraphName = 2, Initializers = 5, Inputs = 11, Outputs = 12;

    /// <summary>Fields of NodeProto.</summary>
    public const int NodeInputs = 1, NodeOutputs = 2, NodeName = 3, Operator = 4, Attributes = 5, Domain = 7;

    /// <summary>Fields of AttributeProto, and its type numbers.</summary>
    public const int AttributeName = 1, AttributeFloat = 2, AttributeInteger = 3, AttributeIntegers = 8,
        AttributeType = 20, TypeFloat = 1, TypeInteger = 2, TypeIntegers = 7;

    /// <summary>Fields of TensorProto.</summary>
    public const int Dimensions = 1, DataType = 2, TensorName = 8, RawData = 9;

    /// <summary>Fields of ValueInfoProto, TypeProto, its tensor type, TensorShapeProto and its dimensions.</summary>
    public const int ValueName = 1, ValueType = 2, TensorType = 1, ElementType = 1, Shape = 2, Dimension = 1,
        DimensionValue = 1, DimensionName = 2;

    /// <summary>Fields of OperatorSetIdProto and StringStringEntryProto.</summary>
    public const int SetDomain = 1, SetVersion = 2, Key = 1, Value = 2;
}
