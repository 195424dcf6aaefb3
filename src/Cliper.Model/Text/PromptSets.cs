namespace Cliper.Model.Text;

/// <summary>Templates of captions by name; where a set has several, the features of all are averaged.</summary>
public static class PromptSets
{
    /// <summary>Name of the paper's template without an article, "a photo of {}".</summary>
    public const string Paper = "paper";

    /// <summary>Name of the paper's template with one, "a photo of a {}".</summary>
    public const string PaperArticle = "paper-a";

    private static readonly Dictionary<string, string[]> ByName = new()
    {
        // As the paper prints them, whatever word follows.
        [Paper] = [PromptTemplates.Paper],
        [PaperArticle] = ["a photo of a {}"],
        ["faces"] = [.. PromptTemplates.Faces],
        ["expression"] = ["an expression of {}."],
        ["photo-expression"] = ["a photo of a face with an expression of {}."],
    };

    /// <summary>The names.</summary>
    public static IReadOnlyCollection<string> Names => ByName.Keys;

    /// <summary>The templates of a set.</summary>
    /// <exception cref="SettingsException">There is no such set.</exception>
    public static IReadOnlyList<string> Get(string name) => ByName.TryGetValue(name, out string[]? templates)
        ? templates
        : throw new SettingsException(
            $"no prompts '{name}'; there are {string.Join(", ", Names)}{Suggestion.Hint(name, Names)}");

    /// <summary>Captions of a set. In all but the paper's own templates "a" becomes "an" where the word asks for
    /// it.</summary>
    /// <param name="set">Name of the set.</param>
    /// <param name="word">The word for the class.</param>
    /// <exception cref="SettingsException">There is no such set.</exception>
    public static IReadOnlyList<string> Fill(string set, string word) =>
        [.. Get(set).Select(template => PromptTemplates.Fill(
            set is Paper or PaperArticle ? template : WithArticle(template, word), word))];

    private static string WithArticle(string template, string word) =>
        word.Length > 0 && "aeiou".Contains(char.ToLowerInvariant(word[0]))
            ? template.Replace(" a " + PromptTemplates.Place, " an " + PromptTemplates.Place) : template;
}
