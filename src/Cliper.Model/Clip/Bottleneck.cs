using Cliper.Autograd;

namespace Cliper.Model.Clip;

/// <summary>
/// A block of CLIP's ResNets (He et al. 2016, arXiv 1512.03385): convolutions of 1 x 1, 3 x 3 and 1 x 1 pixels, the
/// last to four times as many channels, and the sum with a shortcut. A stride is an average pool before the last
/// convolution and before the shortcut's, so that no convolution leaves pixels out (anti-aliasing; Zhang 2019, arXiv
/// 1904.11486).
/// </summary>
/// <param name="parameters">Holds the block's tensors in OpenAI's naming.</param>
/// <param name="prefix">Such as "visual.layer1.0.".</param>
/// <param name="stride">Divisor of height and width.</param>
/// <param name="hasDownsample">Whether the shortcut is a convolution and not the input itself.</param>
internal sealed class Bottleneck(ParameterSet parameters, string prefix, int stride, bool hasDownsample) : IDisposable
{
    private readonly NormalizedConvolution _reduce = new(parameters, prefix + "conv1", prefix + "bn1");
    private readonly NormalizedConvolution _spatial = new(parameters, prefix + "conv2", prefix + "bn2");
    private readonly NormalizedConvolution _expand = new(parameters, prefix + "conv3", prefix + "bn3");
    private readonly NormalizedConvolution? _shortcut = hasDownsample
        ? new(parameters, prefix + "downsample.0", prefix + "downsample.1")
        : null;

    /// <summary>[N, H, W, C] to [N, H / stride, W / stride, features].</summary>
    /// <param name="tape">The step.</param>
    /// <param name="x">[N, H, W, C].</param>
    /// <param name="statistics">Statistics that every BatchNorm normalizes with.</param>
    public Tensor Forward(Tape tape, Tensor x, NormStatistics statistics)
    {
        using Tape.Scope scope = tape.BeginScope();
        Tensor path = _spatial.Forward(tape, _reduce.Forward(tape, x, statistics), statistics);
        Tensor shortcut = _shortcut?.Forward(tape, Pool(tape, x), statistics, relu: false) ?? x;
        return scope.Keep(_expand.Forward(tape, Pool(tape, path), statistics, relu: true, shortcut));
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _reduce.Dispose();
        _spatial.Dispose();
        _expand.Dispose();
        _shortcut?.Dispose();
    }

    private Tensor Pool(Tape tape, Tensor x) => stride == 1 ? x : tape.AveragePool(x, stride);
}
