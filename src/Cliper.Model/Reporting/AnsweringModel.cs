using Cliper.Model.Inference;

namespace Cliper.Model.Reporting;

/// <summary>The model that answers, as results name it.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Path">Its file.</param>
/// <param name="Method">How it was trained, such as cliper.</param>
/// <param name="Notes">Facts that a reader of the answers should know, a sentence each.</param>
/// <param name="Names">The names of answers.</param>
public sealed record AnsweringModel(string Name, string Path, string Method, IReadOnlyList<string> Notes,
    ExpressionNames Names);
