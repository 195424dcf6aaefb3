using Cliper.Autograd;
using Cliper.Kernels.Memory;
using Cliper.Kernels.Operations;
using Cliper.Model.Clip;

namespace Cliper.Model.Prompts;

/// <summary>
/// CoCoOp (Zhou et al. 2022, arXiv 2203.05557): CoOp's context of all classes, shifted for each image by a small
/// network of its feature: V_j(x) = V_j + W2 max(W1 f^ + b1, 0) + b2, f^ the normalized feature. The prompts of a
/// whole batch run together and are the same as image by image; context, network and scores are fp32 on every device.
/// </summary>
internal sealed class CoCoOp : IPromptLearner
{
    /// <summary>Name of the method in checkpoints.</summary>
    public const string MethodName = "cocoop";

    private const string ContextName = "cocoop.ctx";
    private const string PromptsKey = "context_prompts";

    // Distinct from the streams of the other prompt methods.
    private const uint RandomStream = 0x434F434F;

    private readonly ContextPrompts _prompts;
    private readonly Tensor _context;
    private readonly MetaNet _net;

    /// <summary>CoCoOp around tensors, which it takes over.</summary>
    /// <param name="context">[n, text width].</param>
    /// <param name="net">The network of the image's feature.</param>
    /// <param name="prompts">The prompts, with n slots; the name behind them.</param>
    public CoCoOp(Tensor context, MetaNet net, ContextPrompts prompts)
    {
        if (context.Shape.Rank != 2 || context.Shape[0] != prompts.Tokens
            || net.OutputWeight.Shape[0] != context.Shape[1])
            throw new ArgumentException($"a context {context.Shape} and a shift of {net.OutputWeight.Shape[0]} for "
                + $"{prompts.Tokens} slots");
        (_context, _net, _prompts) = (context, net, prompts);
    }

    /// <summary>The network that makes a shift of an image's feature.</summary>
    /// <param name="HiddenWeight">W1, [H, D].</param>
    /// <param name="HiddenBias">b1, [H].</param>
    /// <param name="OutputWeight">W2, [W, H].</param>
    /// <param name="OutputBias">b2, [W].</param>
    public sealed record MetaNet(Tensor HiddenWeight, Tensor HiddenBias, Tensor OutputWeight, Tensor OutputBias)
    {
        /// <summary>Part of the feature's width that the hidden layer has.</summary>
        public const int Reduction = 16;

        /// <summary>The tensors with their names in checkpoints.</summary>
        internal IReadOnlyList<(string Name, Tensor Tensor)> Parameters =>
        [
            ("cocoop.meta_net.linear1.weight", HiddenWeight), ("cocoop.meta_net.linear1.bias", HiddenBias),
            ("cocoop.meta_net.linear2.weight", OutputWeight), ("cocoop.meta_net.linear2.bias", OutputBias),
        ];

        /// <summary>Draws a network: every number uniform within 1 / sqrt(fan in), as PyTorch begins a linear
        /// layer.</summary>
        /// <param name="device">Where it is.</param>
        /// <param name="config">The CLIP.</param>
        /// <param name="seed">Seed of the numbers.</param>
        public static MetaNet Random(Device device, ClipConfig config, ulong seed)
        {
            int inputs = config.EmbedSize, hidden = Math.Max(1, inputs / Reduction), outputs = config.TextWidth;
            uint stream = RandomStream;
            return new MetaNet(Layer(inputs, hidden, inputs), Layer(inputs, hidden),
                Layer(hidden, outputs, hidden), Layer(hidden, outputs));

            Tensor Layer(int fanIn, params int[] shape)
            {
                var tensor = new Tensor(device, new Shape(shape));
                float limit = 1 / MathF.Sqrt(fanIn);
                Philox.Uniform(tensor.Data, seed, RandomPurpose.Initialization, stream: stream++, low: -limit,
                    high: limit);
                return tensor;
            }
        }

        /// <summary>The shifts of images.</summary>
        /// <param name="tape">The tape of the step.</param>
        /// <param name="features">[B, D], normalized.</param>
        /// <returns>[B, W].</returns>
        public Tensor Forward(Tape tape, Tensor features) => Affine.Apply(tape,
            tape.Apply<Relu>(Affine.Apply(tape, features, HiddenWeight, HiddenBias)), OutputWeight, OutputBias);
    }

    /// <inheritdoc/>
    public string Method => MethodName;

    /// <inheritdoc/>
    public int Classes => _prompts.Ids.Length;

