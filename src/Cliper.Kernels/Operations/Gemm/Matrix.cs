using Cliper.Kernels.Memory;

namespace Cliper.Kernels.Operations;

/// <summary>
/// A matrix in an array: element (r, c) at r * <paramref name="RowStride"/> + c * <paramref name="ColumnStride"/>. A
/// transpose is a change of strides; a part of a wider matrix has a row stride larger than its columns.
/// </summary>
/// <param name="Data">fp32 elements, the first one at (0, 0).</param>
/// <param name="Rows">Number of rows.</param>
/// <param name="Columns">Number of columns.</param>
/// <param name="RowStride">Elements from one row to the next.</param>
/// <param name="ColumnStride">Elements from one column to the next.</param>
public readonly record struct Matrix(DeviceArray Data, int Rows, int Columns, long RowStride, long ColumnStride)
{
    /// <summary>A row-major matrix without gaps.</summary>
    public Matrix(DeviceArray data, int rows, int columns)
        : this(data, rows, columns, columns, 1)
    {
    }

    /// <summary>The transpose of the same elements.</summary>
    public Matrix Transposed => new(Data, Columns, Rows, ColumnStride, RowStride);

    /// <summary>This matrix, transposed when <paramref name="transpose"/>.</summary>
    public Matrix TransposedIf(bool transpose) => transpose ? Transposed : this;

    internal void CheckFits(string name)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(Rows, name);
        ArgumentOutOfRangeException.ThrowIfNegative(Columns, name);
        if (Data.IsNull)
            throw new ArgumentNullException(name);
        if (RowStride < 0 || ColumnStride < 0)
            throw new ArgumentException($"{name} has a negative stride", name);
        long last = Rows == 0 || Columns == 0 ? -1 : (Rows - 1) * RowStride + (Columns - 1) * ColumnStride;
        if (last >= Data.Length)
            throw new ArgumentException(
                $"{name} has {Data.Length} elements, [{Rows}, {Columns}] with these strides needs {last + 1}", name);
    }
}

/// <summary>
/// Matrices of equal size and strides in one array, each a stride behind the one before; a stride of 0 repeats the same
/// matrix.
/// </summary>
/// <param name="First">The first matrix; its array reaches over all.</param>
/// <param name="Stride">Elements from one matrix to the next.</param>
public readonly record struct MatrixBatch(Matrix First, long Stride)
{
    /// <summary>The transposes of the same elements.</summary>
    public MatrixBatch Transposed => this with { First = First.Transposed };

    /// <summary>One of the matrices.</summary>
    internal Matrix At(int index)
    {
        long start = Stride * index;
        return First with { Data = First.Data.Slice(start, First.Data.Length - start) };
    }
}
