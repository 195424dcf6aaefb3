using Cliper.Autograd;

namespace Cliper.Model.Clip;

/// <summary>
/// CLIP's image tower, a vision transformer: patches to tokens by a linear map, a class token before them, positions,
/// LayerNorm, blocks; the class token's last state, normalized and projected, is the image's feature.
/// </summary>
public sealed class VisionTransformer : IImageTower, ITracedTower
{
    private readonly ParameterSet _parameters;
    private readonly ClipConfig _config;
    private readonly ResidualBlock[] _blocks;

    internal VisionTransformer(ParameterSet parameters, ClipConfig config)
    {
        _parameters = parameters;
        _config = config;
        _blocks = [.. Enumerable.Range(0, config.VisionLayers).Select(layer => new ResidualBlock(parameters,
            $"visual.transformer.resblocks.{layer}.", config.VisionHeads, causal: false, config.Activation,
            config.LayerNormEpsilon))];
    }

    /// <inheritdoc/>
    public ImageInput Input => _config.ImageInput;

    /// <summary>Empty: every tensor of a vision transformer has a gradient.</summary>
    public IReadOnlyCollection<string> Buffers => [];

    /// <summary>Without effect: a vision transformer computes the same in training and in inference.</summary>
    public bool IsTraining { get; set; }

    /// <inheritdoc/>
    public bool RecomputeBlocks { get; set; }

    /// <inheritdoc/>
    /// <remarks>It observes "patch_embed", "ln_pre", "block.0" and so on, and "ln_post"; while observed, the last block
    /// computes all tokens.</remarks>
    public Tensor Forward(Tape tape, Tensor images, Action<string, Tensor>? observe = null) =>
        Run(tape, images, observe, trace: null);

    /// <inheritdoc/>
    Tensor ITracedTower.Forward(Tape tape, Tensor images, AttentionTrace trace) =>
        Run(tape, trace.Watch(images), observe: null, trace);

    private Tensor Run(Tape tape, Tensor images, Action<string, Tensor>? observe, AttentionTrace? trace)
    {
        int size = _config.ImageSize, samples = images.Shape[0];
        Shape planes = new(samples, 3, size, size),
            patches = new(samples, _config.Patches, 3 * _config.PatchSize * _config.PatchSize);
        if (images.Shape != planes && images.Shape != patches)
            throw new ArgumentException($"images are {images.Shape}, the model takes {planes} or {patches}");
        using Tape.Scope scope = tape.BeginScope();
        Tensor x = tape.PatchEmbedding(images, _parameters["visual.conv1.weight"]);
        observe?.Invoke("patch_embed", x);
        x = tape.AddClassToken(x, _parameters["visual.class_embedding"], _parameters["visual.positional_embedding"]);
        x = Norm(tape, x, "visual.ln_pre");
        observe?.Invoke("ln_pre", x);
        int tokens = x.Shape[1], width = x.Shape[2];
        Tensor classRows = tape.Own(Tensor.From(tape.Device,
            [.. Enumerable.Range(0, samples).Select(sample => sample * tokens)], new Shape(samples)));
        bool whole = observe is not null || trace is not null;
        for (int layer = 0; layer < _blocks.Length - (whole ? 0 : 1); layer++)
        {
            ResidualBlock block = _blocks[layer];
            x = RecomputeBlocks && trace is null ? tape.Checkpoint(block.Forward, x) : block.Forward(tape, x, trace);
            observe?.Invoke($"block.{layer}", x);
        }
        x = whole || _blocks.Length == 0
            ? tape.Gather(x.Reshape(new Shape(samples * tokens, width)), classRows)
            : _blocks[^1].ForwardOne(tape, x, classRows, keyLengths: null);
        x = Norm(tape, x, "visual.ln_post");
        observe?.Invoke("ln_post", x);
        return scope.Keep(tape.MatMul(x, _parameters["visual.proj"]));
    }

    private Tensor Norm(Tape tape, Tensor x, string name) =>
        tape.LayerNorm(x, _parameters[name + ".weight"], _parameters[name + ".bias"], _config.LayerNormEpsilon);
}
