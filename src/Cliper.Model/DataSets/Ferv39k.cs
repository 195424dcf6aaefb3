using Cliper.Model.IO;
using Cliper.Model.Samples;

namespace Cliper.Model.DataSets;

/// <summary>FERV39k (Wang et al. 2022), all 22 scenes together.</summary>
internal sealed class Ferv39k : IDataSetFormat
{
    private const string Lists = "4_setups";
    private const string Clips = "2_ClipsforFaceCrop";

    public string Name => "ferv39k";

    public string Layout =>
        "4_setups/All_scenes/{train_All,test_All}.csv with 2_ClipsforFaceCrop/SCENE/EXPRESSION/ID/*.jpg";

    public bool Matches(string path, DataSetOptions options) => ClipFolders.Root(path, Lists) != null;

    public RawSplits Read(string path, DataSetOptions options)
    {
        if (ClipFolders.Root(path, Lists) is not { } root)
            throw new InputException($"{path}: no FERV39k here. Expected {Layout}; found {Folders.Describe(path)}");
        (_, string folder) = ClipFolders.Choose(root, [(ClipFrames.Faces, Clips)], options.Choices.ClipFrames);
        return new RawSplits(ReadList("train_All.csv"), null, ReadList("test_All.csv"))
        {
            Alignment = FaceAlignment.Cropped,
            Notes = ["FERV39k: all scenes, the authors' split into training and test"],
        };

        List<RawSample> ReadList(string file)
        {
            string list = Path.Combine(root, Lists, "All_scenes", file);
            if (!File.Exists(list))
                throw new InputException($"{list}: no such file; get the lists of FERV39k's four set-ups");
            using var reader = new ListReader(list, options);
            return [.. Parse(reader, list).Select(row => ClipFolders.Sample(row.Clip, row.Class,
                Path.Combine(folder, row.Clip),
                $"{list}:{row.Line}", options)).OfType<RawSample>()];
        }
    }

    /// <summary>Lines `Action/Happy/0267 Happy`; folder and label name the same expression.</summary>
    internal static IEnumerable<(int Line, string Clip, string Class)> Parse(TextReader reader, string name)
    {
        var seen = new Dictionary<string, int>();
        for (int line = 1; reader.ReadLine() is { } text; line++)
        {
            string where = $"{name}:{line}";
            string[] words = text.Split([' ', ',', '\t'], StringSplitOptions.RemoveEmptyEntries);
            if (words.Length == 0)
                continue;
            string[] parts = words[0].Split('/');
            if (words.Length != 2 || parts.Length != 3 || parts.Any(part => part.Length == 0 || part is "." or "..")
                || Path.IsPathRooted(words[0]))
                throw new InputException(
                $"{where}: '{ForeignText.Short(text)}', expected SCENE/EXPRESSION/ID and a label");
            if (!Expressions.IsKnown(words[1]))
                throw new InputException($"{where}: unknown expression '{ForeignText.Short(words[1])}'");
            if (Expressions.Canonical(parts[1]) != Expressions.Canonical(words[1]))
                throw new InputException(
                    $"{where}: the clip lies under '{ForeignText.Short(parts[1])}' and has the label "
                    + $"'{ForeignText.Short(words[1])}'; the list is damaged, get it again");
            if (!seen.TryAdd(words[0], line))
                throw new InputException(
                    $"{where}: {ForeignText.Short(words[0])} was already listed in line {seen[words[0]]}");
            yield return (line, words[0], words[1]);
        }
    }
}
