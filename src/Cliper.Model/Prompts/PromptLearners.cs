using Cliper.Kernels.Memory;
using Cliper.Model.Clip;
using Cliper.Model.IO;

namespace Cliper.Model.Prompts;

/// <summary>A checkpoint, as a prompt method reads its part of it.</summary>
public interface IPromptSource
{
    /// <summary>Device for the tensors.</summary>
    Device Device { get; }

    /// <summary>Configuration of the checkpoint's CLIP.</summary>
    ClipConfig Config { get; }

    /// <summary>Class names.</summary>
    IReadOnlyList<string> Classes { get; }

    /// <summary>Reads a value of the metadata from JSON.</summary>
    /// <exception cref="InputException">It is missing or has another form.</exception>
    T Read<T>(string key);

    /// <summary>Sizes of a tensor's axes.</summary>
    /// <exception cref="InputException">There is no such tensor.</exception>
    IReadOnlyList<long> ShapeOf(string name);

    /// <summary>Elements of a tensor, row-major.</summary>
    /// <exception cref="InputException">There is no such tensor.</exception>
    float[] ReadFloats(string name);

    /// <summary>Makes the error that says what is damaged, what was expected and what was found.</summary>
    InputException Damaged(string what, string expected, string found);
}

/// <summary>The prompt methods that a checkpoint can hold.</summary>
internal static class PromptLearners
{
    // A new method is a class and a line here.
    private static readonly Dictionary<string, Func<IPromptSource, IPromptLearner>> Readers = new()
    {
        [Metd.MethodName] = Metd.Read,
        [FixedPrompts.MethodName] = FixedPrompts.Read,
        [CoOp.MethodName] = CoOp.Read,
        [CoCoOp.MethodName] = CoCoOp.Read,
        [LinearHead.ProbeName] = source => LinearHead.Read(source, LinearHead.ProbeName),
        [LinearHead.FineTuneName] = source => LinearHead.Read(source, LinearHead.FineTuneName),
    };

    /// <summary>The method of a model in the words of the command line.</summary>
    public static string WordOf(IPromptLearner prompts) => prompts switch
    {
        Metd { PromptsPerClass: 1 } => "m1",
        Metd => "cliper",
        FixedPrompts => "zero-shot",
        _ => prompts.Method,
    };

    /// <summary>Reads a method from a checkpoint.</summary>
    /// <param name="method">Name of the method.</param>
    /// <param name="source">The checkpoint.</param>
    /// <exception cref="InputException">The method is unknown, or its part of the checkpoint is damaged.</exception>
    public static IPromptLearner Read(string method, IPromptSource source) =>
        Readers.TryGetValue(method, out Func<IPromptSource, IPromptLearner>? read)
            ? read(source)
            : throw source.Damaged("metadata 'method'", string.Join(" or ", Readers.Keys), ForeignText.Quote(method));
}
