namespace Cliper.Model.Text;

/// <summary>Templates of captions by name; where a set has several, the features of all are averaged.</summary>
internal static class PromptSets
{
    /// <summary>Name of the paper's template without an article, "a photo of {}".</summary>
    public const string Paper = "paper";

    /// <summary>Name of the paper's template with one, "a photo of a {}".</summary>
    public const string PaperArticle = "paper-a";

    /// <summary>Name of the sentences on what a face does.</summary>
    public const string Movements = "movements";

    private const string Photo = "a photo of a face with an expression of {}.";

    private static readonly Dictionary<string, string[]> ByName = new()
    {
        // These stay as the paper prints them, whatever word follows.
        [Paper] = [PromptTemplates.Paper],
        [PaperArticle] = ["a photo of a {}"],
        ["faces"] = [.. PromptTemplates.Faces],
        ["expression"] = ["an expression of {}."],
        ["photo-expression"] = [Photo],
        // This serves a class that has no sentence below.
        [Movements] = [Photo],
    };

    /// <summary>Sentences that tell what a face does in each expression.</summary>
    private static readonly Dictionary<string, string> MovementsOf = new()
    {
        ["anger"] = "brows drawn down and together, glaring eyes and lips pressed tight",
        ["anxiety"] = "inner brows raised, restless eyes and a tense mouth",
        ["contempt"] = "one corner of the mouth pulled up and the eyes half closed",
        ["disappointment"] = "a look cast down and the corners of the mouth lowered",
        ["disgust"] = "a wrinkled nose, the upper lip raised and narrowed eyes",
        ["fear"] = "brows raised and drawn together, eyes wide open and the mouth stretched",
        ["happiness"] = "raised cheeks, wrinkles beside the eyes and a broad smile",
        ["helplessness"] = "inner brows raised, drooping eyelids and the mouth a little open",
        ["neutral"] = "relaxed brows, calm eyes and a closed, relaxed mouth",
        ["sadness"] = "inner brows raised, drooping eyelids and the corners of the mouth pulled down",
        ["surprise"] = "brows raised high, eyes wide open and the jaw dropped",
    };

    /// <summary>The names.</summary>
    public static IReadOnlyCollection<string> Names => ByName.Keys;

    /// <summary>The templates of a set.</summary>
    /// <exception cref="SettingsException">There is no such set.</exception>
    public static IReadOnlyList<string> Get(string name) => ByName.TryGetValue(name, out string[]? templates)
        ? templates
        : throw new SettingsException(
            $"no prompts '{name}'; there are {string.Join(", ", Names)}{Suggestion.Hint(name, Names)}");

    /// <summary>Captions of a class. In all sets but the paper's own "a" becomes "an" where the word asks for
    /// it.</summary>
    /// <param name="set">Name of the set.</param>
    /// <param name="expression">Canonical name of the class, for the sentences on what a face does.</param>
    /// <param name="word">The word that names it.</param>
    /// <exception cref="SettingsException">There is no such set.</exception>
    public static IReadOnlyList<string> Fill(string set, string expression, string word)
    {
        if (set == Movements && MovementsOf.TryGetValue(expression, out string? movements))
            return [$"a photo of a face with {movements}."];
        bool asPrinted = set is Paper or PaperArticle;
        return [.. Get(set).Select(template =>
            PromptTemplates.Fill(asPrinted ? template : WithArticle(template, word), word))];
    }

    private static string WithArticle(string template, string word) =>
        word.Length > 0 && "aeiou".Contains(char.ToLowerInvariant(word[0]))
            ? template.Replace($"a {PromptTemplates.Place}", $"an {PromptTemplates.Place}") : template;
}
