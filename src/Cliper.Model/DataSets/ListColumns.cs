using Cliper.Model.Images;
using Cliper.Model.IO;
using Cliper.Model.Samples;

namespace Cliper.Model.DataSets;

/// <summary>Which columns of a list hold the path, the label and the split.</summary>
/// <param name="Path">Index of the path.</param>
/// <param name="Label">Index of the label.</param>
/// <param name="Split">Index of the split; <see cref="int.MaxValue"/> where there is none.</param>
internal readonly record struct ListColumns(int Path, int Label, int Split)
{
    // The words come in order of how surely they mean the column.
    private static readonly string[] PathWords =
    [
        "filepath", "path", "pth", "filename", "file", "fname", "img", "image", "imagename", "imgname", "imagepath",
        "imgpath", "picture", "pic", "photo", "video", "videoname", "clip", "frame", "url",
    ];

    private static readonly string[] LabelWords =
    [
        "expression", "emotion", "label", "class", "expr", "emo", "category", "target", "sentiment", "annotation", "y",
        "expressions", "emotions", "labels", "classes", "classname", "labelname", "gt",
    ];

    private static readonly string[] CaptionWords =
        ["caption", "captions", "text", "title", "description", "sentence", "comment", "prompt"];

    private static readonly char[] Separators = ['\t', ',', ';', '|'];

    private static readonly string[] SplitWords = ["split", "usage", "partition", "set", "subset", "phase", "fold"];

    // A column with one of these measures or numbers something.
    private static readonly string[] OtherWords =
    [
        "id", "idx", "index", "no", "nr", "num", "number", "count", "width", "height", "size", "x", "y", "w", "h",
        "box",
        "bbox", "left", "top", "right", "bottom", "score", "confidence", "conf", "prob", "probability", "intensity",
        "valence", "arousal", "landmarks", "user", "age", "gender", "race", "time", "url",
    ];

    private static readonly string[] OtherEndings = [".jfif", ".jpe", ".heic", ".avif", ".mp4", ".avi", ".mov", ".mkv",
        ".webm"];

    /// <summary>Columns of a list without a header: path, label, and perhaps the split.</summary>
    public static ListColumns Usual => new(0, 1, 2);

    /// <summary>Names of a column, for an error message.</summary>
    public const string Known = "path, file or image for the path; label, class, expression or emotion for the label";

    /// <summary>The sign between the fields of a list, by its first line; null where there is none.</summary>
    public static char? SeparatorOf(string line) =>
        Separators.Where(sign => line.Contains(sign)).Select(sign => (char?)sign).FirstOrDefault();

    /// <summary>The columns of path and caption that a header names; -1 for one that it does not.</summary>
    public static (int File, int Caption) OfCaptions(IReadOnlyList<string> fields)
    {
        List<string>[] words = [.. fields.Select(SplitNames.Words)];
        int caption = Best(words, CaptionWords);
        return (Best(words, PathWords, caption), caption);
    }

    /// <summary>The columns that a header names.</summary>
    /// <returns>The columns; null where the line is no header.</returns>
    /// <exception cref="InputException">It names one of path and label, and not the other.</exception>
    public static ListColumns? OfHeader(IReadOnlyList<string> fields, string where)
    {
        List<string>[] words = [.. fields.Select(SplitNames.Words)];
        if (fields.Any(IsPath))
            return null;
        int path = Best(words, PathWords, -1), label = Best(words, LabelWords, path);
        if (path < 0)
            path = Array.FindIndex(words, list => list is ["name"]);
        // A row has one expression; a column for each is a table of votes, which has no labels.
        int expressions = fields.Count(Expressions.IsKnown);
        if (path < 0 && label < 0 || expressions == 1 || expressions > 1 && path < 0)
            return null;
        // "class,…" alone could be a label called so; two known columns cannot be chance.
        int split = Best(words, SplitWords, path, label);
        if (path < 0 || label < 0)
            return fields.Count < 2 || split < 0 && words.Count(list => list.Count > 0 && IsKnown(list)) < 2
                && !IsKnown(words[path < 0 ? label : path]) ? null
                : throw new InputException($"{where}: the header '{ForeignText.Short(string.Join(',', fields))}' "
                    + $"names no column of the {(path < 0 ? "path" : "label")}; known are {Known}");
        return new ListColumns(path, label, split < 0 ? int.MaxValue : split);
    }

    /// <summary>The columns of a list without a header, by its first row: a path has an ending or a folder in
    /// it.</summary>
    public static ListColumns OfRow(IReadOnlyList<string> fields, Func<string, bool> isLabel)
    {
        int path = fields.ToList().FindIndex(IsPath);
        if (path <= 0 || fields.Count == 1)
            return Usual;
        int label = fields.ToList().FindIndex(field => isLabel(field));
        if (label < 0 || label == path)
            label = path == 1 && fields.Count == 2 ? 0 : path + 1 < fields.Count ? path + 1 : 0;
        int split = fields.ToList().FindIndex(field => SplitNames.Of(field) is not null);
        return new ListColumns(path, label, split < 0 || split == path || split == label ? int.MaxValue : split);
    }

    /// <summary>Whether a field looks like a path: it has a folder in it, or the ending of an image or video.</summary>
    public static bool IsPath(string field) => field.AsSpan().IndexOfAny('/', '\\') >= 0
        || System.IO.Path.GetExtension(field) is var ending && (ImageCodec.Instance.CanRead(ending)
        || OtherEndings.Contains(ending, StringComparer.OrdinalIgnoreCase));

    private static bool IsKnown(List<string> words) =>
        words.Any(word => PathWords.Contains(word) || LabelWords.Contains(word) || SplitWords.Contains(word));

    /// <summary>The column whose name means one of <paramref name="meanings"/> most surely: it has the first of them,
    /// and no word that says something else.</summary>
    private static int Best(List<string>[] columns, string[] meanings, params int[] taken)
    {
        int best = -1, least = int.MaxValue;
        for (int i = 0; i < columns.Length; i++)
        {
            // "clip 01" is a name and not a column's.
            if (taken.Contains(i) || columns[i].Count == 0 || columns[i].Any(word => char.IsDigit(word[0])))
                continue;
            // The last word is what is named: "image label" is a label, "label file" a file.
            int place = Array.IndexOf(meanings, columns[i][^1]), cost = place;
            if (place < 0)
            {
                place = columns[i].Select(word => Array.IndexOf(meanings, word)).Where(at => at >= 0)
                    .DefaultIfEmpty(-1).Min();
                cost = place + meanings.Length;
            }
            if (columns[i].Count > 1 && columns[i].Any(OtherWords.Contains))
                cost += 2 * meanings.Length;
            if (place >= 0 && cost < least)
                (best, least) = (i, cost);
        }
        return best;
    }
}
