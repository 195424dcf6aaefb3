using Cliper.Model.Clip;
using Cliper.Model.Faces;
using Cliper.Model.Weights;

namespace Cliper.Model.Export;

/// <summary>
/// BlazeFace as nodes, its anchors baked in: see <see cref="BlazeFaceNetwork"/> and <see cref="FaceAnchors"/>. Scores
/// below a threshold and boxes of the same face are left to whoever runs it.
/// </summary>
/// <param name="graph">The graph that gets them.</param>
/// <param name="weights">The detector's file.</param>
internal sealed class OnnxDetector(OnnxGraph graph, TensorSource weights)
{
    /// <summary>Names of the outputs.</summary>
    public const string Scores = "scores", Boxes = "boxes", Points = "points";

    /// <summary>Mean and standard deviation that bring a byte to -1 to 1.</summary>
    public static readonly ChannelValues Middle = new(0.5f, 0.5f, 0.5f);

    /// <summary>The notices that belong to the detector, see models/README.md.</summary>
    public const string Notice = "BlazeFace: Copyright The MediaPipe Authors, Apache License 2.0, "
        + "http://www.apache.org/licenses/LICENSE-2.0; changed: the file format and the order of the axes. Conversion "
        + "to TensorFlow.js: Copyright (c) Vladimir Mandic, MIT License.";

    private const int Side = BlazeFaceNetwork.Side, Numbers = BlazeFaceNetwork.BoxNumbers, BoxSize = 4, PointCount = 6;

    /// <summary>Blocks before each change of size, and whether a block keeps its input's channels beside it.</summary>
    private const int BlocksPerLevel = 8, Levels = 5;

    /// <summary>Adds the network and its three outputs.</summary>
    /// <param name="pixels">[N, 3, 256, 256], from -1 to 1.</param>
    public void Add(string pixels)
    {
        int channels = FeaturesOf("stem"), side = Side / 2, block = 0;
        string x = Relu(Convolve(pixels, "stem", Side, stride: 2));
        var heads = new List<(string Scores, string Boxes, int Cells)>();
        for (int level = 0; level < Levels; level++)
        {
            bool isLast = level == Levels - 1;
            int blocks = level == 0 ? BlocksPerLevel - 1 : isLast ? 1 : BlocksPerLevel;
            for (int i = 0; i < blocks; i++)
            {
                int stride = level > 0 && i == 0 ? 2 : 1;
                x = Block(x, $"blocks.{block++}", ref channels, side, stride, skips: !isLast);
                side /= stride;
            }
            if (level >= Levels - 2)
                heads.Add((Head(x, $"cells{side}.scores", side, []), Head(x, $"cells{side}.boxes", side, [Numbers]),
                    side));
        }
        string scores = graph.Node("Sigmoid", [Concat([.. heads.Select(head => head.Scores)], 1)]);
        int[] each = [.. heads.Select(head => head.Cells * head.Cells * FeaturesOf($"cells{head.Cells}.scores"))];
        float[] anchors = [.. heads.Zip(each, (head, count) => Anchors(head.Cells, count)).SelectMany(some => some)];
        string placed = graph.Node("Add", [Concat([.. heads.Select(head => head.Boxes)], 1),
            graph.Exact("anchors", () => anchors, each.Sum(), Numbers)]);
        string[] parts = graph.Node("Split", [placed, graph.Integers(2, 2, Numbers - BoxSize)], 3, "", ("axis", -1));
        string corner = graph.Node("Sub", [parts[0], graph.Node("Mul", [parts[1], graph.Constant([0.5f])])]);
        graph.Output(scores, Scores, OnnxType.Float, -1, each.Sum());
        graph.Output(Concat([corner, parts[1]], -1), Boxes, OnnxType.Float, -1, each.Sum(), BoxSize);
        graph.Output(graph.Node("Reshape", [parts[2], graph.Integers(0, each.Sum(), PointCount, 2)]), Points,
            OnnxType.Float, -1, each.Sum(), PointCount, 2);
    }

