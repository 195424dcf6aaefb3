using Kernel = Cliper.Kernels.Operations.BatchNorm;

namespace Cliper.Autograd;

/// <summary>The tensors of a batch normalization, each [channels].</summary>
/// <param name="Gamma">Scale.</param>
/// <param name="Beta">Shift.</param>
/// <param name="RunningMean">Running means, written by training passes.</param>
/// <param name="RunningVariance">Running unbiased variances, written by training passes.</param>
public readonly record struct BatchNormWeights(Tensor Gamma, Tensor Beta, Tensor RunningMean, Tensor RunningVariance)
{
    /// <summary>
    /// Folds the normalization by running statistics into the convolution before it: with s = gamma / sqrt(variance +
    /// epsilon), weight s and beta - mean s. Computed in fp64 on the host.
    /// </summary>
    /// <param name="weight">The convolution's weight, [channels, ...]; it has no bias of its own.</param>
    /// <param name="epsilon">Added to the variance.</param>
    /// <returns>New tensors on the weight's device, which the caller disposes: a weight of the same shape, and a bias,
    /// [channels].</returns>
    /// <exception cref="ArgumentException">The weight has another number of features than there are
    /// channels.</exception>
    public (Tensor Weight, Tensor Bias) Fold(Tensor weight, float epsilon = Kernel.DefaultEpsilon)
    {
        float[] gamma = Gamma.ToArray(), beta = Beta.ToArray(), mean = RunningMean.ToArray(),
            variance = RunningVariance.ToArray(), folded = weight.ToArray(), bias = new float[gamma.Length];
        if (weight.Shape.Rank == 0 || weight.Shape[0] != gamma.Length)
            throw new ArgumentException($"weight is {weight.Shape}, expected {gamma.Length} features",
                nameof(weight));
        int each = folded.Length / Math.Max(1, gamma.Length);
        for (int channel = 0; channel < gamma.Length; channel++)
        {
            double scale = gamma[channel] / Math.Sqrt(variance[channel] + (double)epsilon);
            bias[channel] = (float)(beta[channel] - mean[channel] * scale);
            foreach (ref float element in folded.AsSpan(channel * each, each))
                element = (float)(element * scale);
        }
        return (Tensor.From(weight.Device, folded, weight.Shape), Tensor.From(weight.Device, bias, Gamma.Shape));
    }
}
