using Cliper.Kernels.Operations;
using Cliper.Model.Clip;

namespace Cliper.Model.Export;

/// <summary>The layers of CLIP's towers as nodes of plain ONNX operators.</summary>
/// <param name="graph">The graph that gets them.</param>
/// <param name="config">Activation and epsilon.</param>
/// <param name="weights">Gives a weight by OpenAI's name, in the layout of files.</param>
internal class OnnxLayers(OnnxGraph graph, ClipConfig config, Func<string, float[]> weights)
{
    private const float QuickGeluSlope = 1.702f;

    /// <summary>Added to the scores of every attention, [1, 1, tokens, tokens]; null for none.</summary>
    public string? Mask { get; init; }

    /// <summary>The graph that gets the layers.</summary>
    protected OnnxGraph Graph => graph;

    /// <summary>A weight as it is.</summary>
    public string Weight(string name, params int[] shape) => graph.Weight(name, () => weights(name), shape);

    /// <summary>The sum of two values.</summary>
    public string Add(string a, string b) => graph.Node("Add", [a, b]);

    /// <summary>LayerNorm over the last axis.</summary>
    public string Norm(string x, string name, int width) => graph.Node("LayerNormalization",
        [x, Weight(name + ".weight", width), Weight(name + ".bias", width)], "", ("axis", -1),
        ("epsilon", config.LayerNormEpsilon));

    /// <summary>x W^T + b with rows [start, start + outputs) of W [.., inputs] and of b.</summary>
    public string Linear(string x, (string Weight, string Bias) names, int inputs, int outputs, int start = 0)
    {
        // MatMul takes the weight as [inputs, outputs]. A part of a weight is one of its own in the file.
        string suffix = start == 0 ? "" : $".{start}";
        string weight = graph.Weight($"{names.Weight}.T{suffix}", () => Transpose(
            weights(names.Weight).AsSpan(start * inputs, outputs * inputs), outputs, inputs), inputs, outputs);
        string bias = graph.Weight(names.Bias + suffix, () => weights(names.Bias)[start..(start + outputs)], outputs);
        return Add(graph.Node("MatMul", [x, weight]), bias);
    }

    /// <summary>Pre-norm transformer blocks: [N, tokens, width] to the same.</summary>
    /// <param name="x">The tokens.</param>
    /// <param name="prefix">Name of the blocks, such as "transformer.resblocks.".</param>
    /// <param name="layers">Number of blocks.</param>
    /// <param name="tower">Sizes of a block.</param>
    /// <param name="firstAlone">Whether the last block computes the first token alone, [N, 1, width].</param>
    public string Blocks(string x, string prefix, int layers, OnnxBlockSizes tower, bool firstAlone)
    {
        for (int layer = 0; layer < layers; layer++)
            x = Block(x, $"{prefix}{layer}.", tower, firstAlone && layer == layers - 1);
        return x;
    }

    private string Block(string x, string prefix, OnnxBlockSizes tower, bool firstAlone)
    {
        int width = tower.Width;
        string norm = Norm(x, prefix + "ln_1", width);
        (string, string) joined = (prefix + "attn.in_proj_weight", prefix + "attn.in_proj_bias");
        string[] parts;
        if (firstAlone)
        {
            string keysAndValues = Linear(norm, joined, width, 2 * width, start: width);
            parts = [Linear(First(norm), joined, width, width), .. Split(keysAndValues, width, 2)];
            x = First(x);
        }
        else
            parts = QueriesKeysValues(norm, joined, width);
        string attended = Attention(parts, tower, firstAlone ? 1 : tower.Tokens);
        x = Add(x, Linear(attended, (prefix + "attn.out_proj.weight", prefix + "attn.out_proj.bias"), width, width));
        string hidden = Activate(Linear(Norm(x, prefix + "ln_2", width),
            (prefix + "mlp.c_fc.weight", prefix + "mlp.c_fc.bias"), width, tower.Hidden));
        return Add(x, Linear(hidden, (prefix + "mlp.c_proj.weight", prefix + "mlp.c_proj.bias"), tower.Hidden, width));
    }

    /// <summary>Queries, keys and values of all tokens, [N, tokens, width] each.</summary>
    protected virtual string[] QueriesKeysValues(string norm, (string Weight, string Bias) joined, int width) =>
        Split(Linear(norm, joined, width, 3 * width), width, 3);

    /// <summary>Attention of queries, keys and values, [N, tokens, width] each, to [N, queries, width].</summary>
    protected virtual string Attention(string[] parts, OnnxBlockSizes tower, int queries)
    {
        string scaled = graph.Node("Mul", [Heads(parts[0], tower, queries, 0, 2, 1, 3),
            graph.Constant([1 / MathF.Sqrt(tower.HeadSize)])]);
        string scores = graph.Node("MatMul", [scaled, Heads(parts[1], tower, tower.Tokens, 0, 2, 3, 1)]);
        if (Mask is not null)
            scores = Add(scores, Mask);
        string output = graph.Node("MatMul", [graph.Node("Softmax", [scores], "", ("axis", -1)),
            Heads(parts[2], tower, tower.Tokens, 0, 2, 1, 3)]);
        return graph.Node("Reshape", [graph.Transpose(output, 0, 2, 1, 3),
            graph.Integers(0, queries, tower.Width)]);
    }

    /// <summary>The activation of the MLPs.</summary>
    protected virtual string Activate(string x)
    {
        if (config.Activation == Activation.QuickGelu)
            return graph.Node("Mul", [x, graph.Node("Sigmoid",
                [graph.Node("Mul", [x, graph.Constant([QuickGeluSlope])])])]);
        string erf = graph.Node("Erf", [graph.Node("Mul", [x, graph.Constant([1 / MathF.Sqrt(2)])])]);
        return graph.Node("Mul", [graph.Node("Mul", [x, graph.Constant([0.5f])]),
            Add(erf, graph.Constant([1f]))]);
    }

    private string Heads(string x, OnnxBlockSizes tower, int tokens, params int[] order) => graph.Transpose(
        graph.Node("Reshape", [x, graph.Integers(0, tokens, tower.Heads, tower.HeadSize)]), order);

    private string[] Split(string x, int width, int parts) => graph.Node("Split",
        [x, graph.Integers([.. Enumerable.Repeat((long)width, parts)])], parts, "", ("axis", -1));

    /// <summary>The first token, [N, 1, width].</summary>
    private string First(string x) => graph.Node("Slice",
        [x, graph.Integers(0), graph.Integers(1), graph.Integers(1)]);

    /// <summary>[rows, columns] to [columns, rows].</summary>
    internal static float[] Transpose(ReadOnlySpan<float> values, int rows, int columns)
    {
        var transposed = new float[values.Length];
        for (int row = 0; row < rows; row++)
            for (int column = 0; column < columns; column++)
                transposed[column * rows + row] = values[row * columns + column];
        return transposed;
    }
}

/// <summary>Sizes of a transformer's blocks.</summary>
/// <param name="Tokens">Rows of a sample.</param>
/// <param name="Width">Elements of a row.</param>
/// <param name="Hidden">Width of the MLP's hidden layer.</param>
/// <param name="Heads">Attention heads.</param>
internal readonly record struct OnnxBlockSizes(int Tokens, int Width, int Hidden, int Heads)
{
    /// <summary>Elements of a head.</summary>
    public int HeadSize => Width / Heads;
}
