using Cliper.Kernels.Memory;
using Cliper.Model.Clip;
using Cliper.Model.Export;
using Cliper.Model.Weights;

namespace Cliper.Benchmarks.Cases;

/// <summary>CLIP's RN50 with random weights, the same on each side.</summary>
internal sealed class ResNetTower
{
    /// <summary>RN50; the text tower is as small as one can be.</summary>
    public static readonly ClipConfig Config = new()
    {
        ImageSize = 224,
        VisionWidth = 64,
        ResNetBlocks = new StageBlocks(3, 4, 6, 3),
        VisionHeads = 32,
        TextWidth = 64,
        TextLayers = 1,
        TextHeads = 1,
        VocabularySize = 8,
        ContextLength = 77,
        EmbedSize = 1024,
    };

    private readonly Dictionary<string, float[]> _values = [];
    private readonly Dictionary<string, int[]> _sizes = [];

    public ResNetTower()
    {
        using ClipWeights names = ClipWeights.Random(Config, seed: 1);
        foreach (string name in names.Names)
        {
            _sizes[name] = names.ShapeOf(name).ToArray();
            _values[name] = Values(name, _sizes[name], _values.Count);
        }
    }

    /// <summary>Arithmetic of an image, 1e9 operations: convolutions and the attention pooling's projections.</summary>
    public double Gflop { get; } = CountGflop();

    /// <summary>Names of the tower's tensors.</summary>
    public IEnumerable<string> Names => _values.Keys.Where(ClipModel.IsVision);

    /// <summary>Elements of a tensor, convolutions as [features, channels, rows, columns].</summary>
    public float[] this[string name] => _values[name];

    /// <summary>Sizes of a tensor.</summary>
    public int[] SizesOf(string name) => _sizes[name];

    /// <summary>The tower's ONNX model: input "images" [N, 3, 224, 224], output features [N, 1024].</summary>
    public byte[] Onnx()
    {
        var graph = new OnnxGraph();
        string images = graph.Input("images", OnnxType.Float, -1, 3, Config.ImageSize, Config.ImageSize);
        graph.Output(new OnnxResNet(graph, Config, name => _values[name]).Features(images), null, OnnxType.Float, -1,
            Config.EmbedSize);
        return graph.ToModel();
    }

    /// <summary>This project's model.</summary>
    public ClipModel Model(Device device)
    {
        using ClipWeights weights = ClipWeights.From(Config, _values);
        return new ClipModel(device, weights);
    }

    // Every path keeps its input's variance, and blocks add little to their shortcuts, so that no layer overflows and
    // none goes unnoticed.
    private static float[] Values(string name, int[] sizes, int seed)
    {
        long count = sizes.Aggregate(1L, (product, size) => product * size);
        bool isMatrix = sizes.Length > 1 && ClipModel.IsVision(name);
        int inputs = isMatrix ? sizes[1..].Aggregate(1, (product, size) => product * size) : 1;
        float scale = !isMatrix ? 0.05f : MathF.Sqrt((sizes.Length == 4 ? 6f : 3f) / inputs);
        float[] values = Bench.Random(count, seed, scale);
        float mean = name.EndsWith(".bn3.weight", StringComparison.Ordinal) ? 0.2f
            : name.EndsWith(".running_var", StringComparison.Ordinal)
                || (sizes.Length == 1 && name.EndsWith(".weight", StringComparison.Ordinal)) ? 1 : 0;
        for (int i = 0; i < values.Length; i++)
            values[i] += mean;
        return values;
    }

    private static double CountGflop()
    {
        int side = Config.ImageSize / 2, width = Config.VisionWidth, channels = width;
        double products = side * side * 9.0 * (3 * width / 2 + width * width / 4 + width * width / 2);
        side /= 2;
        for (int stage = 0; stage < StageBlocks.Stages; stage++)
            for (int block = 0; block < Config.ResNetBlocks!.Value[stage]; block++)
            {
                int planes = width << stage, features = 4 * planes, before = side * side;
                if (stage > 0 && block == 0)
                    side /= 2;
                products += before * planes * (channels + 9.0 * planes) + side * side * (double)features
                    * (planes + (block == 0 ? channels : 0));
                channels = features;
            }
        products += channels * (double)channels * (2 * (side * side + 1) + 1) + channels * (double)Config.EmbedSize;
        return 2e-9 * products;
    }
}
