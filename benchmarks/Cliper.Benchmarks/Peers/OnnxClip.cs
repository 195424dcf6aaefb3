using Cliper.Benchmarks.Cases;

namespace Cliper.Benchmarks.Peers;

/// <summary>
/// CLIP's towers as ONNX graphs, in two forms: plain operators as an exporter writes them, and ONNX Runtime's own fused
/// operators for attention and QuickGELU. Which is faster depends on the case; the benchmark lets the faster one count.
/// </summary>
/// <param name="shape">The tower.</param>
/// <param name="weights">Values of a weight by OpenAI's name.</param>
/// <param name="fused">Whether to use ONNX Runtime's own operators.</param>
internal sealed class OnnxClip(ClipShape shape, Func<string, float[]> weights, bool fused)
{
    private readonly OnnxGraph _graph = new();
    private int Width => shape.Width;

    /// <summary>
    /// The model file: input "images" [N, 3, 224, 224] or "ids" int64 [N, T], output features [N, 512].
    /// </summary>
    public byte[] Build()
    {
        string features = shape.IsText ? Text() : Image();
        _graph.Output(features, -1, ClipShape.Features);
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

    private string Image()
    {
        int patch = shape.Patch, patches = shape.Tokens - 1;
        string images = _graph.Input("images", -1, 3, ClipShape.ImageSize, ClipShape.ImageSize);
        string x = _graph.Node("Conv", [images, Weight("visual.conv1.weight", Width, 3, patch, patch)], "",
            ("kernel_shape", new[] { patch, patch }), ("strides", new[] { patch, patch }));
        x = _graph.Node("Reshape", [x, _graph.Integers(0, Width, patches)]);
        x = _graph.Node("Transpose", [x], "", ("perm", new[] { 0, 2, 1 }));
        string count = _graph.Node("Slice", [_graph.Node("Shape", [images]), _graph.Integers(0), _graph.Integers(1)]);
        string classShape = _graph.Node("Concat", [count, _graph.Integers(1, Width)], "", ("axis", 0));
        string classes = _graph.Node("Expand", [Weight("visual.class_embedding", 1, 1, Width), classShape]);
        x = _graph.Node("Concat", [classes, x], "", ("axis", 1));
        x = Add(x, Weight("visual.positional_embedding", 1, shape.Tokens, Width));
        x = Norm(x, "visual.ln_pre");
        x = Blocks(x, null);
        x = _graph.Node("Gather", [x, _graph.Integer(0)], "", ("axis", 1));
        return _graph.Node("MatMul", [Norm(x, "visual.ln_post"), Weight("visual.proj", Width, ClipShape.Features)]);
    }

    private string Text()
    {
        string ids = _graph.InputIds("ids", -1, shape.Tokens);
        string x = _graph.Node("Gather", [Weight("token_embedding.weight", ClipShape.Vocabulary, Width), ids], "",
            ("axis", 0));
        float[] positions = weights("positional_embedding")[..(shape.Tokens * Width)];
        x = Add(x, _graph.Constant(positions, 1, shape.Tokens, Width));
        x = Norm(Blocks(x, CausalMask(_graph, shape.Tokens)), "ln_final");
        string end = _graph.Node("ArgMax", [ids], "", ("axis", -1), ("keepdims", 1));
        string index = _graph.Node("Expand",
            [_graph.Node("Unsqueeze", [end, _graph.Integers(2)]), _graph.Integers(1, 1, Width)]);
        x = _graph.Node("Squeeze", [_graph.Node("GatherElements", [x, index], "", ("axis", 1)), _graph.Integers(1)]);
        return _graph.Node("MatMul", [x, Weight("text_projection", Width, ClipShape.Features)]);
    }

    private string Blocks(string x, string? mask)
    {
        for (int layer = 0; layer < ClipShape.Layers; layer++)
        {
            string prefix = $"{shape.Blocks}{layer}.";
            string attended = Attention(Norm(x, prefix + "ln_1"), prefix, mask);
            x = Add(x, Linear(attended, prefix + "attn.out_proj.weight", prefix + "attn.out_proj.bias",
                Width, 0, Width));
            string hidden = Linear(Norm(x, prefix + "ln_2"), prefix + "mlp.c_fc.weight", prefix + "mlp.c_fc.bias",
                Width, 0, 4 * Width);
            x = Add(x, Linear(QuickGelu(hidden), prefix + "mlp.c_proj.weight", prefix + "mlp.c_proj.bias",
                4 * Width, 0, Width));
        }
        return x;
    }

    private string Attention(string x, string prefix, string? mask)
    {
        string weight = prefix + "attn.in_proj_weight", bias = prefix + "attn.in_proj_bias";
        if (fused)
        {
            string[] parts =
                [.. Enumerable.Range(0, 3).Select(part => Linear(x, weight, bias, Width, part * Width, Width))];
            string[] inputs = mask is null ? parts : [.. parts, "", "", mask];
            return _graph.Node("MultiHeadAttention", inputs, OnnxGraph.Microsoft, ("num_heads", shape.Heads));
        }
        string joined = Linear(x, weight, bias, Width, 0, 3 * Width);
        string[] qkv = _graph.Node("Split", [joined, _graph.Integers(Width, Width, Width)], 3, "", ("axis", -1));
        int headSize = Width / shape.Heads;
        string Heads(string value, params int[] order) => _graph.Node("Transpose",
            [_graph.Node("Reshape", [value, _graph.Integers(0, shape.Tokens, shape.Heads, headSize)])], "",
            ("perm", order));
        string queries = _graph.Node("Mul", [Heads(qkv[0], 0, 2, 1, 3), _graph.Constant([1 / MathF.Sqrt(headSize)])]);
        string scores = _graph.Node("MatMul", [queries, Heads(qkv[1], 0, 2, 3, 1)]);
        if (mask is not null)
            scores = Add(scores, mask);
        string output = _graph.Node("MatMul",
            [_graph.Node("Softmax", [scores], "", ("axis", -1)), Heads(qkv[2], 0, 2, 1, 3)]);
        return _graph.Node("Reshape",
            [_graph.Node("Transpose", [output], "", ("perm", new[] { 0, 2, 1, 3 })),
            _graph.Integers(0, shape.Tokens, Width)]);
    }

    private string QuickGelu(string x) => fused
        ? _graph.Node("QuickGelu", [x], OnnxGraph.Microsoft, ("alpha", 1.702f))
        : _graph.Node("Mul", [x, _graph.Node("Sigmoid", [_graph.Node("Mul", [x, _graph.Constant([1.702f])])])]);

    // Rows [start, start + outputs) of a weight [.., inputs], as the [inputs, outputs] that MatMul takes.
    private string Linear(string x, string weight, string bias, int inputs, int start, int outputs)
    {
        float[] rows = weights(weight)[(start * inputs)..((start + outputs) * inputs)];
        string product = _graph.Node("MatMul",
            [x, _graph.Constant(Bench.Transpose(rows, outputs, inputs), inputs, outputs)]);
        return Add(product, _graph.Constant(weights(bias).AsSpan(start, outputs), outputs));
    }

    private string Norm(string x, string name) => _graph.Node("LayerNormalization",
        [x, Weight(name + ".weight", Width), Weight(name + ".bias", Width)], "", ("axis", -1), ("epsilon", 1e-5f));

    private string Add(string a, string b) => _graph.Node("Add", [a, b]);

    private string Weight(string name, params int[] sizes) => _graph.Constant(weights(name), sizes);
}
