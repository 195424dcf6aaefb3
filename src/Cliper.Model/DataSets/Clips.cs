using System.Text.RegularExpressions;
using Cliper.Model.Samples;

namespace Cliper.Model.DataSets;

/// <summary>
/// Clips as folders of frames in a folder for each class, as CK+: the frames in order of their names, the subject
/// before the first underscore or hyphen of a clip's name.
/// </summary>
internal sealed partial class Clips : IDataSetFormat
{
    public string Name => "clips";

    public string Layout =>
        "[train|validation|test/]CLASS/CLIP/*.png, a clip named SUBJECT_SEQUENCE where subjects are known; parted by "
        + "subject";

    public bool Matches(string path, DataSetOptions options) =>
        Directory.Exists(path) && Folders.Unwrapped(path) is var root
        && Folders.Of(Folders.ClassRoot(Folders.Splits(root)?["train"] ?? root)) is [var first, ..]
        && Folders.Images(first, options).Length == 0
        && Folders.Of(first).Any(clip => Folders.Images(clip, options).Length > 0);

    public RawSplits Read(string path, DataSetOptions options) =>
        Folders.Read(path, options, root =>
            WithoutOneGroup(Folders.Classes(root, (folder, name) => Samples(root, folder, name, options), options)));

    private static IEnumerable<RawSample> Samples(string root, string folder, string className, DataSetOptions options)
    {
        string[] loose = Folders.Images(folder, options);
        if (loose.Length > 0)
            throw new InputException(
                $"{loose[0]}: a picture beside folders of clips; expected CLASS/CLIP/FRAME here, move it into a clip "
                + "or remove it");
        foreach (string clip in options.Findings.Folder(root, options).Folders(folder))
        {
            string[] frames = Folders.Images(clip, options);
            if (frames.Length == 0)
                throw new InputException(
                    $"{clip}: the clip has no frames (found {Folders.Describe(clip)}); add them or remove the folder");
            Match subject = (options.Subject ?? BeforeSeparator()).Match(Path.GetFileName(clip));
            yield return new RawSample(Path.GetRelativePath(root, clip), className,
                [.. frames.Select(frame => new FileFrame(frame))], clip,
                subject is { Success: true, Groups.Count: > 1 } ? subject.Groups[1].Value : null);
        }
    }

    /// <summary>One prefix that all share is no subject.</summary>
    private static IReadOnlyList<RawSample> WithoutOneGroup(IReadOnlyList<RawSample> samples) =>
        samples.Select(sample => sample.Group).Distinct().Count() > 1 ? samples
        : [.. samples.Select(sample => sample with { Group = null })];

    [GeneratedRegex("^([^_-]+)[_-]")]
    private static partial Regex BeforeSeparator();
}
