using Cliper.Benchmarks.Peers;
using Cliper.Kernels.Memory;
using Cliper.Model.Clip;
using Cliper.Model.Weights;

namespace Cliper.Benchmarks.Cases;

/// <summary>One tower of CLIP with random weights, the same on each side.</summary>
internal sealed class Towers
{
    private readonly Dictionary<string, float[]> _values = [];
    private readonly Dictionary<string, long[]> _sizes = [];

    public Towers(ClipShape shape)
    {
        Shape = shape;
        // The tower that is not measured is as small as a tower can be.
        Config = new ClipConfig
        {
            ImageSize = shape.IsText ? 32 : ClipShape.ImageSize,
            PatchSize = shape.IsText ? 32 : shape.Patch,
            VisionWidth = shape.IsText ? 64 : shape.Width,
            VisionLayers = shape.IsText ? 1 : ClipShape.Layers,
            VisionHeads = shape.IsText ? 1 : shape.Heads,
            TextWidth = shape.IsText ? shape.Width : 64,
            TextLayers = shape.IsText ? ClipShape.Layers : 1,
            TextHeads = shape.IsText ? shape.Heads : 1,
            VocabularySize = shape.IsText ? ClipShape.Vocabulary : 8,
            ContextLength = ClipShape.Context,
            EmbedSize = ClipShape.Features,
        };
        using ClipWeights names = ClipWeights.Random(Config, seed: 1);
        foreach (string name in names.Names)
        {
            int[] axes = names.ShapeOf(name).ToArray();
            _sizes[name] = [.. axes.Select(axis => (long)axis)];
            _values[name] = Values(name, names.ShapeOf(name).Count, _values.Count);
        }
    }

    /// <summary>The tower.</summary>
    public ClipShape Shape { get; }

    /// <summary>The whole model's shape.</summary>
    public ClipConfig Config { get; }

    /// <summary>The tower's weights for TorchSharp.</summary>
    public IEnumerable<(string Name, float[] Values, long[] Sizes)> Weights =>
        _values.Keys.Where(name => name != "logit_scale" && ClipModel.IsVision(name) != Shape.IsText)
            .Select(name => (name, _values[name], _sizes[name]));

    /// <summary>This project's model.</summary>
    public ClipModel Model(Device device)
    {
        using ClipWeights weights = ClipWeights.From(Config, _values);
        return new ClipModel(device, weights);
    }

    /// <summary>The tower's ONNX model, in plain operators or in ONNX Runtime's own.</summary>
    public byte[] Onnx(bool fused) => new OnnxClip(Shape, Config, name => _values[name], fused).Build();

    // The values have the size of trained weights, and no bias or scale such that leaving it out went unnoticed.
    private static float[] Values(string name, long count, int seed)
    {
        float[] values = Bench.Random(count, seed, 0.05f);
        if (name.Contains("ln_") && name.EndsWith("weight", StringComparison.Ordinal))
            for (int i = 0; i < values.Length; i++)
                values[i] += 1;
        return values;
    }
}
