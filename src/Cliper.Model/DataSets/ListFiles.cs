using System.Globalization;
using Cliper.Model.IO;
using Cliper.Model.Samples;

namespace Cliper.Model.DataSets;

/// <summary>
/// Lists of images or folders of frames: comma-separated (path,label[,split], with or without a header) or separated by
/// blanks (path [frames] label), in one file or in one for each split.
/// </summary>
internal sealed class ListFiles : IDataSetFormat
{
    private const int LongestLabel = 200;

    private static readonly string[] Extensions = [".csv", ".tsv", ".txt", ".lst", ".list"];

    public string Name => "list";

    public string Layout =>
        "FILE.csv with path,label[,split] (also by tabs, ';' or '|'), FILE.txt with 'path [frames] label', or a "
        + "folder with train.csv, "
        + "validation.csv, test.csv (or .txt)";

    public bool Matches(string path, DataSetOptions options) =>
        File.Exists(path) ? IsList(path) : ListsOf(path).ContainsKey("train");

    public RawSplits Read(string path, DataSetOptions options)
    {
        var splits = new Dictionary<string, List<RawSample>>();
        if (File.Exists(path))
        {
            ReadFile(path, "train", splits, options);
        }
        else
        {
            Dictionary<string, string> lists = ListsOf(path);
            if (!lists.ContainsKey("train"))
                throw new InputException($"{path}: no list here. Expected {Layout}; found {Folders.Describe(path)}");
            foreach ((string split, string file) in lists)
                ReadFile(file, split, splits, options);
        }
        if (!splits.TryGetValue("train", out List<RawSample>? train))
            throw new InputException($"{path}: no training rows; the split column says train, validation or test");
        return new RawSplits(train, splits.GetValueOrDefault("validation"), splits.GetValueOrDefault("test"));
    }

    private static bool IsList(string file) => Extensions.Contains(Path.GetExtension(file),
        StringComparer.OrdinalIgnoreCase);

    private static Dictionary<string, string> ListsOf(string folder)
    {
        var lists = new Dictionary<string, string>();
        // Beside folders of the splits, "train_labels.csv" tells what these hold already.
        bool hasFolders = Folders.Splits(folder) is not null;
        foreach (string file in Directory.EnumerateFiles(folder).Where(IsList).Order(StringComparer.Ordinal))
            if (SplitNames.Of(Path.GetFileNameWithoutExtension(file)) is { } split
                && (!hasFolders || SplitNames.Words(Path.GetFileNameWithoutExtension(file)).Count == 1)
                && !lists.TryAdd(split, file))
                throw new InputException(
                    $"{folder}: both {Path.GetFileName(lists[split])} and {Path.GetFileName(file)} list a {split} "
                    + "split; remove one");
        return lists;
    }

    private static void ReadFile(string list, string defaultSplit, Dictionary<string, List<RawSample>> splits,
        DataSetOptions options)
    {
        using var reader = new ListReader(list, options);
        string root = options.ImageRoot ?? Path.GetDirectoryName(Path.GetFullPath(list))!;
        int found = 0;
        var faults = new List<string>();
        Row? first = null;
        bool firstIsThere = false, classComesAgain = false;
        foreach (Row row in Parse(reader, list, defaultSplit, options.Classes))
        {
            IReadOnlyList<Frame>? frames = FramesOf(row, root, options, faults);
            classComesAgain |= first?.Class == row.Class;
            if (first is null)
                (first, firstIsThere) = (row, frames is not null);
            if (frames is null)
                continue;
            if (!splits.TryGetValue(row.Split, out List<RawSample>? samples))
                splits.Add(row.Split, samples = []);
            samples.Add(new RawSample(row.Path, row.Class, frames, row.Where, SubjectOf(row.Path, options)));
            found++;
        }
        // Where nothing is found the root is wrong, not the files.
        if (found == 0)
            throw new InputException(faults.Count > 0 ? faults[0]
                : $"{list}: the list is empty; expected {new ListFiles().Layout}");
        if (!firstIsThere && !classComesAgain && first is { } header && !ListColumns.IsPath(header.Path))
            throw new InputException($"{header.Where}: '{ForeignText.Short($"{header.Path}, {header.Class}")}' is "
                + $"neither a file nor a header with known columns; known are {ListColumns.Known}");
        faults.ForEach(options.ReportMissing);
    }

    private static string? SubjectOf(string path, DataSetOptions options) =>
        options.Subject?.Match(path) is { Success: true, Groups: [_, var subject, ..] } ? subject.Value : null;

    private static IReadOnlyList<Frame>? FramesOf(Row row, string root, DataSetOptions options, List<string> faults)
    {
        string path = row.Path;
        if (options.RewriteFrom != null && path.StartsWith(options.RewriteFrom, StringComparison.Ordinal))
            path = options.RewriteTo + path[options.RewriteFrom.Length..];
        // Lists that were made on Windows have backslashes.
        if (Path.DirectorySeparatorChar == '/' && path.Contains('\\') && !Path.Exists(Path.Combine(root, path)))
            path = path.Replace('\\', '/');
        path = Path.Combine(root, path);
        if (File.Exists(path))
            return [new FileFrame(path)];
        if (!Directory.Exists(path))
        {
            faults.Add($"{row.Where}: {path} does not exist; correct the line, the image root or the rewriting of "
                + "paths");
            return null;
        }
        string[] frames = Folders.Images(path, options);
        if (frames.Length == 0 || frames.Length < row.Frames)
        {
            faults.Add($"{row.Where}: {path} has {frames.Length} frames, expected "
                + $"{Math.Max(1, row.Frames)}; unpack the clip again, or correct the line");
            return null;
        }
        return [.. frames.Select(frame => new FileFrame(frame))];
    }

