namespace Cliper.Kernels.Memory;

/// <summary>Type of an element of a <see cref="DeviceArray"/>.</summary>
public enum ElementType
{
    /// <summary>IEEE single precision, 4 bytes: everything on the CPU, statistics and losses everywhere.</summary>
    Float32,

    /// <summary>
    /// IEEE half precision, 2 bytes: activations on a GPU, and the copies of weights that GEMMs read.
    /// </summary>
    Float16,

    /// <summary>
    /// The upper half of single precision, 2 bytes: takes the place of <see cref="Float16"/> on request.
    /// </summary>
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

    /// <summary>Name for people, such as "fp16".</summary>
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
