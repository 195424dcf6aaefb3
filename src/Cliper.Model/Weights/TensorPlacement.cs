using System.Runtime.InteropServices;
using Cliper.Model.IO;

namespace Cliper.Model.Weights;

/// <summary>Where the elements of a PyTorch tensor are in its file.</summary>
/// <param name="Storage">The byte at which its storage begins.</param>
/// <param name="Offset">Index of its first element in the storage.</param>
/// <param name="Strides">Elements from one index to the next, by axis.</param>
/// <param name="Contiguous">Whether the elements stand in row-major order without gaps.</param>
/// <param name="Extent">Elements from the first to the last of a tensor that is not contiguous; else 0.</param>
internal sealed record TensorPlacement(long Storage, long Offset, long[] Strides, bool Contiguous, int Extent)
{
    /// <summary>Bytes of the tensor in row-major order, gathered where its elements are spread.</summary>
    /// <param name="file">The tensor's file.</param>
    /// <param name="entry">The tensor.</param>
    /// <param name="offset">First byte, counted in row-major order.</param>
    /// <param name="length">Number of bytes.</param>
    public FileBytes ReadPiece(ReadOnlyFile file, TensorEntry entry, long offset, int length)
    {
        int size = entry.Type.Size();
        if (Contiguous)
            return file.ReadPiece(Storage + Offset * size + offset, length);
        var elements = new byte[length];
        switch (size)
        {
            case 1: Gather<byte>(elements, file, entry, offset); break;
            case 2: Gather<ushort>(elements, file, entry, offset); break;
            case 4: Gather<uint>(elements, file, entry, offset); break;
            default: Gather<ulong>(elements, file, entry, offset); break;
        }
        return new FileBytes(elements);
    }

    /// <summary>Fills <paramref name="target"/> with elements from the one at byte <paramref name="offset"/> of the
    /// tensor in row-major order on, a row of the last axis at a time.</summary>
    private void Gather<T>(byte[] target, ReadOnlyFile file, TensorEntry entry, long offset) where T : unmanaged
    {
        Span<T> elements = MemoryMarshal.Cast<byte, T>(target.AsSpan());
        int size = entry.Type.Size(), axes = entry.Shape.Count;
        using FileBytes piece = file.ReadPiece(Storage + Offset * size, Extent * size);
        ReadOnlySpan<T> stored = MemoryMarshal.Cast<byte, T>(piece.Span);
        // A strided tensor has an axis, and none of size zero.
        long row = entry.Shape[axes - 1], stride = Strides[axes - 1];
        long index = offset / size;
        while (elements.Length > 0)
        {
            long rest = index / row, column = index % row, at = column * stride;
            for (int axis = axes - 2; axis >= 0; axis--)
            {
                at += rest % entry.Shape[axis] * Strides[axis];
                rest /= entry.Shape[axis];
            }
            int count = (int)Math.Min(row - column, elements.Length);
            for (int i = 0; i < count; i++)
                elements[i] = stored[(int)(at + i * stride)];
            elements = elements[count..];
            index += count;
        }
    }
}
