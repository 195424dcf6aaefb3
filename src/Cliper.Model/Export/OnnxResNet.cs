using Cliper.Kernels.Operations;
using Cliper.Model.Clip;

namespace Cliper.Model.Export;

/// <summary>
/// CLIP's ResNet as nodes, every BatchNorm folded into the convolution before it: see <see cref="ResNet"/>. Where
/// weights are stored as fp16 the scales stay apart, so that folding rounds nothing; a runtime multiplies them once,
/// when it loads the file.
/// </summary>
/// <param name="graph">The graph that gets them.</param>
/// <param name="config">The model's shape.</param>
/// <param name="weights">Gives a weight by OpenAI's name, convolutions as [features, channels, rows, columns].</param>
internal sealed class OnnxResNet(OnnxGraph graph, ClipConfig config, Func<string, float[]> weights)
{
    private const string Pool = "visual.attnpool.";
    private const int StemKernel = 3, StemPool = 2, Expansion = 4;

    private readonly OnnxLayers _layers = new(graph, config, weights);

    /// <summary>Normalized pixels [N, 3, size, size] to features [N, D], not normalized.</summary>
    public string Features(string pixels)
    {
        int width = config.VisionWidth;
        string x = Relu(Convolve(pixels, ("visual.conv1", "visual.bn1"), width / 2, 3, StemKernel, stride: 2));
        x = Relu(Convolve(x, ("visual.conv2", "visual.bn2"), width / 2, width / 2, StemKernel));
        x = Relu(Convolve(x, ("visual.conv3", "visual.bn3"), width, width / 2, StemKernel));
        x = AveragePool(x, StemPool);
        StageBlocks blocks = config.ResNetBlocks!.Value;
        int channels = width;
        for (int stage = 0; stage < StageBlocks.Stages; stage++)
            for (int block = 0; block < blocks[stage]; block++)
            {
                int planes = width << stage;
                x = Block(x, $"visual.layer{stage + 1}.{block}.", channels, planes,
                    stride: stage > 0 && block == 0 ? 2 : 1, isFirst: block == 0);
                channels = Expansion * planes;
            }
        return AttentionPool(x);
    }

    private string Block(string x, string prefix, int channels, int planes, int stride, bool isFirst)
    {
        string path = Relu(Convolve(x, (prefix + "conv1", prefix + "bn1"), planes, channels, 1));
        path = Relu(Convolve(path, (prefix + "conv2", prefix + "bn2"), planes, planes, StemKernel));
        path = Convolve(AveragePool(path, stride), (prefix + "conv3", prefix + "bn3"), Expansion * planes, planes, 1);
        string shortcut = isFirst ? Convolve(AveragePool(x, stride),
            (prefix + "downsample.0", prefix + "downsample.1"), Expansion * planes, channels, 1) : x;
        return Relu(_layers.Add(path, shortcut));
    }

    private string AttentionPool(string x)
    {
        int channels = config.ResNetWidth, pixels = config.Patches, headSize = channels / config.VisionHeads;
        string rows = graph.Transpose(graph.Node("Reshape", [x, graph.Integers(0, channels, pixels)]), 0, 2, 1);
        string mean = graph.Mean(rows, axis: 1, keepAxis: true);
        string positions = _layers.Weight(Pool + "positional_embedding", pixels + 1, channels);
        string tokens = _layers.Add(graph.Node("Concat", [mean, rows], "", ("axis", 1)), positions);
        string first = graph.Node("Slice", [tokens, graph.Integers(0), graph.Integers(1), graph.Integers(1)]);
        string queries = graph.Node("Mul",
            [Heads(first, "q", 1, 0, 2, 1, 3), graph.Constant([1 / MathF.Sqrt(headSize)])]);
        string scores = graph.Node("MatMul", [queries, Heads(tokens, "k", pixels + 1, 0, 2, 3, 1)]);
        string attended = graph.Node("MatMul", [graph.Node("Softmax", [scores], "", ("axis", -1)),
            Heads(tokens, "v", pixels + 1, 0, 2, 1, 3)]);
        return Project(graph.Node("Reshape", [attended, graph.Integers(0, channels)]), "c", config.EmbedSize);

        string Heads(string value, string name, int count, params int[] order) => graph.Transpose(
            graph.Node("Reshape", [Project(value, name, channels),
                graph.Integers(0, count, config.VisionHeads, headSize)]), order);

        string Project(string value, string name, int outputs) => _layers.Linear(value,
            ($"{Pool}{name}_proj.weight", $"{Pool}{name}_proj.bias"), channels, outputs);
    }

    /// <summary>A convolution, padded to keep the size at stride 1, and the BatchNorm after it.</summary>
    private string Convolve(string x, (string Convolution, string Norm) names, int features, int channels, int kernel,
        int stride = 1)
    {
        int padding = kernel / 2;
        string name = names.Convolution + ".weight";
        int[] shape = [features, channels, kernel, kernel];
        string weight = graph.Half
            ? graph.Node("Mul", [graph.Weight(name, () => weights(name), shape),
                graph.Exact(names.Norm + ".scale", () => Floats(Scales(names.Norm)), features, 1, 1, 1)])
            : graph.Weight(name, () => Scaled(weights(name), Scales(names.Norm)), shape);
        string bias = graph.Exact(names.Norm + ".folded", () => Biases(names.Norm), features);
        return graph.Node("Conv", [x, weight, bias], "", ("kernel_shape", new[] { kernel, kernel }),
            ("strides", new[] { stride, stride }), ("pads", new[] { padding, padding, padding, padding }));
    }

    /// <summary>gamma / sqrt(variance + epsilon) of each channel.</summary>
    private double[] Scales(string norm)
    {
        float[] variance = weights(norm + ".running_var");
        return [.. weights(norm + ".weight").Select((gamma, channel) =>
            gamma / Math.Sqrt(variance[channel] + (double)BatchNorm.DefaultEpsilon))];
    }

    /// <summary>beta - mean * scale of each channel.</summary>
    private float[] Biases(string norm)
    {
        double[] scales = Scales(norm);
        float[] mean = weights(norm + ".running_mean");
        return [.. weights(norm + ".bias").Select((beta, channel) => (float)(beta - mean[channel] * scales[channel]))];
    }

    private static float[] Scaled(float[] weight, double[] scales)
    {
        int each = weight.Length / scales.Length;
        return [.. weight.Select((value, index) => (float)(value * scales[index / each]))];
    }

    private static float[] Floats(double[] values) => [.. values.Select(value => (float)value)];

    private string AveragePool(string x, int size) => graph.Pool("AveragePool", x, size);

    private string Relu(string x) => graph.Node("Relu", [x]);
}
