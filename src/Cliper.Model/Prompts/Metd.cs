using Cliper.Autograd;
using Cliper.Kernels.Memory;
using Cliper.Kernels.Operations;
using Cliper.Model.Clip;

namespace Cliper.Model.Prompts;

/// <summary>
/// Multiple expression text descriptors (CLIPER, section III-B): for each of K classes M prompts of L learnable vectors
/// inside a fixed text, "an ID photo of [V1] ... [VL] .". No class name appears; training alone gives a prompt its
/// class.
/// </summary>
public sealed class Metd : IPromptLearner
{
    /// <summary>Name of the method in checkpoints; a checkpoint that names none holds METD.</summary>
    public const string MethodName = "metd";

    private const string PromptKey = "prompt";

    /// <summary>Name of the vectors in checkpoints.</summary>
    public const string ParameterName = "metd.vectors";

    /// <summary>Standard deviation of the learnable vectors before training: the authors' randn / 1000.</summary>
    public const float InitialDeviation = 1e-3f;

    // Distinct from the streams that a CLIP's weights are drawn from.
    private const uint RandomStream = 0x4D455444;

    /// <summary>Descriptors around <paramref name="vectors"/>, which it takes over.</summary>
    /// <param name="vectors">[K, M, L, text width].</param>
    /// <param name="prompt">The fixed text, with L slots.</param>
    public Metd(Tensor vectors, DescriptorPrompt prompt)
    {
        if (vectors.Shape.Rank != 4 || vectors.Shape[2] != prompt.Slots)
            throw new ArgumentException(
                $"descriptors are {vectors.Shape}, expected [classes, subclasses, {prompt.Slots}, width]");
        Vectors = vectors;
        Prompt = prompt;
    }

    /// <summary>The learnable vectors, [K, M, L, text width].</summary>
    public Tensor Vectors { get; }

    /// <summary>The fixed text around the vectors.</summary>
    public DescriptorPrompt Prompt { get; }

    /// <inheritdoc/>
    public string Method => MethodName;

    /// <inheritdoc/>
    public int Classes => Vectors.Shape[0];

    /// <summary>Number of descriptors of each class, M.</summary>
    public int PromptsPerClass => Vectors.Shape[1];

    /// <inheritdoc/>
    public bool DependsOnImage => false;

    /// <inheritdoc/>
    public IReadOnlyList<(string Name, Tensor Tensor)> Parameters => [(ParameterName, Vectors)];

    /// <inheritdoc/>
    public IReadOnlyList<(string Key, object Value)> Metadata => [(PromptKey, Prompt)];

    /// <summary>Number of learnable tokens of each descriptor, L.</summary>
    public int Tokens => Vectors.Shape[2];

    /// <summary>Descriptors drawn from N(0, 1)/1000 by <paramref name="seed"/>.</summary>
    public static Metd Random(Device device, int classes, int subclasses, int textWidth, DescriptorPrompt prompt,
        ulong seed)
    {
        var vectors = new Tensor(device, new Shape(classes, subclasses, prompt.Slots, textWidth));
        Philox.Normal(vectors.Data, seed, RandomPurpose.Initialization, stream: RandomStream,
            deviation: InitialDeviation);
        return new Metd(vectors, prompt);
    }

    /// <summary>Reads descriptors from a checkpoint.</summary>
    /// <exception cref="InputException">They do not fit the checkpoint's classes, prompt or text tower.</exception>
    public static Metd Read(IPromptSource source)
    {
        var prompt = source.Read<DescriptorPrompt>(PromptKey);
        if (prompt.FaultIn(source.Config) is { } fault)
            throw source.Damaged($"metadata '{PromptKey}'", "a prompt of the model's text tower", fault);
        IReadOnlyList<long> shape = source.ShapeOf(ParameterName);
        (int classes, int width) = (source.Classes.Count, source.Config.TextWidth);
        if (shape.Count != 4 || shape[0] != classes || shape[1] < 1 || shape[2] != prompt.Slots || shape[3] != width)
            throw source.Damaged(ParameterName, $"[{classes}, M, {prompt.Slots}, {width}]",
                $"[{string.Join(", ", shape)}]");
        return new Metd(Tensor.From(source.Device, source.ReadFloats(ParameterName),
            new Shape([.. shape.Select(size => (int)size)])), prompt);
    }

    /// <inheritdoc/>
    public Tensor ClassFeatures(Tape tape, ClipModel clip, Tensor? imageFeatures)
    {
        using Tape.Scope scope = tape.BeginScope();
        return scope.Keep(tape.L2Normalize(Encode(tape, clip.Text)));
    }

    /// <summary>Computes the text features of all prompts.</summary>
    /// <param name="tape">The tape of the step.</param>
    /// <param name="text">The text tower.</param>
    /// <returns>[K * M, D], projected and not normalized; class by class.</returns>
    public Tensor Encode(Tape tape, TextTransformer text)
    {
        int prompts = Classes * PromptsPerClass, tokens = Prompt.Ids.Length;
        using Tape.Scope scope = tape.BeginScope();
        var ids = new int[prompts * tokens];
        for (int prompt = 0; prompt < prompts; prompt++)
            Prompt.Ids.CopyTo(ids, prompt * tokens);
        Tensor fixedPart = text.Embed(tape, ids, prompts, tokens);
        Tensor slots = tape.Own(Tensor.From(tape.Device,
            [.. Enumerable.Range(0, prompts * Tokens).Select(at => Prompt.SlotStart + at % Tokens)],
            new Shape(prompts, Tokens)));
        Tensor embeddings = tape.Place(fixedPart, Vectors.Reshape(new Shape(prompts, Tokens, Vectors.Shape[3])),
            slots);
        return scope.Keep(text.Encode(tape, embeddings, [.. Enumerable.Repeat(Prompt.End, prompts)]));
    }

    /// <inheritdoc/>
    public void Dispose() => Vectors.Dispose();
}
