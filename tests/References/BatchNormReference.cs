using Cliper.Kernels.Operations;

namespace Cliper.References;

/// <summary>
/// y = gamma (x - mean) / sqrt(variance + epsilon) + beta for each channel, the last of x [rows, channels]; a residual
/// may be added and a ReLU may follow.
/// </summary>
internal static class BatchNormReference
{
    /// <summary>Numbers of each channel.</summary>
    public sealed record Parameters(double[] Gamma, double[] Beta, double[] Mean, double[] Variance)
    {
        /// <summary>The inverse standard deviation of a channel.</summary>
        public double Rstd(int channel) => 1 / Math.Sqrt(Variance[channel] + BatchNorm.DefaultEpsilon);
    }

    /// <summary>Computes each channel's mean and biased variance.</summary>
    public static void Statistics(double[] x, double[] mean, double[] variance)
    {
        int channels = mean.Length, rows = x.Length / channels;
        Array.Clear(mean);
        Array.Clear(variance);
        for (int i = 0; i < x.Length; i++)
            mean[i % channels] += x[i] / rows;
        for (int i = 0; i < x.Length; i++)
            variance[i % channels] += Math.Pow(x[i] - mean[i % channels], 2) / rows;
    }

    /// <summary>Moves the running numbers a momentum's part toward the batch's, the variance unbiased.</summary>
    public static void UpdateRunning(double[] mean, double[] variance, double[] runningMean, double[] runningVariance,
        long rows)
    {
        const double Momentum = BatchNorm.DefaultMomentum;
        for (int c = 0; c < mean.Length; c++)
        {
            runningMean[c] += Momentum * (mean[c] - runningMean[c]);
            runningVariance[c] += Momentum * (variance[c] * rows / (rows - 1) - runningVariance[c]);
        }
    }

    /// <summary>Computes y in the shape of x.</summary>
    public static void Forward(double[] x, Parameters parameters, double[]? residual, double[] y, bool relu)
    {
        int channels = parameters.Gamma.Length;
        for (int i = 0; i < x.Length; i++)
        {
            int c = i % channels;
            y[i] = (x[i] - parameters.Mean[c]) * parameters.Rstd(c) * parameters.Gamma[c] + parameters.Beta[c]
                + (residual?[i] ?? 0);
            if (relu)
                y[i] = Math.Max(y[i], 0);
        }
    }

    /// <summary>The gradient by the ReLU's argument: dy where y is positive, zero elsewhere.</summary>
    public static double[] PassRelu(double[] dy, double[] y) => [.. dy.Zip(y, (d, value) => value <= 0 ? 0 : d)];

    /// <summary>
    /// Adds to dx, dgamma and dbeta for the gradient g by the sum before the ReLU; the mean and variance depend on x
    /// where they are the batch's.
    /// </summary>
    public static void Backward(double[] x, Parameters parameters, double[] g, double[] dx, double[] dgamma,
        double[] dbeta, bool batchStatistics)
    {
        int channels = parameters.Gamma.Length, rows = x.Length / channels;
        double[] sums = new double[channels], products = new double[channels];
        for (int i = 0; i < x.Length; i++)
        {
            sums[i % channels] += g[i];
            products[i % channels] += g[i] * Normalized(i);
        }
        for (int c = 0; c < channels; c++)
        {
            dgamma[c] += products[c];
            dbeta[c] += sums[c];
        }
        for (int i = 0; i < x.Length; i++)
        {
            int c = i % channels;
            dx[i] += parameters.Gamma[c] * parameters.Rstd(c) * (batchStatistics
                ? g[i] - sums[c] / rows - Normalized(i) * products[c] / rows : g[i]);
        }

        double Normalized(int i) => (x[i] - parameters.Mean[i % channels]) * parameters.Rstd(i % channels);
    }
}
