using Cliper.Autograd;
using Cliper.Kernels.Operations;

namespace Cliper.Model.Clip;

/// <summary>Statistics that a BatchNorm normalizes with.</summary>
internal enum NormStatistics
{
    /// <summary>Mean and variance of the batch, which the running ones then follow: training.</summary>
    Batch,

    /// <summary>The running ones, as an operation through which gradients flow.</summary>
    Running,

    /// <summary>The running ones, folded into the weights of the convolution before: inference.</summary>
    Folded,
}

/// <summary>A convolution without a bias, and the BatchNorm after it.</summary>
/// <param name="parameters">Holds the tensors in OpenAI's naming.</param>
/// <param name="convolution">Name of the convolution, such as "visual.conv1".</param>
/// <param name="norm">Name of its BatchNorm, such as "visual.bn1".</param>
/// <param name="stride">Pixels from one window to the next.</param>
internal sealed class NormalizedConvolution(ParameterSet parameters, string convolution, string norm, int stride = 1)
    : IDisposable
{
    private const string RunningMean = ".running_mean", RunningVariance = ".running_var";

    private readonly Tensor _weight = parameters[convolution + ".weight"];
    private readonly BatchNormWeights _norm = new(parameters[norm + ".weight"], parameters[norm + ".bias"],
        parameters[norm + RunningMean], parameters[norm + RunningVariance]);

    private (Tensor Weight, Tensor Bias)? _folded;
    private long _foldedVersion;

    /// <summary>Whether a tensor is a running mean or variance. Files keep these in fp32: a variance may be beyond what
    /// fp16 holds, on either side.</summary>
    public static bool IsStatistic(string name) => name.EndsWith(RunningMean, StringComparison.Ordinal)
        || name.EndsWith(RunningVariance, StringComparison.Ordinal);

    /// <summary>relu(norm(convolution(x)) + residual), [N, H, W, C] to [N, H / stride, W / stride, features].</summary>
    /// <param name="tape">The step.</param>
    /// <param name="x">[N, H, W, C].</param>
    /// <param name="statistics">Statistics that the BatchNorm normalizes with.</param>
    /// <param name="relu">Whether negative sums become zero.</param>
    /// <param name="residual">Added before the ReLU, of the result's shape; null for none.</param>
    public Tensor Forward(Tape tape, Tensor x, NormStatistics statistics, bool relu = true, Tensor? residual = null)
    {
        int kernel = _weight.Shape[1];
        var window = WindowAxis.Padded(kernel, stride, kernel / 2);
        // A residual is added by the BatchNorm, in the pass over memory that it takes anyway.
        if (statistics == NormStatistics.Folded && residual is null)
        {
            (Tensor weight, Tensor bias) = Folded();
            return tape.Convolution(x, weight, bias, window, window, relu);
        }
        Tensor sums = tape.Convolution(x, _weight, bias: null, window, window);
        return tape.BatchNorm(sums, _norm, statistics == NormStatistics.Batch, relu, residual);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _folded?.Weight.Dispose();
        _folded?.Bias.Dispose();
        _folded = null;
    }

    /// <summary>Weight and bias of the convolution with the BatchNorm in it, as the parameters are now.</summary>
    private (Tensor Weight, Tensor Bias) Folded()
    {
        // Versions only grow, and so does their sum.
        long version = (long)_weight.Version + _norm.Gamma.Version + _norm.Beta.Version + _norm.RunningMean.Version
            + _norm.RunningVariance.Version;
        if (_folded is { } folded && _foldedVersion == version)
            return folded;
        Dispose();
        _foldedVersion = version;
        (Tensor, Tensor) made = _norm.Fold(_weight);
        _folded = made;
        return made;
    }
}
