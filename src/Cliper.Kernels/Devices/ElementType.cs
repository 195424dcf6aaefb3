namespace Cliper.Kernels.Devices;

/// <summary>What one element of a <see cref="DeviceArray"/> is.</summary>
public enum ElementType
{
    /// <summary>IEEE single precision, 4 bytes: everything on the host, statistics and losses everywhere.</summary>
    Float32,

    /// <summary>IEEE half precision, 2 bytes: weights and activations on a GPU.</summary>
    Float16,

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
        ElementType.Float16 => 2,
        ElementType.UInt8 => 1,
        _ => throw new ArgumentOutOfRangeException(nameof(type), type, null),
    };
}
