using Cliper.Kernels.Operations;
using Cliper.Model.Clip;

namespace Cliper.Model.Weights;

/// <summary>First values of a CLIP's tensors; see <see cref="ClipWeights.Random"/>.</summary>
internal static class ClipInitialisation
{
    /// <summary>Distinguishes these draws from the descriptors', which have the same purpose.</summary>
    private const uint Step = 1;

    /// <summary>ln(1 / 0.07).</summary>
    private const float LogitScale = 2.6592600369327779f;

    public static void Fill(Span<float> target, string name, ClipConfig config, ulong seed, uint stream)
    {
        if (name == "logit_scale")
            target.Fill(LogitScale);
        else if (name.EndsWith("bias", StringComparison.Ordinal))
            target.Clear();
        else if (name.Contains("ln_"))
            target.Fill(1);
        else
            Normal(target, Deviation(name, config), seed, stream);
    }

    private static double Deviation(string name, ClipConfig config)
    {
        bool vision = name.StartsWith("visual.", StringComparison.Ordinal);
        int width = vision ? config.VisionWidth : config.TextWidth;
        int layers = vision ? config.VisionLayers : config.TextLayers;
        return name switch
        {
            // Uniform in +-1 / sqrt(inputs), PyTorch's default, has this deviation.
            "visual.conv1.weight" => 1 / Math.Sqrt(3.0 * 3 * config.PatchSize * config.PatchSize),
            "token_embedding.weight" => .02,
            "positional_embedding" => .01,
            _ when name.EndsWith("attn.out_proj.weight", StringComparison.Ordinal)
                || name.EndsWith("mlp.c_proj.weight", StringComparison.Ordinal) => 1 / Math.Sqrt(2.0 * width * layers),
            _ when name.EndsWith("mlp.c_fc.weight", StringComparison.Ordinal) => 1 / Math.Sqrt(2.0 * width),
            _ => 1 / Math.Sqrt(width),
        };
    }

    // As Philox.Normal, but into the host's memory: element 4 i + j from word j of the counter (i, stream, step,
    // purpose).
    private static void Normal(Span<float> target, double deviation, ulong seed, uint stream)
    {
        var scale = (float)deviation;
        Span<float> four = stackalloc float[4];
        for (int start = 0; start < target.Length; start += 4)
        {
            (uint w0, uint w1, uint w2, uint w3) =
                Philox.Block((uint)(start / 4), stream, Step, (uint)RandomPurpose.Initialisation, seed);
            (four[0], four[1]) = Philox.ToNormals(w0, w1);
            (four[2], four[3]) = Philox.ToNormals(w2, w3);
            for (int i = start; i < Math.Min(start + 4, target.Length); i++)
                target[i] = scale * four[i - start];
        }
    }
}
