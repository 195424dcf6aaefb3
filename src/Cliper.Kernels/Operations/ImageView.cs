using Cliper.Kernels.Memory;

namespace Cliper.Kernels.Operations;

/// <summary>A picture in a device's memory, one of many of different sizes that an operation takes at once.</summary>
/// <param name="Pixels">uint8 [Height, Width, Channels].</param>
/// <param name="Width">Columns.</param>
/// <param name="Height">Rows.</param>
/// <param name="Channels">1 (gray) or 3.</param>
public readonly record struct ImageView(DeviceArray Pixels, int Width, int Height, int Channels)
{
    /// <summary>Bytes of a row.</summary>
    internal int Line => Width * Channels;

    /// <summary>The bytes, on the host.</summary>
    internal unsafe Span<byte> Bytes => new(Pixels.Bytes8, checked((int)Pixels.Length));

    /// <summary>Throws unless sizes and array suit each other.</summary>
    internal void Check(string name)
    {
        if (Channels is not (1 or 3) || Width < 1 || Height < 1)
            throw new ArgumentException(
                $"{name} is [{Height}, {Width}, {Channels}]; at least one pixel, and 1 or 3 channels", name);
        Operations.Check.Length(Pixels, (long)Width * Height * Channels, name, ElementType.UInt8);
    }
}
