using Cliper.Autograd;

namespace Cliper.Model.Clip;

/// <summary>
/// CLIP's other image tower, a ResNet (Radford et al. 2021, arXiv 2103.00020, section 2.4): a stem of three
/// convolutions and an average pool, four stages of bottlenecks, attention pooling. RN50, RN101, RN50x4 and the like
/// are such models. Feature maps are NHWC.
/// </summary>
public sealed class ResNet : IImageTower, ITracedTower, IDisposable
{
    private const int StemPool = 2;

    private readonly ClipConfig _config;
    private readonly NormalizedConvolution[] _stem;
    private readonly (string Name, Bottleneck Block)[] _blocks;
    private readonly AttentionPool _pool;

    internal ResNet(ParameterSet parameters, ClipConfig config)
    {
        _config = config;
        _stem = [.. Enumerable.Range(1, 3).Select(layer => new NormalizedConvolution(parameters,
            $"visual.conv{layer}", $"visual.bn{layer}", stride: layer == 1 ? 2 : 1))];
        StageBlocks stages = config.ResNetBlocks
            ?? throw new ArgumentException("the configuration is a vision transformer's", nameof(config));
        _blocks = [.. Enumerable.Range(0, StageBlocks.Stages).SelectMany(stage =>
            Enumerable.Range(0, stages[stage]).Select(block => ($"layer{stage + 1}.{block}", new Bottleneck(parameters,
                $"visual.layer{stage + 1}.{block}.", stride: stage > 0 && block == 0 ? 2 : 1,
                hasDownsample: block == 0))))];
        _pool = new AttentionPool(parameters, config.VisionHeads);
        Buffers = [.. parameters.Names.Where(NormalizedConvolution.IsStatistic)];
    }

    /// <inheritdoc/>
    public ImageInput Input => _config.ImageInput;

    /// <summary>The running statistics of every BatchNorm.</summary>
    public IReadOnlyCollection<string> Buffers { get; }

    /// <inheritdoc/>
    public bool IsTraining { get; set; }

    /// <inheritdoc/>
    public bool RecomputeBlocks { get; set; }

    /// <inheritdoc/>
    /// <remarks>It observes "stem1" (the first convolution's result), "stem", "layer1.0" and so on, all NHWC.</remarks>
    public Tensor Forward(Tape tape, Tensor images, Action<string, Tensor>? observe = null) =>
        Run(tape, ToFeatureMap(tape, images), observe, trace: null);

    /// <inheritdoc/>
    /// <remarks>The one attention is that of the pooling at the end.</remarks>
    Tensor ITracedTower.Forward(Tape tape, Tensor images, AttentionTrace trace) =>
        Run(tape, trace.Watch(tape, ToFeatureMap(tape, images)), observe: null, trace);

    private Tensor Run(Tape tape, Tensor pixels, Action<string, Tensor>? observe, AttentionTrace? trace)
    {
        using Tape.Scope scope = tape.BeginScope();
        NormStatistics statistics = IsTraining ? NormStatistics.Batch
            : tape.Recording ? NormStatistics.Running : NormStatistics.Folded;
        Tensor x = _stem[0].Forward(tape, pixels, statistics);
        observe?.Invoke("stem1", x);
        foreach (NormalizedConvolution convolution in _stem[1..])
            x = convolution.Forward(tape, x, statistics);
        x = tape.AveragePool(x, StemPool);
        observe?.Invoke("stem", x);
        foreach ((string name, Bottleneck block) in _blocks)
        {
            x = RecomputeBlocks && trace is null
                ? tape.Checkpoint((inner, input) => block.Forward(inner, input, statistics), x)
                : block.Forward(tape, x, statistics);
            observe?.Invoke(name, x);
        }
        return scope.Keep(_pool.Forward(tape, x, trace));
    }

    /// <summary>Frees the folded convolutions; the parameters are their owner's.</summary>
    public void Dispose()
    {
        foreach (NormalizedConvolution convolution in _stem)
            convolution.Dispose();
        foreach ((_, Bottleneck block) in _blocks)
            block.Dispose();
    }

    /// <summary>The images as [N, size, size, 3].</summary>
    private Tensor ToFeatureMap(Tape tape, Tensor images)
    {
        int size = _config.ImageSize, samples = images.Shape[0];
        Shape planes = new(samples, 3, size, size), pixels = new(samples, size * size, 3);
        if (images.Shape == planes)
            return tape.ToPixels(images);
        return images.Shape == pixels ? images.Reshape(new Shape(samples, size, size, 3))
            : throw new ArgumentException($"images are {images.Shape}, the model takes {planes} or {pixels}");
    }
}
