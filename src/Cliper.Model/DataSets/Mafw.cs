using System.Globalization;
using Cliper.Model.IO;
using Cliper.Model.Samples;

namespace Cliper.Model.DataSets;

/// <summary>
/// MAFW (Liu et al. 2022): clips of one expression or of several at once, one of the authors' five folds as the test.
/// </summary>
internal sealed class Mafw : IDataSetFormat
{
    private const int PublishedFolds = 5;

    private static readonly string[] ListFolders = ["Train_Test_Set", "Train & Test Set", "split"];

    private static readonly (ClipFrames, string)[] ClipPlaces =
    [
        (ClipFrames.Faces, "data/faces"), (ClipFrames.Frames, "data/frames"), (ClipFrames.Video, "data/clips"),
        (ClipFrames.Video, "data/videos"),
    ];

    public string Name => "mafw";

    public string Layout =>
        "Train_Test_Set/{single,compound}/no_caption…/set_{1..5}/{train,test}.txt (or split/…) with "
        + "data/{faces,frames}/00001/*.jpg or data/clips/00001.mp4";

    public bool Matches(string path, DataSetOptions options) =>
        ClipFolders.Root(path, ListFolders) is { } root && SetOf(root, options) is { } set
        && File.Exists(Path.Combine(set, "train.txt"));

    public RawSplits Read(string path, DataSetOptions options)
    {
        if (options.Fold is < 1 or > PublishedFolds)
            throw new SettingsException($"MAFW has the folds 1 to {PublishedFolds}, given was {options.Fold}");
        MafwLabels labels = options.Choices.Mafw;
        if (ClipFolders.Root(path, ListFolders) is not { } root || SetOf(root, options) is not { } set)
            throw new InputException(
                $"{path}: no MAFW lists of fold {options.Fold}, {labels} labels. Expected {Layout}; found "
                + Folders.Describe(path));
        (ClipFrames kind, string folder) = ClipFolders.Choose(root, ClipPlaces, options.Choices.ClipFrames);
        return new RawSplits(ReadList("train.txt"), null, ReadList("test.txt"))
        {
            Alignment = kind == ClipFrames.Faces ? FaceAlignment.Cropped : FaceAlignment.WholeImage,
            Notes =
            [
                $"MAFW: {labels} labels (mafw), fold {options.Fold} of {PublishedFolds} (fold), {kind} of "
                    + $"{Path.GetRelativePath(root, folder)} (clipFrames)",
            ],
        };

        List<RawSample> ReadList(string file)
        {
            string list = Path.Combine(set, file);
            if (!File.Exists(list))
                throw new InputException($"{list}: no such file; get the lists of MAFW again");
            using var reader = new ListReader(list, options);
            return [.. Parse(reader, list, labels).Select(row => SampleOf(row, $"{list}:{row.Line}"))
                .OfType<RawSample>()];
        }

        RawSample? SampleOf((int Line, string Clip, string Class) row, string where) => kind == ClipFrames.Video
            ? ClipFolders.VideoSample(row.Clip, row.Class, Path.Combine(folder, row.Clip), where, options)
            : ClipFolders.Sample(row.Clip, row.Class, Path.Combine(folder, Path.GetFileNameWithoutExtension(row.Clip)),
            where, options);
    }

    /// <summary>The folder of a fold's lists; captions are not needed, but lists with them serve as well.</summary>
    private static string? SetOf(string root, DataSetOptions options)
    {
        string labels = options.Choices.Mafw == MafwLabels.Single ? "single" : "compound";
        string fold = string.Create(CultureInfo.InvariantCulture, $"set_{options.Fold}");
        return ListFolders.Select(folder => Path.Combine(root, folder, labels)).Where(Directory.Exists)
            .SelectMany(folder => Folders.Of(folder).OrderBy(name => !Path.GetFileName(name).StartsWith("no_caption",
            StringComparison.Ordinal)))
            .Select(folder => Path.Combine(folder, fold)).FirstOrDefault(Directory.Exists);
    }

    /// <summary>
    /// Lines `00001.mp4 anger`. Several expressions stand apart by blanks, commas, underscores or plus signs, and
    /// become one class, their names in alphabetical order. A caption after a tab is passed over.
    /// </summary>
    internal static IEnumerable<(int Line, string Clip, string Class)> Parse(TextReader reader, string name,
        MafwLabels labels)
    {
        var seen = new Dictionary<string, int>();
        for (int line = 1; reader.ReadLine() is { } text; line++)
        {
            string where = $"{name}:{line}";
            string[] words = text.Split([' ', ',', '_', '+', '\t'], StringSplitOptions.RemoveEmptyEntries);
            if (words.Length == 0)
                continue;
            string[] expressions = [.. words.Skip(1).TakeWhile(Expressions.IsKnown).Select(Expressions.Canonical)
                .Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal)];
            if (expressions.Length == 0 || Path.GetFileName(words[0]) != words[0] || words[0] is "." or "..")
                throw new InputException(
                    $"{where}: '{ForeignText.Short(text)}', expected a clip such as 00001.mp4 and an expression");
            if (labels == MafwLabels.Single && expressions.Length > 1)
                throw new InputException(
                    $"{where}: '{ForeignText.Short(text)}' has {expressions.Length} expressions in a list of single "
                    + "ones");
            if (!seen.TryAdd(words[0], line))
                throw new InputException(
                    $"{where}: {ForeignText.Short(words[0])} was already listed in line {seen[words[0]]}");
            yield return (line, words[0], string.Join('+', expressions));
        }
    }
}
