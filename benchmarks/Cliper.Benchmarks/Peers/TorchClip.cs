using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;
using Functional = TorchSharp.torch.nn.functional;

namespace Cliper.Benchmarks.Peers;

/// <summary>
/// CLIP's towers in TorchSharp: the joined projection of queries, keys and values, scaled_dot_product_attention, and
/// everything else as the libtorch function there is for it.
/// </summary>
internal sealed class TorchClip : IDisposable
{
    private readonly ClipShape _shape;
    private readonly Dictionary<string, Tensor> _weights = [];

    /// <param name="shape">The tower.</param>
    /// <param name="weights">Values and sizes of the tower's weights, by OpenAI's name.</param>
    /// <param name="trained">Whether they are parameters with gradients.</param>
    /// <param name="bf16">Whether weights, and so all that is computed, are bf16.</param>
    public TorchClip(ClipShape shape, IEnumerable<(string Name, float[] Values, long[] Sizes)> weights, bool trained,
        bool bf16 = false)
    {
        _shape = shape;
        foreach ((string name, float[] values, long[] sizes) in weights)
        {
            Tensor tensor = Libtorch.From(values, sizes).In(bf16);
            _weights.Add(name, trained ? new Parameter(tensor, requires_grad: true) : tensor);
        }
    }

    /// <summary>The weights, by OpenAI's name.</summary>
    public IReadOnlyDictionary<string, Tensor> Weights => _weights;

    /// <summary>Features [N, 512] of images [N, 3, 224, 224] or of token ids, int64 [N, T].</summary>
    public Tensor Forward(Tensor input)
    {
        using DisposeScope scope = NewDisposeScope();
        return (_shape.IsText ? Text(input) : Image(input)).MoveToOuterDisposeScope();
    }

    private Tensor Image(Tensor images)
    {
        long samples = images.shape[0];
        Tensor x = Functional.conv2d(images, _weights["visual.conv1.weight"], strides: [_shape.Patch, _shape.Patch])
            .flatten(2).transpose(1, 2);
        Tensor classes = _weights["visual.class_embedding"].view(1, 1, -1).expand(samples, 1, -1);
        x = cat([classes, x], 1) + _weights["visual.positional_embedding"];
        x = Blocks(Norm(x, "visual.ln_pre"));
        return matmul(Norm(x.select(1, 0), "visual.ln_post"), _weights["visual.proj"]);
    }

    private Tensor Text(Tensor ids)
    {
        Tensor x = _weights["token_embedding.weight"].index_select(0, ids.reshape(-1))
            .view(ids.shape[0], _shape.Tokens, _shape.Width)
            + _weights["positional_embedding"].narrow(0, 0, _shape.Tokens);
        x = Norm(Blocks(x), "ln_final");
        Tensor ends = x[TensorIndex.Tensor(arange(ids.shape[0])), TensorIndex.Tensor(ids.argmax(-1))];
        return matmul(ends, _weights["text_projection"]);
    }

    private Tensor Blocks(Tensor x)
    {
        long samples = x.shape[0], headSize = _shape.Width / _shape.Heads;
        for (int layer = 0; layer < ClipShape.Layers; layer++)
        {
            string prefix = $"{_shape.Blocks}{layer}.";
            Tensor qkv = Linear(Norm(x, prefix + "ln_1"), prefix + "attn.in_proj_weight", prefix + "attn.in_proj_bias")
                .view(samples, _shape.Tokens, 3, _shape.Heads, headSize).permute(2, 0, 3, 1, 4);
            Tensor attended = Functional.scaled_dot_product_attention(qkv[0], qkv[1], qkv[2], is_casual: _shape.IsText)
                .transpose(1, 2).reshape(samples, _shape.Tokens, _shape.Width);
            x = x + Linear(attended, prefix + "attn.out_proj.weight", prefix + "attn.out_proj.bias");
            Tensor hidden = Linear(Norm(x, prefix + "ln_2"), prefix + "mlp.c_fc.weight", prefix + "mlp.c_fc.bias");
            hidden = hidden * sigmoid(1.702f * hidden);
            x = x + Linear(hidden, prefix + "mlp.c_proj.weight", prefix + "mlp.c_proj.bias");
        }
        return x;
    }

    private Tensor Linear(Tensor x, string weight, string bias) => Functional.linear(x, _weights[weight],
        _weights[bias]);

    private Tensor Norm(Tensor x, string name) =>
        Functional.layer_norm(x, [_shape.Width], _weights[name + ".weight"], _weights[name + ".bias"], 1e-5);

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (Tensor weight in _weights.Values)
            weight.Dispose();
    }
}