    /// <summary>A row of a list.</summary>
    /// <param name="Path">Path as written.</param>
    /// <param name="Frames">Frames that the list promises, or 0.</param>
    /// <param name="Class">Class name.</param>
    /// <param name="Split">"train", "validation" or "test".</param>
    /// <param name="Where">File and line.</param>
    internal readonly record struct Row(string Path, int Frames, string Class, string Split, string Where);

    /// <summary>Reads the lines; touches no other file.</summary>
    internal static IEnumerable<Row> Parse(TextReader reader, string name, string defaultSplit,
        IReadOnlyList<string>? classes)
    {
        ListColumns columns = default;
        char? separator = null;
        int width = 0;
        var seen = new Dictionary<(string Split, string Path), int>();
        for (int line = 1; reader.ReadLine() is { } text; line++)
        {
            if (string.IsNullOrWhiteSpace(text) || text.StartsWith('#'))
                continue;
            string where = $"{name}:{line}";
            if (width == 0)
                separator = ListColumns.SeparatorOf(text);
            Row row;
            if (separator is { } sign)
            {
                List<string> fields = Csv.Fields(text, where, sign);
                if (width == 0)
                {
                    width = fields.Count;
                    if (ListColumns.OfHeader(fields, where) is { } header)
                    {
                        columns = header;
                        continue;
                    }
                    columns = ListColumns.OfRow(fields, field => Expressions.IsKnown(field)
                        || classes?.Contains(field, StringComparer.OrdinalIgnoreCase) == true);
                }
                row = FromFields(fields, columns, width, defaultSplit, where, classes);
            }
            else
            {
                if (width == 0 && ListColumns.OfHeader(text.Split((char[]?)null,
                    StringSplitOptions.RemoveEmptyEntries), where) is { Path: 0, Label: > 0 })
                {
                    width = 1;
                    continue;
                }
                width = 1;
                row = FromWords(text, defaultSplit, where, classes);
            }
            if (!seen.TryAdd((row.Split, row.Path), line))
                throw new InputException(
                    $"{where}: {ForeignText.Short(row.Path)} was already listed in line {seen[(row.Split, row.Path)]}");
            yield return row;
        }
    }

    private static Row FromFields(List<string> fields, ListColumns columns, int width, string defaultSplit,
        string where, IReadOnlyList<string>? classes)
    {
        if (fields.Count < 2 || fields.Count != width)
            throw new InputException(
                $"{where}: {fields.Count} columns, expected {Math.Max(2, width)}: path,label[,split]");
        string split = defaultSplit;
        if (columns.Split < fields.Count && fields[columns.Split].Length > 0)
            split = SplitNames.Of(fields[columns.Split])
                ?? throw new InputException(
                    $"{where}: unknown split '{ForeignText.Short(fields[columns.Split])}', "
                    + "expected train, validation or test");
        if (fields[columns.Path].Length == 0)
            throw new InputException($"{where}: the path is empty");
        return new Row(fields[columns.Path], 0, ClassOf(fields[columns.Label], where, classes), split, where);
    }

    /// <summary>
    /// Parses from the right, because paths may have blanks: label, then perhaps the number of frames.
    /// </summary>
    private static Row FromWords(string text, string split, string where, IReadOnlyList<string>? classes)
    {
        string[] words = text.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries);
        if (words.Length < 2)
            throw new InputException(
                $"{where}: '{ForeignText.Short(text)}', expected a path, perhaps a number of frames, and a label");
        int frames = 0;
        bool counted = words.Length > 2 && int.TryParse(words[^2], NumberStyles.None, CultureInfo.InvariantCulture,
            out frames);
        if (counted && frames == 0)
            throw new InputException($"{where}: a clip of 0 frames; remove the line");
        return new Row(string.Join(' ', words[..^(counted ? 2 : 1)]), frames, ClassOf(words[^1], where, classes),
            split, where);
    }

    private static string ClassOf(string label, string where, IReadOnlyList<string>? classes)
    {
        if (!int.TryParse(label, NumberStyles.None, CultureInfo.InvariantCulture, out int number))
            return label.Length == 0 ? throw new InputException($"{where}: the label is empty")
                : label.Length > LongestLabel ? throw new InputException(
                    $"{where}: a label of {label.Length:N0} characters, expected at most {LongestLabel}")
                : !label.Any(char.IsControl) ? label : throw new InputException(
                    $"{where}: the label {ForeignText.Quote(label)} has control characters; remove them");
        if (classes == null)
            throw new InputException(
                $"{where}: the label is the number {number}; say which classes the numbers from 0 mean (the setting "
                + "'classes'), because data sets differ in that");
        return number < classes.Count ? classes[number]
            : throw new InputException($"{where}: label {number}, expected 0 to {classes.Count - 1}");
    }
}
