using Cliper.Kernels.Cpu;
using Cliper.Kernels.Memory;

namespace Cliper.Kernels.Operations;

/// <summary>Argument checks of the operations' contracts.</summary>
internal static class Check
{
    /// <summary>
    /// Throws unless <paramref name="array"/> has exactly <paramref name="length"/> elements of
    /// <paramref name="type"/>.
    /// </summary>
    public static void Length(DeviceArray array, long length, string name, ElementType type = ElementType.Float32)
    {
        if (array.IsNull)
            throw new ArgumentNullException(name);
        if (array.Length != length)
            throw new ArgumentException($"{name} has {array.Length} elements, expected {length}", name);
        if (array.Device is CpuDevice && array.Type != type)
            throw new ArgumentException($"{name} is {array.Type}, expected {type}", name);
    }

    /// <summary>Checks like <see cref="Length"/>, but a null array passes.</summary>
    public static void OptionalLength(DeviceArray array, long length, string name,
        ElementType type = ElementType.Float32)
    {
        if (!array.IsNull)
            Length(array, length, name, type);
    }

    /// <summary>Throws unless every label on the host lies in [0, <paramref name="classes"/>).</summary>
    public static void Labels(DeviceArray labels, int classes)
    {
        ReadOnlySpan<int> values = labels.AsSpan<int>();
        for (int row = 0; row < values.Length; row++)
            if ((uint)values[row] >= (uint)classes)
                throw new ArgumentOutOfRangeException(nameof(labels),
                    $"row {row} has label {values[row]}, outside the {classes} classes [0, {classes})");
    }

    /// <summary>For the last case of an operation's choice of implementation.</summary>
    public static NotSupportedException NoImplementation(string operation, Device device) =>
        new($"{operation} has no implementation for {device.Name}");
}
