using System.Runtime.InteropServices;
using Cliper.Autograd;
using Cliper.Kernels.Memory;
using Cliper.Kernels.Operations;
using Cliper.Model.Clip;

namespace Cliper.Model.Prompts;

/// <summary>
/// A fully connected layer on image features: logits = W f + b, without a temperature. The text tower plays no part.
/// It is the head of full fine-tuning and of the linear probe.
/// </summary>
internal sealed class LinearHead : IPromptLearner
{
    /// <summary>Name of the linear probe in checkpoints.</summary>
    public const string ProbeName = "linear-probe";

    /// <summary>Name of full fine-tuning in checkpoints.</summary>
    public const string FineTuneName = "fine-tune";

    private const string WeightName = "head.weight", BiasName = "head.bias", NormalizeKey = "head_normalize";

    // Distinct from the streams of the prompt methods.
    private const uint RandomStream = 0x48454144;

    private readonly bool _normalize;

    /// <summary>A head around tensors, which it takes over.</summary>
    /// <param name="method">One of the names.</param>
    /// <param name="weight">W, [K, D].</param>
    /// <param name="bias">b, [K].</param>
    /// <param name="normalize">Whether features are normalized first.</param>
    public LinearHead(string method, Tensor weight, Tensor bias, bool normalize)
    {
        if (weight.Shape.Rank != 2 || bias.Shape.Rank != 1 || weight.Shape[0] != bias.Shape[0])
            throw new ArgumentException($"a head of weight {weight.Shape} and bias {bias.Shape}");
        (Method, Weight, Bias, _normalize) = (method, weight, bias, normalize);
    }

    /// <summary>W, [K, D].</summary>
    public Tensor Weight { get; }

    /// <summary>b, [K].</summary>
    public Tensor Bias { get; }

    /// <inheritdoc/>
    public string Method { get; }

    /// <inheritdoc/>
    public int Classes => Weight.Shape[0];

    /// <inheritdoc/>
    public int PromptsPerClass => 1;

    /// <inheritdoc/>
    public bool DependsOnImage => false;

    /// <inheritdoc/>
    public IReadOnlyList<(string Name, Tensor Tensor)> Parameters => [(WeightName, Weight), (BiasName, Bias)];

    /// <inheritdoc/>
    public IReadOnlyList<(string Key, object Value)> Metadata => [(NormalizeKey, _normalize)];

    /// <summary>Draws a head: weight and bias uniform within 1 / sqrt(D), as PyTorch begins a linear layer.</summary>
    /// <param name="device">Where it is.</param>
    /// <param name="method">One of the names.</param>
    /// <param name="classes">Number of classes.</param>
    /// <param name="width">Width of the features, D.</param>
    /// <param name="normalize">Whether features are normalized first.</param>
    /// <param name="seed">Seed of the numbers.</param>
    public static LinearHead Random(Device device, string method, int classes, int width, bool normalize, ulong seed)
    {
        float limit = 1 / MathF.Sqrt(width);
        Tensor weight = new(device, new Shape(classes, width)), bias = new(device, new Shape(classes));
        Philox.Uniform(weight.Data, seed, RandomPurpose.Initialization, stream: RandomStream, low: -limit, high: limit);
        Philox.Uniform(bias.Data, seed, RandomPurpose.Initialization, stream: RandomStream + 1, low: -limit,
            high: limit);
        return new LinearHead(method, weight, bias, normalize);
    }

    /// <summary>Reads a head from a checkpoint.</summary>
    /// <param name="source">The checkpoint.</param>
    /// <param name="method">Name of its method.</param>
    /// <exception cref="InputException">It does not fit the checkpoint's classes or image tower.</exception>
    public static LinearHead Read(IPromptSource source, string method)
    {
        int classes = source.Classes.Count, width = source.Config.EmbedSize;
        foreach ((string name, int[] expected) in new[] { (WeightName, (int[])[classes, width]),
            (BiasName, [classes]) })
        {
            IReadOnlyList<long> shape = source.ShapeOf(name);
            if (!shape.SequenceEqual(expected.Select(size => (long)size)))
                throw source.Damaged(name, $"[{string.Join(", ", expected)}]", $"[{string.Join(", ", shape)}]");
        }
        bool normalize = source.Read<bool>(NormalizeKey);
        float[] weight = source.ReadFloats(WeightName), bias = source.ReadFloats(BiasName);
        return new LinearHead(method, Tensor.From(source.Device, weight, new Shape(classes, width)),
            Tensor.From(source.Device, bias, new Shape(classes)), normalize);
    }

    /// <summary>Writes other numbers into the head.</summary>
    /// <param name="weight">W, row-major.</param>
    /// <param name="bias">b.</param>
    public void Set(ReadOnlySpan<float> weight, ReadOnlySpan<float> bias)
    {
        Weight.Device.Upload(MemoryMarshal.AsBytes(weight), Weight.Data);
        Weight.MarkWritten();
        Bias.Device.Upload(MemoryMarshal.AsBytes(bias), Bias.Data);
        Bias.MarkWritten();
    }

    /// <summary>The weight: classes are scored by it alone.</summary>
    public Tensor ClassFeatures(Tape tape, ClipModel clip, Tensor? imageFeatures) => Weight;

    /// <inheritdoc/>
    public Tensor Logits(Tape tape, Tensor imageFeatures, Tensor classFeatures, float temperature) =>
        Affine.Apply(tape, _normalize ? tape.L2Normalize(imageFeatures) : imageFeatures, classFeatures, Bias);

    /// <inheritdoc/>
    public void Dispose()
    {
        Weight.Dispose();
        Bias.Dispose();
    }
}
