using Cliper.Autograd;
using Cliper.Kernels.Memory;
using Cliper.Kernels.Operations;
using Cliper.Model.Clip;

namespace Cliper.Model.Prompts;

/// <summary>
/// CoOp (Zhou et al. 2022, arXiv 2109.01134): n learned context vectors around each class name, one context for all
/// classes or one a class. s[b, k] = cos(f_b, t_k) / tau.
/// </summary>
internal sealed class CoOp : IPromptLearner
{
    /// <summary>Name of the method in checkpoints.</summary>
    public const string MethodName = "coop";

    /// <summary>Name of the context in checkpoints.</summary>
    public const string ParameterName = "coop.ctx";

    /// <summary>Standard deviation of a random context.</summary>
    public const float InitialDeviation = 0.02f;

    private const string PromptsKey = "context_prompts";

    // Distinct from the streams of METD and of a CLIP's weights.
    private const uint RandomStream = 0x434F4F50;

    /// <summary>CoOp around a context, which it takes over.</summary>
    /// <param name="context">[n, text width], or [K, n, text width] for one a class.</param>
    /// <param name="prompts">The prompts, with n slots.</param>
    public CoOp(Tensor context, ContextPrompts prompts)
    {
        bool fits = context.Shape.Rank == 2 || (context.Shape.Rank == 3 && context.Shape[0] == prompts.Ids.Length);
        if (!fits || context.Shape[-2] != prompts.Tokens)
            throw new ArgumentException($"a context {context.Shape} for {prompts.Ids.Length} prompts of "
                + $"{prompts.Tokens} slots");
        (Context, Prompts) = (context, prompts);
    }

    /// <summary>The learned vectors, [n, W] or [K, n, W].</summary>
    public Tensor Context { get; }

    /// <summary>The prompts around them.</summary>
    public ContextPrompts Prompts { get; }

    /// <inheritdoc/>
    public string Method => MethodName;

    /// <inheritdoc/>
    public int Classes => Prompts.Ids.Length;

    /// <inheritdoc/>
    public int PromptsPerClass => 1;

    /// <inheritdoc/>
    public bool DependsOnImage => false;

    /// <inheritdoc/>
    public IReadOnlyList<(string Name, Tensor Tensor)> Parameters => [(ParameterName, Context)];

    /// <inheritdoc/>
    public IReadOnlyList<(string Key, object Value)> Metadata => [(PromptsKey, Prompts)];

    /// <summary>A context drawn from N(0, 0.02²).</summary>
    /// <param name="device">Where it is.</param>
    /// <param name="shape">[n, W] or [K, n, W].</param>
    /// <param name="seed">Seed of the numbers.</param>
    public static Tensor RandomContext(Device device, Shape shape, ulong seed)
    {
        var context = new Tensor(device, shape);
        Philox.Normal(context.Data, seed, RandomPurpose.Initialization, stream: RandomStream,
            deviation: InitialDeviation);
        return context;
    }

    /// <summary>Reads CoOp from a checkpoint.</summary>
    /// <exception cref="InputException">It does not fit the checkpoint's classes or text tower.</exception>
    public static CoOp Read(IPromptSource source)
    {
        ContextPrompts prompts = ReadPrompts(source);
        IReadOnlyList<long> shape = source.ShapeOf(ParameterName);
        long[] own = [prompts.Tokens, source.Config.TextWidth];
        if (!shape.SequenceEqual(own) && !shape.SequenceEqual([prompts.Ids.Length, .. own]))
            throw source.Damaged(ParameterName, $"[{string.Join(", ", own)}], or one for each class",
                $"[{string.Join(", ", shape)}]");
        return new CoOp(Tensor.From(source.Device, source.ReadFloats(ParameterName),
            new Shape([.. shape.Select(size => (int)size)])), prompts);
    }

    /// <summary>Reads the prompts of CoOp or CoCoOp from a checkpoint.</summary>
    /// <exception cref="InputException">They do not fit the checkpoint.</exception>
    internal static ContextPrompts ReadPrompts(IPromptSource source)
    {
        var prompts = source.Read<ContextPrompts>(PromptsKey);
        return prompts.FaultIn(source.Config, source.Classes.Count) is { } fault
            ? throw source.Damaged($"metadata '{PromptsKey}'", "prompts of the model's text tower", fault)
            : prompts;
    }

    /// <inheritdoc/>
    public Tensor ClassFeatures(Tape tape, ClipModel clip, Tensor? imageFeatures)
    {
        using Tape.Scope scope = tape.BeginScope();
        return scope.Keep(tape.L2Normalize(Encode(tape, clip.Text)));
    }

    /// <summary>Computes the text features of all classes.</summary>
    /// <param name="tape">The tape of the step.</param>
    /// <param name="text">The text tower.</param>
    /// <returns>[K, D], projected and not normalized.</returns>
    public Tensor Encode(Tape tape, TextTransformer text)
    {
        using Tape.Scope scope = tape.BeginScope();
        return scope.Keep(text.Encode(tape, Embed(tape, text), Prompts.Ends));
    }

    /// <summary>Token embeddings of all prompts with the context in place, [K, T, W], without positions.</summary>
    /// <param name="tape">The tape of the step.</param>
    /// <param name="text">The text tower.</param>
    public Tensor Embed(Tape tape, TextTransformer text)
    {
        int width = Context.Shape[-1], tokens = Prompts.Tokens;
        // The gradient by a context of all classes adds up over them.
        Tensor insert = Context.Shape.Rank == 3 ? Context : tape.Gather(Context, tape.Own(Tensor.From(tape.Device,
            [.. Enumerable.Range(0, Classes * tokens).Select(row => row % tokens)], new Shape(Classes * tokens))))
            .Reshape(new Shape(Classes, tokens, width));
        return Place(tape, text, Prompts, insert);
    }

    /// <summary>Embeds prompts, class by class as often as there are vectors, and places the vectors.</summary>
    /// <param name="tape">The tape of the step.</param>
    /// <param name="text">The text tower.</param>
    /// <param name="prompts">Prompts of K classes.</param>
    /// <param name="insert">[P, n, W], P a multiple of K.</param>
    internal static Tensor Place(Tape tape, TextTransformer text, ContextPrompts prompts, Tensor insert)
    {
        int count = insert.Shape[0], repeats = count / prompts.Ids.Length;
        Tensor embedded = text.Embed(tape, Repeated(prompts.Ids), count, prompts.Length);
        Tensor slots = tape.Own(Tensor.From(tape.Device, Repeated(prompts.Slots), new Shape(count, prompts.Tokens)));
        return tape.Place(embedded, insert, slots);

        int[] Repeated(int[][] rows) => [.. Enumerable.Repeat(rows, repeats).SelectMany(once => once)
            .SelectMany(row => row)];
    }

    /// <inheritdoc/>
    public void Dispose() => Context.Dispose();
}