    private string Block(string x, string name, ref int channels, int side, int stride, bool skips)
    {
        string depthwise = graph.Node("Conv", [x, Depthwise($"{name}.depthwise", channels)], "",
            ("strides", Square(stride)), ("group", channels), ("pads", Pads(side, 3, stride)));
        string y = Convolve(depthwise, $"{name}.pointwise", side / stride, stride: 1);
        int features = FeaturesOf($"{name}.pointwise");
        if (skips)
        {
            string kept = graph.Pool("MaxPool", x, stride);
            if (features > channels)
                kept = graph.Node("Pad", [kept, graph.Integers(0, 0, 0, 0, 0, features - channels, 0, 0)]);
            y = graph.Node("Add", [y, kept]);
        }
        channels = features;
        return Relu(y);
    }

    /// <summary>[N, cells * cells * anchors, sizes] of a head, cell by cell.</summary>
    private string Head(string x, string name, int cells, int[] sizes)
    {
        string y = graph.Transpose(Convolve(x, name, cells, stride: 1), 0, 2, 3, 1);
        long anchors = (long)cells * cells * FeaturesOf(name) / sizes.Aggregate(1, (count, size) => count * size);
        return graph.Node("Reshape", [y, graph.Integers([0, anchors, .. sizes.Select(size => (long)size)])]);
    }

    /// <summary>The offsets that the numbers of each anchor count from: the middle of its cell.</summary>
    private static float[] Anchors(int cells, int count)
    {
        int perCell = count / (cells * cells);
        float size = (float)Side / cells;
        var anchors = new float[count * Numbers];
        for (int anchor = 0; anchor < count; anchor++)
            for (int i = 0; i < Numbers; i++)
            {
                int cell = anchor / perCell;
                // The third and fourth number are the box's size, which counts from 0.
                anchors[anchor * Numbers + i] = i is 2 or 3 ? 0
                    : ((i % 2 == 0 ? cell % cells : cell / cells) + 0.5f) * size;
            }
        return anchors;
    }

    /// <summary>A convolution that keeps the size at stride 1, with its bias; no activation.</summary>
    private string Convolve(string x, string name, int side, int stride)
    {
        int[] shape = [.. weights.Entry($"{name}.weight").Shape.Select(size => (int)size)];
        (int features, int kernel, int channels) = (shape[0], shape[1], shape[3]);
        string weight = graph.Weight($"{name}.weight", () => ChannelsFirst(weights.ReadFiniteFloats($"{name}.weight"),
            features, kernel * kernel, channels), features, channels, kernel, kernel);
        string bias = graph.Exact($"{name}.bias", () => weights.ReadFiniteFloats($"{name}.bias"), features);
        return graph.Node("Conv", [x, weight, bias], "", ("strides", Square(stride)),
            ("pads", Pads(side, kernel, stride)));
    }

    /// <summary>[3, 3, C] of the file as [C, 1, 3, 3].</summary>
    private string Depthwise(string name, int channels) => graph.Weight(name,
        () => OnnxLayers.Transpose(weights.ReadFiniteFloats(name), 9, channels), channels, 1, 3, 3);

    /// <summary>[features, pixels, channels] of the file as [features, channels, pixels].</summary>
    private static float[] ChannelsFirst(float[] values, int features, int pixels, int channels) =>
        [.. Enumerable.Range(0, features).SelectMany(feature => OnnxLayers.Transpose(
            values.AsSpan(feature * pixels * channels, pixels * channels), pixels, channels))];

    /// <summary>TensorFlow's padding "same": an odd rest goes below and to the right.</summary>
    private static int[] Pads(int side, int kernel, int stride)
    {
        int all = Math.Max(0, (side / stride - 1) * stride + kernel - side), before = all / 2;
        return [before, before, all - before, all - before];
    }

    private static int[] Square(int size) => [size, size];

    private int FeaturesOf(string name) => (int)weights.Entry($"{name}.bias").Shape[0];

    private string Concat(string[] parts, int axis) => graph.Node("Concat", parts, "", ("axis", axis));

    private string Relu(string x) => graph.Node("Relu", [x]);
}
