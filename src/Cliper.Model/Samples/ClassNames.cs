using System.Text.Json.Serialization;

namespace Cliper.Model.Samples;

/// <summary>The words that name classes in prompts.</summary>
public enum ClassNames
{
    /// <summary>Adjectives: "happy", "surprised".</summary>
    Adjectives,

    /// <summary>Nouns: "happiness", "surprise".</summary>
    Nouns,

    /// <summary>The data set's own words, as its labels are published.</summary>
    Own,

    /// <summary>CLIPER's list, a mixture of both: surprise, fear, disgust, happy, sad, anger, neutral.</summary>
    [JsonStringEnumMemberName("paper-words")]
    PaperWords,
}

/// <summary>The words of a set of names.</summary>
internal static class ClassWords
{
    private static readonly Dictionary<string, string> Paper = new() { ["happiness"] = "happy", ["sadness"] = "sad" };

    /// <summary>The words that data sets use where they are no nouns; all others are published as nouns.</summary>
    private static readonly Dictionary<string, Dictionary<string, string>> OwnWords = new()
    {
        ["fer2013"] = new(Paper) { ["anger"] = "angry" },
        ["affectnet"] = new(Paper),
        ["ferv39k"] = new(Paper) { ["anger"] = "angry" },
        ["dfew"] = new(Paper) { ["anger"] = "angry" },
        ["afew"] = new(Paper) { ["anger"] = "angry" },
        ["ckplus"] = new() { ["happiness"] = "happy" },
    };

    /// <summary>A word for each class; a class that is no expression keeps its name.</summary>
    /// <param name="names">The set of names.</param>
    /// <param name="classes">Names of the classes.</param>
    /// <param name="format">Layout of the data, for <see cref="ClassNames.Own"/>.</param>
    public static IReadOnlyList<string> Of(ClassNames names, IReadOnlyList<string> classes, string format) =>
        [.. classes.Select(name => names switch
        {
            ClassNames.Adjectives => Expressions.All.Contains(name) ? Expressions.Adjective(name) : name,
            ClassNames.Nouns => name,
            ClassNames.Own => OwnWords.GetValueOrDefault(format)?.GetValueOrDefault(name) ?? name,
            _ => Paper.GetValueOrDefault(name) ?? name,
        })];

    /// <summary>Name of a set in settings and tables.</summary>
    public static string Name(ClassNames names) => names switch
    {
        ClassNames.Adjectives => "adjectives",
        ClassNames.Nouns => "nouns",
        ClassNames.Own => "own",
        _ => "paper-words",
    };
}
