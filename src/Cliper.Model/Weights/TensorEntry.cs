namespace Cliper.Model.Weights;

/// <summary>Type of the elements of a stored tensor. The names are safetensors' own.</summary>
public enum TensorType
{
    /// <summary>One byte, 0 or 1.</summary>
    Bool,

    /// <summary>Unsigned byte.</summary>
    U8,

    /// <summary>Signed byte.</summary>
    I8,

    /// <summary>Signed 16-bit integer.</summary>
    I16,

    /// <summary>Unsigned 16-bit integer.</summary>
    U16,

    /// <summary>IEEE half precision.</summary>
    F16,

    /// <summary>The upper half of single precision.</summary>
    BF16,

    /// <summary>Signed 32-bit integer.</summary>
    I32,

    /// <summary>Unsigned 32-bit integer.</summary>
    U32,

    /// <summary>IEEE single precision.</summary>
    F32,

    /// <summary>Signed 64-bit integer.</summary>
    I64,

    /// <summary>Unsigned 64-bit integer.</summary>
    U64,

    /// <summary>IEEE double precision.</summary>
    F64,
}

/// <summary>Facts about element types.</summary>
public static class TensorTypes
{
    /// <summary>Bytes of one element.</summary>
    public static int Size(this TensorType type) => type switch
    {
        TensorType.Bool or TensorType.U8 or TensorType.I8 => 1,
        TensorType.I16 or TensorType.U16 or TensorType.F16 or TensorType.BF16 => 2,
        TensorType.I32 or TensorType.U32 or TensorType.F32 => 4,
        _ => 8,
    };

    /// <summary>The type of a safetensors name such as "F32"; false for others, and for any other spelling.</summary>
    public static bool TryParse(string? name, out TensorType type)
    {
        // Enum.TryParse alone would also take numbers.
        if (Enum.TryParse(name, out type) && type.ToString() == name)
            return true;
        if (name == "BOOL")
        {
            type = TensorType.Bool;
            return true;
        }
        type = default;
        return false;
    }

    /// <summary>The name in a safetensors header.</summary>
    public static string SafeTensorsName(this TensorType type) =>
        type == TensorType.Bool ? "BOOL" : type.ToString();
}

/// <summary>A stored tensor as a file's header describes it.</summary>
/// <param name="Name">Its name, unique in the file.</param>
/// <param name="Type">Type of its elements.</param>
/// <param name="Shape">Sizes of its axes, outermost first; empty for a scalar. Not negative.</param>
public sealed record TensorEntry(string Name, TensorType Type, IReadOnlyList<long> Shape)
{
    /// <summary>Number of elements.</summary>
    /// <exception cref="OverflowException">More than fit 64 bits; readers refuse such an entry.</exception>
    public long Count
    {
        get
        {
            // With a zero among the sizes there is nothing, however large the others are.
            if (Shape.Contains(0))
                return 0;
            long count = 1;
            foreach (long size in Shape)
                count = checked(count * size);
            return count;
        }
    }

    /// <summary>Number of bytes.</summary>
    public long Bytes => checked(Count * Type.Size());

    /// <summary>Type and shape, such as "F32 [768, 512]".</summary>
    public override string ToString() => $"{Type.SafeTensorsName()} {ShapeText(Shape)}";

    internal static string ShapeText(IEnumerable<long> shape) => $"[{string.Join(", ", shape)}]";
}
