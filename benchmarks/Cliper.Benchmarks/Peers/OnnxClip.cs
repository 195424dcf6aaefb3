using Cliper.Model.Clip;
using Cliper.Model.Export;

namespace Cliper.Benchmarks.Peers;

/// <summary>
/// CLIP's towers as ONNX graphs, in two forms: plain operators as "export onnx" writes them, and ONNX Runtime's own
/// fused operators for attention and QuickGELU. Which is faster depends on the case; the benchmark lets the faster one
/// count.
/// </summary>
/// <param name="shape">The tower.</param>
/// <param name="config">The whole model's shape.</param>
/// <param name="weights">Values of a weight by OpenAI's name.</param>
/// <param name="fused">Whether to use ONNX Runtime's own operators.</param>
internal sealed class OnnxClip(ClipShape shape, ClipConfig config, Func<string, float[]> weights, bool fused)
{
    private readonly OnnxGraph _graph = new();
    private int Width => shape.Width;

    /// <summary>
    /// The model file: input "images" [N, 3, 224, 224] or "ids" int64 [N, T], output features [N, 512].
    /// </summary>
    public byte[] Build()
    {
        string features = shape.IsText ? Text() : Image();
        _graph.Output(features, null, OnnxType.Float, -1, ClipShape.Features);
        return _graph.ToModel();
    }

    /// <summary>The numbers that a causal mask adds to the scores, [1, 1, tokens, tokens].</summary>
    public static string CausalMask(OnnxGraph graph, int tokens)
    {
        var mask = new float[tokens * tokens];
        for (int query = 0; query < tokens; query++)
            mask.AsSpan(query * tokens + query + 1, tokens - query - 1).Fill(-1e4f);
        return graph.Constant(mask, 1, 1, tokens, tokens);
    }

    // The last block computes all tokens, as in other exporters' graphs.
    private string Image() => new OnnxVisionTransformer(_graph, config, Layers(mask: null)).Features(
        _graph.Input("images", OnnxType.Float, -1, 3, ClipShape.ImageSize, ClipShape.ImageSize), firstAlone: false);

    private string Text()
    {
        OnnxLayers layers = Layers(CausalMask(_graph, shape.Tokens));
        string ids = _graph.Input("ids", OnnxType.Int64, -1, shape.Tokens);
        string x = _graph.Node("Gather",
            [layers.Weight("token_embedding.weight", ClipShape.Vocabulary, Width), ids], "", ("axis", 0));
        float[] positions = weights("positional_embedding")[..(shape.Tokens * Width)];
        x = layers.Add(x, _graph.Constant(positions, 1, shape.Tokens, Width));
        x = layers.Blocks(x, shape.Blocks, ClipShape.Layers,
            new OnnxBlockSizes(shape.Tokens, Width, 4 * Width, shape.Heads), firstAlone: false);
        x = layers.Norm(x, "ln_final", Width);
        string end = _graph.Node("ArgMax", [ids], "", ("axis", -1), ("keepdims", 1));
        string index = _graph.Node("Expand",
            [_graph.Node("Unsqueeze", [end, _graph.Integers(2)]), _graph.Integers(1, 1, Width)]);
        x = _graph.Node("Squeeze", [_graph.Node("GatherElements", [x, index], "", ("axis", 1)), _graph.Integers(1)]);
        return _graph.Node("MatMul", [x, layers.Weight("text_projection", Width, ClipShape.Features)]);
    }

    private OnnxLayers Layers(string? mask) => fused ? new FusedLayers(_graph, config, weights) { Mask = mask }
        : new OnnxLayers(_graph, config, weights) { Mask = mask };

    /// <summary>The layers with ONNX Runtime's own operators.</summary>
    private sealed class FusedLayers(OnnxGraph graph, ClipConfig config, Func<string, float[]> weights)
        : OnnxLayers(graph, config, weights)
    {
        /// <inheritdoc/>
        protected override string[] QueriesKeysValues(string norm, (string Weight, string Bias) joined, int width) =>
            [.. Enumerable.Range(0, 3).Select(part => Linear(norm, joined, width, width, part * width))];

        /// <inheritdoc/>
        protected override string Attention(string[] parts, OnnxBlockSizes tower, int queries) =>
            Graph.Node("MultiHeadAttention", Mask is null ? parts : [.. parts, "", "", Mask], OnnxGraph.Microsoft,
                ("num_heads", tower.Heads));

        /// <inheritdoc/>
        protected override string Activate(string x) =>
            Graph.Node("QuickGelu", [x], OnnxGraph.Microsoft, ("alpha", 1.702f));
    }
}
