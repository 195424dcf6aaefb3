using Cliper.Kernels.Devices;

namespace Cliper.Kernels.Operations;

/// <summary>Argument checks of the operations' contracts.</summary>
internal static class Check
{
    /// <summary>Throws unless <paramref name="array"/> has exactly <paramref name="length"/> elements of <paramref name="type"/>.</summary>
    public static void Length(DeviceArray array, long length, string name, ElementType type = ElementType.Float32)
    {
        if (array.IsNull)
            throw new ArgumentNullException(name);
        if (array.Length != length)
            throw new ArgumentException($"{name} has {array.Length} elements, expected {length}", name);
        if (array.Device is HostDevice && array.Type != type)
            throw new ArgumentException($"{name} is {array.Type}, expected {type}", name);
    }

    /// <summary>As <see cref="Length"/>, but a null array passes.</summary>
    public static void OptionalLength(DeviceArray array, long length, string name, ElementType type = ElementType.Float32)
    {
        if (!array.IsNull)
            Length(array, length, name, type);
    }

    /// <summary>For the last case of an operation's choice of implementation.</summary>
    public static NotSupportedException NoImplementation(string operation, Device device) =>
        new($"{operation} has no implementation for {device.Name}");
}
