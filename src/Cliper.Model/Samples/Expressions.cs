using System.Collections.Frozen;
using System.Text;
using Cliper.Model.Text;

namespace Cliper.Model.Samples;

/// <summary>
/// One name for each expression, whatever a data set calls it. Labels are mapped by name, never by number: the data
/// sets number their classes differently.
/// </summary>
internal static class Expressions
{
    private static readonly (string Name, string Adjective, string[] Synonyms)[] Table =
    [
        ("anger", "angry", ["angry", "an"]),
        ("anxiety", "anxious", ["anxious"]),
        ("contempt", "contemptuous", ["contemptuous", "co"]),
        ("disappointment", "disappointed", ["disappointed"]),
        ("disgust", "disgusted", ["disgusted", "di"]),
        ("fear", "fearful", ["fearful", "afraid", "scared", "fe"]),
        ("happiness", "happy", ["happy", "joy", "joyful", "smile", "ha"]),
        ("helplessness", "helpless", ["helpless"]),
        ("neutral", "neutral", ["normal", "neutrality", "ne"]),
        ("sadness", "sad", ["sad", "sa"]),
        ("surprise", "surprised", ["surprised", "suprise", "su"]),
    ];

    private static readonly FrozenDictionary<string, string> Names = Table
        .SelectMany(row => row.Synonyms.Append(row.Name).Select(synonym => KeyValuePair.Create(synonym, row.Name)))
        .ToFrozenDictionary(StringComparer.OrdinalIgnoreCase);

    private static readonly FrozenDictionary<string, string> Adjectives =
        Table.ToFrozenDictionary(row => row.Name, row => row.Adjective);

    /// <summary>The canonical names, in alphabetical order.</summary>
    public static IReadOnlyList<string> All { get; } = [.. Table.Select(row => row.Name)];

    /// <summary>All names and synonyms, in lower case.</summary>
    internal static IEnumerable<string> Words => Names.Keys;

    /// <summary>
    /// The canonical name: "Angry" becomes "anger", and so does "0_angry". A name that is no expression is trimmed,
    /// its accents are composed (NFC), and it is kept so.
    /// </summary>
    public static string Canonical(string name) =>
        Names.TryGetValue(name.Trim(), out string? known) || Names.TryGetValue(WithoutNumber(name), out known) ? known
        : UnicodeNormalizer.Normalize(name.Trim(), NormalizationForm.FormC);

    /// <summary>Whether <paramref name="name"/> is an expression or a synonym of one.</summary>
    public static bool IsKnown(string name) => Names.ContainsKey(name.Trim()) || Names.ContainsKey(WithoutNumber(name));

    /// <summary>For "a photo of a happy face": "happiness" becomes "happy". Other names are kept as they are.</summary>
    public static string Adjective(string name) => Adjectives.GetValueOrDefault(Canonical(name), name);

    /// <summary>Position of a class by its name or a synonym; -1 where there is none.</summary>
    public static int IndexOf(IReadOnlyList<string> classes, string name)
    {
        string canonical = Canonical(name);
        for (int i = 0; i < classes.Count; i++)
            if (string.Equals(Canonical(classes[i]), canonical, StringComparison.OrdinalIgnoreCase))
                return i;
        return -1;
    }

    /// <summary>"0_angry", "1. happy" and "02-sad" without number and sign.</summary>
    private static string WithoutNumber(string name)
    {
        string trimmed = name.Trim(), rest = trimmed.TrimStart("0123456789".ToCharArray());
        return rest.Length < trimmed.Length && rest.Length > 0 && !char.IsLetter(rest[0])
            ? rest.TrimStart(' ', '_', '-', '.', ')') : trimmed;
    }
}
