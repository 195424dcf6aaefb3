using System.Globalization;
using Cliper.Model.IO;
using Cliper.Model.Samples;

namespace Cliper.Model.DataSets;

/// <summary>
/// DFEW (Jiang et al. 2020): the single-labeled clips, one of the authors' five folds as the test split.
/// </summary>
internal sealed class Dfew : IDataSetFormat
{
    private const string Lists = "EmoLabel_DataSplit";
    private const int PublishedFolds = 5;

    private static readonly string[] Labels = ["happiness", "sadness", "neutral", "anger", "surprise",
        "disgust", "fear"];

    private static readonly (ClipFrames, string)[] FrameFolders =
        [(ClipFrames.Faces, "Clip/clip_224x224"), (ClipFrames.Frames, "Clip/jpg_256")];

    public string Name => "dfew";

    public string Layout =>
        "EmoLabel_DataSplit/{train,test}(single-labeled)/set_{1..5}.csv with Clip/clip_224x224/00001/*.jpg (or "
        + "Clip/jpg_256)";

    public bool Matches(string path, DataSetOptions options) =>
        ClipFolders.Root(path, Lists) is { } root && File.Exists(ListOf(root, "train", 1));

    public RawSplits Read(string path, DataSetOptions options)
    {
        if (ClipFolders.Root(path, Lists) is not { } root)
            throw new InputException($"{path}: no DFEW here. Expected {Layout}; found {Folders.Describe(path)}");
        if (options.Fold is < 1 or > PublishedFolds)
            throw new SettingsException($"DFEW has the folds 1 to {PublishedFolds}, given was {options.Fold}");
        (ClipFrames kind, string folder) = ClipFolders.Choose(root, FrameFolders, options.Choices.ClipFrames);
        return new RawSplits(ReadList("train"), null, ReadList("test"))
        {
            Alignment = kind == ClipFrames.Faces ? FaceAlignment.Aligned : FaceAlignment.WholeImage,
            Notes = [$"DFEW: fold {options.Fold} of {PublishedFolds} (fold), {kind} of "
            + $"{Path.GetRelativePath(root, folder)} (clipFrames)"],
        };

        List<RawSample> ReadList(string split)
        {
            string list = ListOf(root, split, options.Fold);
            if (!File.Exists(list))
                throw new InputException($"{list}: no such file; get the lists of DFEW's single-labeled clips");
            using var reader = new ListReader(list, options);
            return [.. Parse(reader, list).Select(row => ClipFolders.Sample(row.Clip, row.Class,
                Path.Combine(folder, row.Clip),
                $"{list}:{row.Line}", options)).OfType<RawSample>()];
        }
    }

    private static string ListOf(string root, string split, int fold) =>
        Path.Combine(root, Lists, $"{split}(single-labeled)", string.Create(CultureInfo.InvariantCulture,
        $"set_{fold}.csv"));

    /// <summary>Rows `video_name,label` below a header: clips by number, labels from 1.</summary>
    internal static IEnumerable<(int Line, string Clip, string Class)> Parse(TextReader reader, string name)
    {
        var seen = new Dictionary<int, int>();
        for (int line = 1; reader.ReadLine() is { } text; line++)
        {
            if (string.IsNullOrWhiteSpace(text))
                continue;
            string where = $"{name}:{line}";
            List<string> fields = Csv.Fields(text, where);
            if (line == 1 && fields[0].Equals("video_name", StringComparison.OrdinalIgnoreCase))
                continue;
            if (fields.Count < 2 || !TryNumber(Path.GetFileNameWithoutExtension(fields[0]), out int clip)
                || !TryNumber(fields[1], out int label) || label < 1 || label > Labels.Length)
                throw new InputException(
                    $"{where}: '{ForeignText.Short(text)}', expected the number of a clip and a label from 1 to 7 "
                    + "(1 happy, 2 sad, 3 neutral, 4 angry, 5 surprise, 6 disgust, 7 fear)");
            if (!seen.TryAdd(clip, line))
                throw new InputException($"{where}: the clip {clip} was already listed in line {seen[clip]}");
            yield return (line, clip.ToString("D5", CultureInfo.InvariantCulture), Labels[label - 1]);
        }
    }

    private static bool TryNumber(string text, out int number) =>
        int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out number);
}
