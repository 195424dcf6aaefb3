using Cliper.Autograd;
using Cliper.Kernels.Operations;
using Cliper.Model.Clip;

namespace Cliper.Model.Weights;

/// <summary>First values of a CLIP's tensors; see <see cref="ClipWeights.Random"/>.</summary>
internal static class ClipInitialization
{
    /// <summary>Distinguishes these draws from the descriptors', which have the same purpose.</summary>
    private const uint Step = 1;

    /// <summary>ln(1 / 0.07).</summary>
    private const float LogitScale = 2.6592600369327779f;

    private const float PositionAmplitude = .7f;

    // In patches, over 2 pi: longer than any grid of patches.
    private const double LongestWave = 100;

    /// <summary>Fills a tensor with its first values.</summary>
    /// <param name="target">The elements, in the layout of files.</param>
    /// <param name="name">OpenAI's name.</param>
    /// <param name="shape">Sizes in the layout of files.</param>
    /// <param name="config">The model.</param>
    /// <param name="seed">Seed of the model.</param>
    /// <param name="stream">Number of the tensor.</param>
    public static void Fill(Span<float> target, string name, Shape shape, ClipConfig config, ulong seed, uint stream)
    {
        if (name == "logit_scale")
            target.Fill(LogitScale);
        else if (name.EndsWith("bias", StringComparison.Ordinal) || name.EndsWith(".running_mean",
            StringComparison.Ordinal))
            target.Clear();
        else if (name.EndsWith(".running_var", StringComparison.Ordinal))
            target.Fill(1);
        else if (name.Contains("ln_"))
            target.Fill(1);
        else if (config.IsResNet && ClipModel.IsVision(name) && shape.Rank == 1)
            // The weight of a BatchNorm. With zeros in its last one, a block begins as its shortcut.
            target.Fill(ResNetTensors.IsLastNormOfBlock(name) ? 0 : 1);
        else
            Normal(target, config.IsResNet && ClipModel.IsVision(name) ? ResNetDeviation(shape)
                : Deviation(name, config), seed, stream);
        if (config.IsResNet)
            return;
        if (name == "visual.conv1.weight")
            Whiten(target, config.PatchSize);
        else if (name == "visual.positional_embedding")
            PlacePatches(target, config);
    }

    /// <summary>
    /// Turns white noise into patch filters that answer equally to all spatial frequencies. Images' amplitudes fall
    /// as one over the frequency, so that plain noise sees little but each patch's brightness, and a small model
    /// trained on few images needs epochs to look past it. Each filter's cosine transform is weighted by the
    /// frequency; the finest quarter, mostly noise, is left out.
    /// </summary>
    private static void Whiten(Span<float> filters, int patch)
    {
        int area = patch * patch;
        var basis = new double[area];
        for (int frequency = 0; frequency < patch; frequency++)
            for (int x = 0; x < patch; x++)
                basis[frequency * patch + x] = Math.Sqrt((frequency == 0 ? 1.0 : 2.0) / patch)
                    * Math.Cos(Math.PI * (x + .5) * frequency / patch);
        var white = new double[area];
        var rows = new double[area];
        for (int start = 0; start < filters.Length; start += area)
        {
            Span<float> filter = filters.Slice(start, area);
            for (int i = 0; i < area; i++)
                white[i] = filter[i] * FrequencyWeight(i / patch, i % patch, patch);
            // filter[y, x] = sum over (a, b) of basis[a, y] white[a, b] basis[b, x]
            for (int a = 0; a < patch; a++)
                for (int x = 0; x < patch; x++)
                {
                    double sum = 0;
                    for (int b = 0; b < patch; b++)
                        sum += white[a * patch + b] * basis[b * patch + x];
                    rows[a * patch + x] = sum;
                }
            for (int y = 0; y < patch; y++)
                for (int x = 0; x < patch; x++)
                {
                    double sum = 0;
                    for (int a = 0; a < patch; a++)
                        sum += basis[a * patch + y] * rows[a * patch + x];
                    filter[y * patch + x] = (float)sum;
                }
        }
    }

    private static double FrequencyWeight(int vertical, int horizontal, int patch)
    {
        double frequency = Math.Sqrt(vertical * vertical + horizontal * horizontal);
        return frequency > .75 * patch ? 0 : Math.Max(.5, frequency);
    }

    /// <summary>
    /// Sines and cosines of a patch's row and column (Beyer et al. 2022, arXiv 2205.01580) in place of noise, so that
    /// neighbors are alike from the first step; as large as the patches' embeddings. The class token keeps its noise.
    /// </summary>
    private static void PlacePatches(Span<float> positions, ClipConfig config)
    {
        int width = config.VisionWidth, side = config.ImageSize / config.PatchSize, quarter = width / 4;
        for (int patch = 0; patch < side * side; patch++)
        {
            Span<float> position = positions.Slice((1 + patch) * width, width);
            for (int i = 0; i < 4 * quarter; i++)
            {
                int coordinate = i < 2 * quarter ? patch % side : patch / side;
                double angle = coordinate * Math.Pow(LongestWave, -(double)(i % quarter) / quarter);
                position[i] = PositionAmplitude * (float)(i / quarter % 2 == 0 ? Math.Sin(angle) : Math.Cos(angle));
            }
        }
    }

    /// <summary>Convolutions have the deviation of PyTorch's default, a uniform distribution; the attention pooling has
    /// OpenAI's, 1 / sqrt(channels).</summary>
    private static double ResNetDeviation(Shape shape) => shape.Rank == 4
        ? 1 / Math.Sqrt(3.0 * shape[1] * shape[2] * shape[3])
        : 1 / Math.Sqrt(shape.Width);

    private static double Deviation(string name, ClipConfig config)
    {
        bool vision = name.StartsWith("visual.", StringComparison.Ordinal);
        int width = vision ? config.VisionWidth : config.TextWidth;
        int layers = vision ? config.VisionLayers : config.TextLayers;
        return name switch
        {
            // So that whitened answers to images of deviation one are of the positions' size.
            "visual.conv1.weight" => .5 / config.PatchSize,
            "token_embedding.weight" => .02,
            "positional_embedding" => .01,
            _ when name.EndsWith("attn.out_proj.weight", StringComparison.Ordinal)
                || name.EndsWith("mlp.c_proj.weight", StringComparison.Ordinal) => 1 / Math.Sqrt(2.0 * width * layers),
            _ when name.EndsWith("mlp.c_fc.weight", StringComparison.Ordinal) => 1 / Math.Sqrt(2.0 * width),
            _ => 1 / Math.Sqrt(width),
        };
    }

    // The same as Philox.Normal, but into the CPU's memory: element 4 i + j from word j of the counter (i, stream,
    // step, purpose).
    private static void Normal(Span<float> target, double deviation, ulong seed, uint stream)
    {
        var scale = (float)deviation;
        Span<float> four = stackalloc float[4];
        for (int start = 0; start < target.Length; start += 4)
        {
            (uint w0, uint w1, uint w2, uint w3) =
                Philox.Block((uint)(start / 4), stream, Step, (uint)RandomPurpose.Initialization, seed);
            (four[0], four[1]) = Philox.ToNormals(w0, w1);
            (four[2], four[3]) = Philox.ToNormals(w2, w3);
            for (int i = start; i < Math.Min(start + 4, target.Length); i++)
                target[i] = scale * four[i - start];
        }
    }
}
