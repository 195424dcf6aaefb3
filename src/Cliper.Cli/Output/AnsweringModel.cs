using Cliper.Model.Inference;
using Cliper.Model.Prompts;

namespace Cliper.Cli;

/// <summary>The model that answers, as results name it.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Path">Its file.</param>
/// <param name="Prompts">How its classes are described, as checkpoints name it.</param>
/// <param name="Notes">Facts that a reader of the answers should know, a sentence each.</param>
/// <param name="Names">The names of answers.</param>
internal sealed record AnsweringModel(string Name, string Path, string Prompts, IReadOnlyList<string> Notes,
    ExpressionNames Names)
{
    /// <summary>The method, in the words of the command line where it has one.</summary>
    public string Method => Prompts switch
    {
        Metd.MethodName => "cliper",
        FixedPrompts.MethodName => "zero-shot",
        _ => Prompts,
    };
}
