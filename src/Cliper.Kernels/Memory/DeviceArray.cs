using System.Diagnostics;

namespace Cliper.Kernels.Memory;

/// <summary>
/// A run of elements in a device's memory. It is a value, not an owner: <see cref="Device.Allocate"/> allocates one,
/// <see cref="Device.Free"/> frees it, and <see cref="Slice"/> is a view of a part of it.
/// </summary>
/// <param name="Device">The device in whose memory it lies.</param>
/// <param name="Address">Address of the first element, valid on <paramref name="Device"/>.</param>
/// <param name="Length">Number of elements.</param>
/// <param name="Type">Type of an element.</param>
public readonly record struct DeviceArray(Device Device, nint Address, long Length, ElementType Type)
{
    /// <summary>Size in bytes.</summary>
    public long Bytes => Length * Type.Size();

    /// <summary>Whether this is no array at all (the default value), as optional arguments are passed.</summary>
    public bool IsNull => Address == 0;

    /// <summary>
    /// The elements [<paramref name="start"/>, <paramref name="start"/> + <paramref name="length"/>).
    /// </summary>
    /// <exception cref="ArgumentOutOfRangeException">The range reaches outside this array.</exception>
    public DeviceArray Slice(long start, long length)
    {
        if (start < 0 || length < 0 || start > Length - length)
            throw new ArgumentOutOfRangeException(nameof(start), $"[{start}, {start + length}) of {Length} elements");
        return this with { Address = Address + (nint)(start * Type.Size()), Length = length };
    }

    /// <summary>The elements as a span; only arrays of the CPU's device have one.</summary>
    /// <exception cref="InvalidOperationException">The array lies on another device, or is of another type.</exception>
    public unsafe Span<T> AsSpan<T>() where T : unmanaged
    {
        if (!Device.HasSpans)
            throw new InvalidOperationException($"an array on {Device.Name} has no span: download it first");
        if (sizeof(T) != Type.Size())
            throw new InvalidOperationException($"elements are {Type}, not {typeof(T).Name}");
        return new Span<T>((void*)Address, checked((int)Length));
    }

    /// <summary>Pointer for CPU kernels; null for a null array.</summary>
    internal unsafe float* Floats
    {
        get
        {
            Debug.Assert(IsNull || (Device.HasSpans && Type == ElementType.Float32));
            return (float*)Address;
        }
    }

    /// <summary>Pointer for CPU kernels; null for a null array.</summary>
    internal unsafe int* Ints
    {
        get
        {
            Debug.Assert(IsNull || (Device.HasSpans && Type == ElementType.Int32));
            return (int*)Address;
        }
    }

    /// <summary>Pointer for CPU kernels; null for a null array.</summary>
    internal unsafe byte* Bytes8
    {
        get
        {
            Debug.Assert(IsNull || (Device.HasSpans && Type == ElementType.UInt8));
            return (byte*)Address;
        }
    }
}