    /// <inheritdoc/>
    public int PromptsPerClass => 1;

    /// <inheritdoc/>
    public bool DependsOnImage => true;

    /// <inheritdoc/>
    public IReadOnlyList<(string Name, Tensor Tensor)> Parameters => [(ContextName, _context), .. _net.Parameters];

    /// <inheritdoc/>
    public IReadOnlyList<(string Key, object Value)> Metadata => [(PromptsKey, _prompts)];

    /// <summary>Reads CoCoOp from a checkpoint.</summary>
    /// <exception cref="InputException">It does not fit the checkpoint's classes or towers.</exception>
    public static CoCoOp Read(IPromptSource source)
    {
        ContextPrompts prompts = CoOp.ReadPrompts(source);
        int width = source.Config.TextWidth, inputs = source.Config.EmbedSize;
        int hidden = source.ShapeOf("cocoop.meta_net.linear1.bias") is [> 0 and < int.MaxValue and var size]
            ? (int)size : 1;
        List<Tensor> read = [];
        try
        {
            Tensor context = Take(ContextName, prompts.Tokens, width);
            return new CoCoOp(context, new MetaNet(Take("cocoop.meta_net.linear1.weight", hidden, inputs),
                Take("cocoop.meta_net.linear1.bias", hidden), Take("cocoop.meta_net.linear2.weight", width, hidden),
                Take("cocoop.meta_net.linear2.bias", width)), prompts);
        }
        catch
        {
            read.ForEach(tensor => tensor.Dispose());
            throw;
        }

        Tensor Take(string name, params int[] expected)
        {
            IReadOnlyList<long> shape = source.ShapeOf(name);
            if (!shape.SequenceEqual(expected.Select(size => (long)size)))
                throw source.Damaged(name, $"[{string.Join(", ", expected)}]", $"[{string.Join(", ", shape)}]");
            read.Add(Tensor.From(source.Device, source.ReadFloats(name), new Shape(expected)));
            return read[^1];
        }
    }

    /// <inheritdoc/>
    public Tensor ClassFeatures(Tape tape, ClipModel clip, Tensor? imageFeatures)
    {
        ArgumentNullException.ThrowIfNull(imageFeatures);
        using Tape.Scope scope = tape.BeginScope();
        return scope.Keep(tape.L2Normalize(Encode(tape, clip.Text, imageFeatures)))
            .Reshape(new Shape(imageFeatures.Shape[0], Classes, clip.Config.EmbedSize));
    }

    /// <summary>Computes the text features of all classes for each image.</summary>
    /// <param name="tape">The tape of the step.</param>
    /// <param name="text">The text tower.</param>
    /// <param name="imageFeatures">[B, D], not normalized.</param>
    /// <returns>[B * K, D], image by image; projected and not normalized.</returns>
    public Tensor Encode(Tape tape, TextTransformer text, Tensor imageFeatures)
    {
        int images = imageFeatures.Shape[0], tokens = _prompts.Tokens, width = _context.Shape[1], classes = Classes;
        using Tape.Scope scope = tape.BeginScope();
        Tensor shift = _net.Forward(tape, tape.L2Normalize(imageFeatures));
        // The context of each image, then once for each of its prompts.
        Tensor context = tape.Add(Rows(_context, images * tokens, row => row % tokens),
            Rows(shift, images * tokens, row => row / tokens));
        Tensor insert = Rows(context, images * classes * tokens,
            row => row / (classes * tokens) * tokens + row % tokens)
            .Reshape(new Shape(images * classes, tokens, width));
        return scope.Keep(text.Encode(tape, CoOp.Place(tape, text, _prompts, insert),
            [.. Enumerable.Repeat(_prompts.Ends, images).SelectMany(ends => ends)]));

        Tensor Rows(Tensor table, int count, Func<int, int> row) => tape.Gather(table, tape.Own(Tensor.From(
            tape.Device, [.. Enumerable.Range(0, count).Select(row)], new Shape(count))));
    }

    /// <inheritdoc/>
    public Tensor Logits(Tape tape, Tensor imageFeatures, Tensor classFeatures, float temperature)
    {
        int images = imageFeatures.Shape[0], width = imageFeatures.Shape[1];
        Tensor rows = tape.L2Normalize(imageFeatures).Reshape(new Shape(images, 1, width));
        return tape.MatMul(rows, classFeatures, transposeB: true, scale: 1 / temperature)
            .Reshape(new Shape(images, Classes));
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach ((_, Tensor tensor) in Parameters)
            tensor.Dispose();
    }
}
