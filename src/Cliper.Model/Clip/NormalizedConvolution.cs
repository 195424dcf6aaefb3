using Cliper.Autograd;
using Cliper.Kernels.Operations;

namespace Cliper.Model.Clip;

/// <summary>A convolution without a bias, and the BatchNorm after it.</summary>
/// <param name="parameters">Holds the tensors in OpenAI's naming.</param>
/// <param name="convolution">Name of the convolution, such as "visual.conv1".</param>
/// <param name="norm">Name of its BatchNorm, such as "visual.bn1".</param>
/// <param name="stride">Pixels from one window to the next.</param>
internal sealed class NormalizedConvolution(ParameterSet parameters, string convolution, string norm, int stride = 1)
{
    private readonly Tensor _weight = parameters[convolution + ".weight"];
    private readonly BatchNormWeights _norm = new(parameters[norm + ".weight"], parameters[norm + ".bias"],
        parameters[norm + RunningMean], parameters[norm + RunningVariance]);

    /// <summary>Ending of the names of running means.</summary>
    public const string RunningMean = ".running_mean";

    /// <summary>Ending of the names of running variances.</summary>
    public const string RunningVariance = ".running_var";

    /// <summary>relu(norm(convolution(x)) + residual), [N, H, W, C] to [N, H / stride, W / stride, features].</summary>
    /// <param name="tape">The step.</param>
    /// <param name="x">[N, H, W, C].</param>
    /// <param name="training">Whether the statistics are those of the batch, which the running ones then
    /// follow.</param>
    /// <param name="relu">Whether negative sums become zero.</param>
    /// <param name="residual">Added before the ReLU, of the result's shape; null for none.</param>
    public Tensor Forward(Tape tape, Tensor x, bool training, bool relu = true, Tensor? residual = null)
    {
        int kernel = _weight.Shape[1];
        var window = WindowAxis.Padded(kernel, stride, kernel / 2);
        return tape.BatchNorm(tape.Convolution(x, _weight, bias: null, window, window), _norm, training, relu,
            residual);
    }
}
