namespace Cliper.Kernels.Memory;

/// <summary>What one element of a <see cref="DeviceArray"/> is.</summary>
public enum ElementType
{
    /// <summary>IEEE single precision, 4 bytes: everything on the host, statistics and losses everywhere.</summary>
    Float32,

    /// <summary>IEEE half precision, 2 bytes: activations on a GPU, and what products read of weights.</summary>
    Float16,

    /// <summary>The upper half of single precision, 2 bytes: in the place of <see cref="Float16"/> where it is asked for.</summary>
    BFloat16,

    /// <summary>32-bit signed integer: token ids, labels, row indices.</summary>
    Int32,

    /// <summary>Unsigned byte: pixels.</summary>
    UInt8,
}

/// <summary>Sizes of the element types.</summary>
public static class ElementTypes
{
    /// <summary>Bytes of one element of <paramref name="type"/>.</summary>
    public static int Size(this ElementType type) => type switch
    {
        ElementType.Float32 or ElementType.Int32 => 4,
        ElementType.Float16 or ElementType.BFloat16 => 2,
        ElementType.UInt8 => 1,
        _ => throw new ArgumentOutOfRangeException(nameof(type), type, null),
    };

    /// <summary>As people write it, such as "fp16".</summary>
    public static string Describe(this ElementType type) => type switch
    {
        ElementType.Float32 => "fp32",
        ElementType.Float16 => "fp16",
        ElementType.BFloat16 => "bf16",
        ElementType.Int32 => "int32",
        ElementType.UInt8 => "uint8",
        _ => throw new ArgumentOutOfRangeException(nameof(type), type, null),
    };
}
