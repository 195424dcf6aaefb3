using Cliper.Autograd;
using Cliper.Model.Clip;

namespace Cliper.Model.Weights;

/// <summary>Names and shapes of the tensors of CLIP's ResNet image towers, as OpenAI's and OpenCLIP's files have
/// them.</summary>
internal static class ResNetTensors
{
    /// <summary>Number of stem convolutions.</summary>
    private const int StemConvolutions = 3;

    /// <summary>Channels of a block's output for each of its planes.</summary>
    private const int BlockExpansion = 4;

    /// <summary>A tensor that every ResNet has and no vision transformer, [h w + 1, 32 width].</summary>
    public const string Landmark = "visual.attnpool.positional_embedding";

    /// <summary>How the names of the attention pooling begin.</summary>
    public const string Pooling = "visual.attnpool.";

    /// <summary>How the names of a stage's blocks begin.</summary>
    /// <param name="stage">The stage, from 0.</param>
    public static string StagePrefix(int stage) => $"visual.layer{stage + 1}.";

    /// <summary>All tensors of the tower, in the order of the computation; convolutions as [features, channels, rows,
    /// columns].</summary>
    public static IEnumerable<(string Name, Shape Shape)> List(ClipConfig config)
    {
        int width = config.VisionWidth, channels = 3;
        for (int layer = 1; layer <= StemConvolutions; layer++)
        {
            int features = layer < StemConvolutions ? width / 2 : width;
            yield return ($"visual.conv{layer}.weight", new Shape(features, channels, 3, 3));
            foreach ((string, Shape) norm in Norm($"visual.bn{layer}", features))
                yield return norm;
            channels = features;
        }
        for (int stage = 0; stage < StageBlocks.Stages; stage++)
            for (int block = 0; block < config.ResNetBlocks!.Value[stage]; block++)
            {
                foreach ((string, Shape) tensor in Block($"{StagePrefix(stage)}{block}.", channels, width << stage,
                    isFirst: block == 0))
                    yield return tensor;
                channels = (width << stage) * BlockExpansion;
            }
        yield return (Landmark, new Shape(config.Patches + 1, channels));
        foreach (string projection in new[] { "q_proj", "k_proj", "v_proj", "c_proj" })
        {
            int features = projection == "c_proj" ? config.EmbedSize : channels;
            yield return ($"{Pooling}{projection}.weight", new Shape(features, channels));
            yield return ($"{Pooling}{projection}.bias", new Shape(features));
        }
    }

    /// <summary>
    /// Whether a tensor of a CLIP is a convolution's weight, which files hold as [features, channels, rows, columns]
    /// and the model as [features, rows, columns, channels].
    /// </summary>
    public static bool IsConvolution(ClipConfig config, string name, Shape shape) =>
        config.IsResNet && shape.Rank == 4 && ClipModel.IsVision(name);

    /// <summary>Whether a tensor is the weight of the last BatchNorm of a block's path, not of the stem's.</summary>
    public static bool IsLastNormOfBlock(string name) =>
        name.StartsWith("visual.layer", StringComparison.Ordinal)
        && name.EndsWith(".bn3.weight", StringComparison.Ordinal);

    /// <summary>The counters of PyTorch's BatchNorm, which nothing reads.</summary>
    public static bool IsCounter(string name) => name.EndsWith(".num_batches_tracked", StringComparison.Ordinal);

    private static IEnumerable<(string, Shape)> Block(string prefix, int channels, int planes, bool isFirst)
    {
        int features = BlockExpansion * planes;
        yield return (prefix + "conv1.weight", new Shape(planes, channels, 1, 1));
        foreach ((string, Shape) norm in Norm(prefix + "bn1", planes))
            yield return norm;
        yield return (prefix + "conv2.weight", new Shape(planes, planes, 3, 3));
        foreach ((string, Shape) norm in Norm(prefix + "bn2", planes))
            yield return norm;
        yield return (prefix + "conv3.weight", new Shape(features, planes, 1, 1));
        foreach ((string, Shape) norm in Norm(prefix + "bn3", features))
            yield return norm;
        if (!isFirst)
            yield break;
        yield return (prefix + "downsample.0.weight", new Shape(features, channels, 1, 1));
        foreach ((string, Shape) norm in Norm(prefix + "downsample.1", features))
            yield return norm;
    }

    private static (string, Shape)[] Norm(string name, int width) =>
    [
        (name + ".weight", new Shape(width)), (name + ".bias", new Shape(width)),
        (name + ".running_mean", new Shape(width)), (name + ".running_var", new Shape(width)),
    ];
}
