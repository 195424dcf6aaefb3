namespace Cliper.References;

/// <summary>y = x / |x| for each row of <c>width</c> elements; a row of zeros stays zero.</summary>
internal static class L2NormalizeReference
{
    /// <summary>Computes y [rows, width] and the inverse lengths [rows], 0 for a row of zeros.</summary>
    public static void Forward(double[] x, double[] y, double[] inverse, int rows, int width)
    {
        for (int row = 0; row < rows; row++)
        {
            double squares = 0;
            for (int i = row * width; i < (row + 1) * width; i++)
                squares += x[i] * x[i];
            inverse[row] = squares == 0 ? 0 : 1 / Math.Sqrt(squares);
            for (int i = row * width; i < (row + 1) * width; i++)
                y[i] = x[i] * inverse[row];
        }
    }

    /// <summary>Adds (dy - y (y . dy)) / |x| to dx.</summary>
    public static void Backward(double[] y, double[] inverse, double[] dy, double[] dx, int rows, int width)
    {
        for (int row = 0; row < rows; row++)
        {
            double along = 0;
            for (int i = row * width; i < (row + 1) * width; i++)
                along += y[i] * dy[i];
            for (int i = row * width; i < (row + 1) * width; i++)
                dx[i] += (dy[i] - y[i] * along) * inverse[row];
        }
    }
}
