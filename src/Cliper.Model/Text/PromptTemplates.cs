namespace Cliper.Model.Text;

/// <summary>Sentences about a class, for zero-shot classification and captions: "{}" stands for the class's
/// name.</summary>
public static class PromptTemplates
{
    /// <summary>The placeholder of the name.</summary>
    public const string Place = "{}";

    /// <summary>The CLIPER paper's zero-shot baseline.</summary>
    public const string Paper = "a photo of {}";

    /// <summary>For expressions named by adjectives or nouns; the features of all are averaged.</summary>
    public static IReadOnlyList<string> Faces { get; } =
    [
        "a photo of a {} face.",
        "a photo of a person with a {} expression.",
        "a close-up photo of a {} face.",
        "a cropped photo of a face that shows {}.",
        "an ID photo of a person who looks {}.",
        "a facial expression of {}.",
    ];

    /// <summary>The template with the name in its place.</summary>
    /// <exception cref="SettingsException">The template has no place, or several.</exception>
    public static string Fill(string template, string name)
    {
        int place = template.IndexOf(Place, StringComparison.Ordinal);
        if (place < 0 || template.IndexOf(Place, place + Place.Length, StringComparison.Ordinal) >= 0)
            throw new SettingsException($"prompt template '{template}': expected '{Place}' once, where the class's "
                + $"name goes, as in '{Paper}'");
        return template.Replace(Place, name);
    }
}
