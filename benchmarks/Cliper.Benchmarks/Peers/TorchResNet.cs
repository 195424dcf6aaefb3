using Cliper.Benchmarks.Cases;
using Cliper.Model.Clip;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;
using Functional = TorchSharp.torch.nn.functional;

namespace Cliper.Benchmarks.Peers;

/// <summary>CLIP's RN50 in TorchSharp, each layer the libtorch function there is for it.</summary>
internal sealed class TorchResNet : IDisposable
{
    private readonly Dictionary<string, Tensor> _weights = [];
    private readonly bool _trained;

    /// <param name="tower">Gives the weights.</param>
    /// <param name="trained">Whether they are parameters with gradients, and the batch's statistics count.</param>
    public TorchResNet(ResNetTower tower, bool trained)
    {
        _trained = trained;
        foreach (string name in tower.Names)
        {
            Tensor tensor = Libtorch.From(tower[name], [.. tower.SizesOf(name).Select(size => (long)size)]);
            bool isBuffer = name.Contains(".running_", StringComparison.Ordinal);
            _weights.Add(name, trained && !isBuffer ? new Parameter(tensor, requires_grad: true) : tensor);
        }
    }

    /// <summary>The trained weights, by OpenAI's name.</summary>
    public IEnumerable<KeyValuePair<string, Tensor>> Parameters => _weights.Where(entry => entry.Value.requires_grad);

    /// <summary>Features [N, 1024] of images [N, 3, 224, 224].</summary>
    public Tensor Forward(Tensor images)
    {
        using DisposeScope scope = NewDisposeScope();
        Tensor x = Functional.relu(Convolve(images, "visual.conv1", "visual.bn1", stride: 2));
        x = Functional.relu(Convolve(x, "visual.conv2", "visual.bn2"));
        x = Pool(Functional.relu(Convolve(x, "visual.conv3", "visual.bn3")), 2);
        StageBlocks blocks = ResNetTower.Config.ResNetBlocks!.Value;
        for (int stage = 0; stage < StageBlocks.Stages; stage++)
            for (int block = 0; block < blocks[stage]; block++)
                x = Block(x, $"visual.layer{stage + 1}.{block}.", block == 0, stage > 0 && block == 0 ? 2 : 1);
        return AttentionPool(x).MoveToOuterDisposeScope();
    }

    private Tensor Block(Tensor x, string prefix, bool isFirst, int stride)
    {
        Tensor path = Functional.relu(Convolve(x, prefix + "conv1", prefix + "bn1"));
        path = Pool(Functional.relu(Convolve(path, prefix + "conv2", prefix + "bn2")), stride);
        path = Convolve(path, prefix + "conv3", prefix + "bn3");
        return Functional.relu(path + (isFirst
            ? Convolve(Pool(x, stride), prefix + "downsample.0", prefix + "downsample.1") : x));
    }

    private Tensor AttentionPool(Tensor x)
    {
        long samples = x.shape[0], channels = x.shape[1], heads = ResNetTower.Config.VisionHeads;
        Tensor pixels = x.flatten(2).transpose(1, 2);
        Tensor tokens = cat([pixels.mean([1], keepdim: true), pixels], 1)
            + _weights["visual.attnpool.positional_embedding"];
        Tensor attended = Functional.scaled_dot_product_attention(Heads(tokens.narrow(1, 0, 1), "q"),
            Heads(tokens, "k"), Heads(tokens, "v"));
        return Project(attended.transpose(1, 2).reshape(samples, channels), "c");

        Tensor Heads(Tensor value, string name) => Project(value, name)
            .view(samples, -1, heads, channels / heads).transpose(1, 2);
    }

    private Tensor Project(Tensor x, string name) => Functional.linear(x,
        _weights[$"visual.attnpool.{name}_proj.weight"], _weights[$"visual.attnpool.{name}_proj.bias"]);

    private Tensor Convolve(Tensor x, string name, string norm, long stride = 1)
    {
        Tensor weight = _weights[name + ".weight"];
        long padding = weight.shape[2] / 2;
        return Functional.batch_norm(Functional.conv2d(x, weight, strides: [stride, stride],
                padding: [padding, padding]), _weights[norm + ".running_mean"], _weights[norm + ".running_var"],
            _weights[norm + ".weight"], _weights[norm + ".bias"], _trained, 0.1, 1e-5);
    }

    private static Tensor Pool(Tensor x, long size) => size == 1 ? x : Functional.avg_pool2d(x, size);

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (Tensor weight in _weights.Values)
            weight.Dispose();
    }
}
