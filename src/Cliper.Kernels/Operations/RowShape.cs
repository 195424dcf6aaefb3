namespace Cliper.Kernels.Operations;

/// <summary>The shape [rows, width] of what an operation does row by row.</summary>
/// <param name="Rows">Number of rows.</param>
/// <param name="Width">Elements of a row.</param>
public readonly record struct RowShape(int Rows, int Width)
{
    /// <summary>Elements of all rows.</summary>
    public long Count => (long)Rows * Width;
}
