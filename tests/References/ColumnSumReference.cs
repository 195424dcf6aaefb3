namespace Cliper.References;

/// <summary>The sums of the columns of rows that begin <c>stride</c> elements apart.</summary>
internal static class ColumnSumReference
{
    /// <summary>Adds the sums to y [width].</summary>
    public static void Forward(double[] x, double[] y, int rows, int width, int stride)
    {
        for (int row = 0; row < rows; row++)
            for (int column = 0; column < width; column++)
                y[column] += x[row * stride + column];
    }
}
