namespace Cliper.References;

/// <summary>y = e^x / sum of e^x over each row of <c>width</c> elements.</summary>
internal static class SoftmaxReference
{
    /// <summary>Computes y [rows, width] of x [rows, width].</summary>
    public static void Forward(double[] x, double[] y, int rows, int width)
    {
        for (int row = 0; row < rows; row++)
        {
            double sum = 0;
            for (int i = row * width; i < (row + 1) * width; i++)
                sum += Math.Exp(x[i]);
            for (int i = row * width; i < (row + 1) * width; i++)
                y[i] = Math.Exp(x[i]) / sum;
        }
    }

    /// <summary>Adds y (dy - sum of dy y) to dx.</summary>
    public static void Backward(double[] y, double[] dy, double[] dx, int rows, int width)
    {
        for (int row = 0; row < rows; row++)
        {
            double sum = 0;
            for (int i = row * width; i < (row + 1) * width; i++)
                sum += dy[i] * y[i];
            for (int i = row * width; i < (row + 1) * width; i++)
                dx[i] += y[i] * (dy[i] - sum);
        }
    }
}
