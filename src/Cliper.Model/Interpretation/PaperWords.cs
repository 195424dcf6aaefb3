namespace Cliper.Model.Interpretation;

/// <summary>A word of the paper's Table VI.</summary>
/// <param name="Class">The class, by its canonical name.</param>
/// <param name="Descriptor">The descriptor, m, from 1.</param>
/// <param name="Token">The token, l, from 1.</param>
/// <param name="Word">The word that is nearest there.</param>
internal sealed record PaperWord(string Class, int Descriptor, int Token, string Word);

/// <summary>
/// The words that the paper's Table VI (arXiv 2303.00193) lists for its model, as far as they are known to us. The
/// table has 21: for three their place is known, four more are known without one.
/// </summary>
internal static class PaperWords
{
    /// <summary>Words of the table.</summary>
    public const int Count = 21;

    /// <summary>Words with their places.</summary>
    public static IReadOnlyList<PaperWord> Placed { get; } =
        [new("happiness", 3, 1, "kindness"), new("sadness", 2, 3, "saddest"), new("anger", 3, 1, "roaring")];

    /// <summary>Words whose place is not known to us.</summary>
    public static IReadOnlyList<string> Unplaced { get; } = ["!", "ned", "berser", "nugget"];

    /// <summary>The paper's word at a place; null where it is not known to us.</summary>
    /// <param name="name">The class, by its canonical name.</param>
    /// <param name="descriptor">The descriptor, from 0.</param>
    /// <param name="token">The token, from 0.</param>
    public static string? At(string name, int descriptor, int token) => Placed.FirstOrDefault(word =>
        word.Class == name && word.Descriptor == descriptor + 1 && word.Token == token + 1)?.Word;

    /// <summary>A sentence on the words that are not known to us.</summary>
    public static string Note => $"The paper lists {Count} words. {Placed.Count} of them are known to us with their "
        + $"place; {string.Join(", ", Unplaced.Select(word => $"“{word}”"))} without it; the other "
        + $"{Count - Placed.Count - Unplaced.Count} are not known to us.";
}
