using Cliper.Kernels.Operations;

namespace Cliper.References;

/// <summary>y = gamma (x - mean) rstd + beta, where rstd = 1 / sqrt(variance + epsilon), for each row.</summary>
internal static class LayerNormReference
{
    /// <summary>Computes y [rows, width], and of each row its mean and rstd [rows].</summary>
    public static void Forward(double[] x, (double[] Gamma, double[] Beta) parameters, double[] y, double[] means,
        double[] rstds)
    {
        int rows = means.Length, width = parameters.Gamma.Length;
        for (int row = 0; row < rows; row++)
        {
            double mean = 0, variance = 0;
            for (int i = 0; i < width; i++)
                mean += x[row * width + i] / width;
            for (int i = 0; i < width; i++)
                variance += Math.Pow(x[row * width + i] - mean, 2) / width;
            (means[row], rstds[row]) = (mean, 1 / Math.Sqrt(variance + LayerNorm.DefaultEpsilon));
            for (int i = 0; i < width; i++)
                y[row * width + i] = (x[row * width + i] - mean) * rstds[row] * parameters.Gamma[i]
                    + parameters.Beta[i];
        }
    }

    /// <summary>
    /// Adds to dx [rows, width], dgamma [width] and dbeta [width]; with n = (x - mean) rstd and g = dy gamma,
    /// dx = rstd (g - average of g - n average of g n).
    /// </summary>
    public static void Backward(double[] x, double[] gamma, (double[] Mean, double[] Rstd) statistics, double[] dy,
        double[] dx, double[] dgamma, double[] dbeta)
    {
        int rows = statistics.Mean.Length, width = gamma.Length;
        for (int row = 0; row < rows; row++)
        {
            double mean = statistics.Mean[row], rstd = statistics.Rstd[row], averageG = 0, averageGn = 0;
            for (int i = 0; i < width; i++)
            {
                double n = (x[row * width + i] - mean) * rstd, d = dy[row * width + i];
                averageG += d * gamma[i] / width;
                averageGn += d * gamma[i] * n / width;
                dgamma[i] += d * n;
                dbeta[i] += d;
            }
            for (int i = 0; i < width; i++)
            {
                int at = row * width + i;
                double n = (x[at] - mean) * rstd;
                dx[at] += rstd * (dy[at] * gamma[i] - averageG - n * averageGn);
            }
        }
    }
}
