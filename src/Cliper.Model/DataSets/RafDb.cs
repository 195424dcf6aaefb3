using System.Globalization;
using Cliper.Model.IO;
using Cliper.Model.Samples;

namespace Cliper.Model.DataSets;

/// <summary>
/// RAF-DB's basic expressions (Li, Deng, Du 2017): the authors' layout, or folders 1 to 7 under train and test as
/// copies on the web have them.
/// </summary>
internal sealed class RafDb : IDataSetFormat
{
    /// <summary>Class of label n at n - 1.</summary>
    private static readonly string[] Labels = ["surprise", "fear", "disgust", "happiness", "sadness",
        "anger", "neutral"];

    public string Name => "rafdb";

    public string Layout =>
        "EmoLabel/list_patition_label.txt with Image/aligned/train_00001_aligned.jpg, or "
        + "[DATASET/]{train,test}/{1..7}/*.jpg";

    public bool Matches(string path, DataSetOptions options) => ListOf(path) != null || NumberedRoot(path) != null;

    public RawSplits Read(string path, DataSetOptions options)
    {
        if (ListOf(path) is { } list)
            return ReadOfficial(list, options);
        if (NumberedRoot(path) is { } root)
            return Folders.Read(root, options, split => Folders.Classes(split,
                (folder, name) => FolderPerClass.Samples(split, folder, name, options), options,
                folder => ClassOf(folder, Path.Combine(split, folder)))) with
            {
                Alignment = FaceAlignment.Aligned,
            };
        throw new InputException($"{path}: no RAF-DB here. Expected {Layout}; found {Folders.Describe(path)}");
    }

    private static readonly string[] ListFolders = ["", "basic"];

    private static string? ListOf(string path) =>
        ListFolders.Select(folder => Path.Combine(path, folder, "EmoLabel", "list_patition_label.txt"))
        .FirstOrDefault(File.Exists);

    private static string? NumberedRoot(string path) =>
        Directory.Exists(path)
            ? new[] { path, Path.Combine(path, "DATASET"), Folders.Unwrapped(path) }.FirstOrDefault(root =>
                Directory.Exists(root) && Folders.Splits(root) is { } splits
                && Directory.Exists(Path.Combine(splits["train"], "1"))
                && Directory.Exists(Path.Combine(splits["train"], "7")))
            : null;

    private static RawSplits ReadOfficial(string list, DataSetOptions options)
    {
        string root = Path.GetDirectoryName(Path.GetDirectoryName(list))!;
        string aligned = Path.Combine(root, "Image", "aligned"), original = Path.Combine(root, "Image", "original");
        bool isAligned = Directory.Exists(aligned);
        string folder = isAligned ? aligned : original;
        if (!Directory.Exists(folder))
            throw new InputException($"{root}: no pictures beside the list; expected {aligned} or {original}");
        HashSet<string> present = [.. Folders.Images(folder, options).Select(file => Path.GetFileName(file))];
        var train = new List<RawSample>();
        var test = new List<RawSample>();
        using var reader = new ListReader(list, options);
        foreach ((int line, string file, string className) in Parse(reader, list))
        {
            string image = isAligned ? $"{Path.GetFileNameWithoutExtension(file)}_aligned{Path.GetExtension(file)}"
                : file;
            if (!present.Remove(image))
            {
                options.ReportMissing(
                    $"{list}:{line}: {image} is not in {folder}; unpack the pictures again, or remove the line");
                continue;
            }
            var sample = new RawSample(file, className, [new FileFrame(Path.Combine(folder, image))], $"{list}:{line}");
            (file.StartsWith("train", StringComparison.Ordinal) ? train : test).Add(sample);
        }
        foreach (string unlisted in present)
            options.Findings.LeaveOut(Path.Combine(folder, unlisted), $"{Path.GetFileName(list)} does not list it");
        return new RawSplits(train, null, test.Count > 0 ? test : null)
        {
            Alignment = isAligned ? FaceAlignment.Aligned : FaceAlignment.WholeImage,
        };
    }

    /// <summary>Lines `train_00001.jpg 5`; some copies have a third column, which is passed over.</summary>
    internal static IEnumerable<(int Line, string File, string Class)> Parse(TextReader reader, string name)
    {
        var seen = new Dictionary<string, int>();
        for (int line = 1; reader.ReadLine() is { } text; line++)
        {
            string[] fields = text.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries);
            if (fields.Length == 0)
                continue;
            if (fields.Length < 2)
                throw new InputException(
                    $"{name}:{line}: '{ForeignText.Short(text)}', expected a file name and a label from 1 to 7");
            if (!fields[0].StartsWith("train", StringComparison.Ordinal)
                && !fields[0].StartsWith("test", StringComparison.Ordinal))
                throw new InputException(
                $"{name}:{line}: '{ForeignText.Short(fields[0])}' is neither train_… nor test_…");
            if (Path.GetFileName(fields[0]) != fields[0])
                throw new InputException(
                    $"{name}:{line}: '{ForeignText.Short(fields[0])}' is a path, expected a file name");
            if (!seen.TryAdd(fields[0], line))
                throw new InputException(
                    $"{name}:{line}: {ForeignText.Short(fields[0])} was already listed in line {seen[fields[0]]}");
            yield return (line, fields[0], ClassOf(fields[1], $"{name}:{line}"));
        }
    }

    private static string ClassOf(string label, string where) =>
        int.TryParse(label, NumberStyles.None, CultureInfo.InvariantCulture, out int number) && number >= 1
        && number <= Labels.Length
            ? Labels[number - 1]
            : throw new InputException(
                $"{where}: unknown label '{ForeignText.Short(label)}', expected 1 to 7 (1 surprise, 2 fear, "
                + "3 disgust, 4 happiness, 5 sadness, 6 anger, 7 neutral)");
}
