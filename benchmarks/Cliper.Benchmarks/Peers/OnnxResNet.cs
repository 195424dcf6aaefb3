using Cliper.Benchmarks.Cases;
using Cliper.Model.Clip;

namespace Cliper.Benchmarks.Peers;

/// <summary>
/// CLIP's RN50 as an ONNX graph of plain operators, as an exporter writes it. ONNX Runtime itself folds
/// BatchNormalization into convolutions, fuses sums and ReLUs, and blocks the layout.
/// </summary>
/// <param name="tower">Gives the weights.</param>
internal sealed class OnnxResNet(ResNetTower tower)
{
    private readonly OnnxGraph _graph = new();

    /// <summary>The model file: input "images" [N, 3, 224, 224], output features [N, 1024].</summary>
    public byte[] Build()
    {
        int size = ResNetTower.Config.ImageSize;
        string x = _graph.Input("images", -1, 3, size, size);
        x = Relu(Convolve(x, "visual.conv1", "visual.bn1", stride: 2));
        x = Relu(Convolve(x, "visual.conv2", "visual.bn2"));
        x = Pool(Relu(Convolve(x, "visual.conv3", "visual.bn3")), 2);
        StageBlocks blocks = ResNetTower.Config.ResNetBlocks!.Value;
        for (int stage = 0; stage < StageBlocks.Stages; stage++)
            for (int block = 0; block < blocks[stage]; block++)
                x = Block(x, $"visual.layer{stage + 1}.{block}.", block == 0, stage > 0 && block == 0 ? 2 : 1);
        _graph.Output(AttentionPool(x), -1, ResNetTower.Config.EmbedSize);
        return _graph.ToModel();
    }

    private string Block(string x, string prefix, bool isFirst, int stride)
    {
        string path = Relu(Convolve(x, prefix + "conv1", prefix + "bn1"));
        path = Pool(Relu(Convolve(path, prefix + "conv2", prefix + "bn2")), stride);
        path = Convolve(path, prefix + "conv3", prefix + "bn3");
        string shortcut = isFirst ? Convolve(Pool(x, stride), prefix + "downsample.0", prefix + "downsample.1") : x;
        return Relu(Add(path, shortcut));
    }

    private string AttentionPool(string x)
    {
        int channels = ResNetTower.Config.ResNetWidth, pixels = ResNetTower.Config.Patches,
            heads = ResNetTower.Config.VisionHeads, headSize = channels / heads;
        string rows = _graph.Node("Transpose", [_graph.Node("Reshape", [x, _graph.Integers(0, channels, pixels)])], "",
            ("perm", new[] { 0, 2, 1 }));
        string mean = _graph.Node("ReduceMean", [rows], "", ("axes", new[] { 1 }), ("keepdims", 1));
        string tokens = Add(_graph.Node("Concat", [mean, rows], "", ("axis", 1)),
            Weight("visual.attnpool.positional_embedding", 1, pixels + 1, channels));
        string first = _graph.Node("Slice",
            [tokens, _graph.Integers(0), _graph.Integers(1), _graph.Integers(1)]);
        string queries = _graph.Node("Mul",
            [Heads(first, "q", 1, 0, 2, 1, 3), _graph.Constant([1 / MathF.Sqrt(headSize)])]);
        string scores = _graph.Node("MatMul", [queries, Heads(tokens, "k", pixels + 1, 0, 2, 3, 1)]);
        string attended = _graph.Node("MatMul", [_graph.Node("Softmax", [scores], "", ("axis", -1)),
            Heads(tokens, "v", pixels + 1, 0, 2, 1, 3)]);
        return Project(_graph.Node("Reshape", [attended, _graph.Integers(0, channels)]), "c");

        string Heads(string value, string name, int count, params int[] order) => _graph.Node("Transpose",
            [_graph.Node("Reshape", [Project(value, name), _graph.Integers(0, count, heads, headSize)])], "",
            ("perm", order));
    }

    private string Project(string x, string name)
    {
        string weight = $"visual.attnpool.{name}_proj.weight";
        int[] sizes = tower.SizesOf(weight);
        return Add(_graph.Node("MatMul", [x, _graph.Constant(Bench.Transpose(tower[weight], sizes[0], sizes[1]),
            sizes[1], sizes[0])]), Weight($"visual.attnpool.{name}_proj.bias", sizes[0]));
    }

    private string Convolve(string x, string name, string norm, int stride = 1)
    {
        int[] sizes = tower.SizesOf(name + ".weight");
        int padding = sizes[2] / 2;
        string sums = _graph.Node("Conv", [x, Weight(name + ".weight", sizes)], "",
            ("kernel_shape", new[] { sizes[2], sizes[3] }), ("strides", new[] { stride, stride }),
            ("pads", new[] { padding, padding, padding, padding }));
        return _graph.Node("BatchNormalization", [sums, .. new[] { "weight", "bias", "running_mean", "running_var" }
            .Select(part => Weight($"{norm}.{part}", sizes[0]))], "", ("epsilon", 1e-5f));
    }

    private string Pool(string x, int size) => size == 1 ? x : _graph.Node("AveragePool", [x], "",
        ("kernel_shape", new[] { size, size }), ("strides", new[] { size, size }));

    private string Relu(string x) => _graph.Node("Relu", [x]);

    private string Add(string a, string b) => _graph.Node("Add", [a, b]);

    private string Weight(string name, params int[] sizes) => _graph.Constant(tower[name], sizes);
}
