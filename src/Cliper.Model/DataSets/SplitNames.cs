namespace Cliper.Model.DataSets;

/// <summary>Reads which split a name means: "train_data", "FER2013Train" and "PublicTest" as well as "train".</summary>
internal static class SplitNames
{
    private static readonly string[] TrainWords = ["train", "training", "trn"];
    private static readonly string[] ValidationWords = ["validation", "validate", "valid", "val", "dev", "development"];
    private static readonly string[] TestWords = ["test", "testing", "tst", "eval", "evaluation", "holdout"];

    // These say what is in a folder or file, not which part of it.
    private static readonly string[] ContainerWords =
    [
        "data", "dataset", "datasets", "set", "sets", "split", "splits", "class", "classes", "image", "images", "img",
        "imgs", "pic", "pics", "picture", "pictures", "photo", "photos", "face", "faces", "frame", "frames", "folder",
        "dir", "file", "files", "list", "lists", "label", "labels", "annotation", "annotations", "ann", "fer", "plus",
        "affectnet", "affect", "net", "raf", "db", "rafdb", "ck", "sfew", "expw", "emotion", "emotions", "expression",
        "expressions", "aligned", "cropped", "crop", "orig", "original", "part",
    ];

    private static readonly string[] NoImageWords =
        ["list", "lists", "label", "labels", "annotation", "annotations", "ann", "class", "classes"];

    /// <summary>The split that a name means: "train", "validation", "test", or null where it says more or
    /// nothing.</summary>
    public static string? Of(string name) => Find(name) is { Others.Length: 0 } found ? found.Split : null;

    /// <summary>Whether a name says what is in a folder and no more, as "images" does.</summary>
    public static bool IsContainer(string name) => Words(name) is var words
        && words.Any(ContainerWords.Contains) && words.All(IsNoise);

    /// <summary>Whether a name says that images are in a folder, and no more.</summary>
    public static bool HoldsImages(string name) => IsContainer(name) && !Words(name).Any(NoImageWords.Contains);

    /// <summary>The one split among a name's words, and the words that say something else; null where there is none or
    /// several.</summary>
    public static (string Split, string Others)? Find(string name)
    {
        string? split = null;
        var rest = new List<string>();
        List<string> words = Words(name);
        for (int i = 0; i < words.Count; i++)
        {
            // FER2013's public test is what results are chosen on, its private test what they are measured on.
            bool isPublic = words[i] == "public", isPaired = (isPublic || words[i] == "private")
                && i + 1 < words.Count && TestWords.Contains(words[i + 1]);
            string? meant = isPaired ? isPublic ? "validation" : "test" : SplitOf(words[i]);
            if (meant is not null && split is not null && meant != split)
                return null;
            split = meant ?? split;
            if (isPaired)
                i++;
            else if (meant is null && !IsNoise(words[i]))
                rest.Add(words[i]);
        }
        return split is null ? null : (split, string.Join(' ', rest));
    }

    /// <summary>The words of a name in lower case, cut at signs, before capitals, and around digits.</summary>
    internal static List<string> Words(string name)
    {
        var words = new List<string>();
        int start = 0;
        for (int i = 0; i <= name.Length; i++)
        {
            bool ends = i == name.Length || !char.IsLetterOrDigit(name[i]);
            if (!ends && (i == start || !IsCut(name, i)))
                continue;
            if (i > start)
                words.Add(name[start..i].ToLowerInvariant());
            start = ends ? i + 1 : i;
        }
        return words;
    }

    private static bool IsCut(string name, int i) =>
        char.IsDigit(name[i - 1]) != char.IsDigit(name[i])
        || char.IsUpper(name[i]) && (char.IsLower(name[i - 1])
            || char.IsUpper(name[i - 1]) && i + 1 < name.Length && char.IsLower(name[i + 1]));

    private static bool IsNoise(string word) => ContainerWords.Contains(word) || char.IsDigit(word[0]);

    private static string? SplitOf(string word) =>
        Means(word, TrainWords) ? "train"
        : Means(word, ValidationWords) ? "validation"
        : Means(word, TestWords) ? "test"
        : null;

    /// <summary>Whether a word is one of these, alone or grown together with a word such as "set" or "data".</summary>
    private static bool Means(string word, string[] meanings) =>
        meanings.Contains(word) || meanings.Any(meaning =>
            word.StartsWith(meaning, StringComparison.Ordinal) && ContainerWords.Contains(word[meaning.Length..])
            || word.EndsWith(meaning, StringComparison.Ordinal) && ContainerWords.Contains(word[..^meaning.Length]));
}
