namespace Cliper.Kernels.Operations;

/// <summary>A rectangle of whole pixels: columns [X, X + Width), rows [Y, Y + Height).</summary>
/// <param name="X">First column.</param>
/// <param name="Y">First row.</param>
/// <param name="Width">Columns.</param>
/// <param name="Height">Rows.</param>
public readonly record struct PixelBox(int X, int Y, int Width, int Height)
{
    /// <summary>Throws unless the box is not empty and lies inside a picture.</summary>
    internal void Check(int width, int height, string name)
    {
        if (X < 0 || Y < 0 || Width < 1 || Height < 1 || X > width - Width || Y > height - Height)
            throw new ArgumentException($"{name} is {this}, outside a picture of {width} x {height}", name);
    }
}
