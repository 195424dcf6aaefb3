using System.Globalization;
using Cliper.Model.IO;
using Cliper.Model.Samples;

namespace Cliper.Model.DataSets;

/// <summary>
/// CK+ (Lucey et al. 2010): sequences of a subject from neutral to the peak of an expression, as the authors pack them,
/// or as folders of clips in a folder for each class. It has no split of its own: subjects are divided into folds.
/// </summary>
internal sealed class CkPlus : IDataSetFormat
{
    private const string Images = "cohn-kanade-images", Emotions = "Emotion";

    private static readonly string[] Labels = ["neutral", "anger", "contempt", "disgust", "fear", "happiness",
        "sadness", "surprise"];

    public string Name => "ckplus";

    public string Layout =>
        "cohn-kanade-images/S005/001/*.png with Emotion/S005/001/*_emotion.txt, or CLASS/SUBJECT_SEQUENCE/*.png, "
        + "or CLASS/SUBJECT_SEQUENCE_FRAME.png";

    public bool Matches(string path, DataSetOptions options) => ClipFolders.Root(path, Images) is { } root
        && Directory.Exists(Path.Combine(root, Emotions));

    public RawSplits Read(string path, DataSetOptions options)
    {
        if (!Matches(path, options))
            return new Clips().Matches(path, options)
                ? new Clips().Read(path, options)
                with
                { Notes = ["CK+ as clips in class folders: all frames of a clip"] }
                : new FolderPerClass().Matches(path, options)
                ? new FolderPerClass().Read(path, options) with
                {
                    Alignment = FaceAlignment.Cropped,
                    Notes = ["CK+ as pictures in class folders, such as CK+48: each frame is a sample"],
                }
                : throw new InputException($"{path}: no CK+ here. Expected {Layout}; found {Folders.Describe(path)}");
        string root = ClipFolders.Root(path, Images)!;
        DataChoices choices = options.Choices;
        var samples = new List<RawSample>();
        int unlabeled = 0;
        foreach (string subject in Folders.Of(Path.Combine(root, Images)))
            foreach (string sequence in Folders.Of(subject))
            {
                string name = $"{Path.GetFileName(subject)}/{Path.GetFileName(sequence)}";
                if (LabelOf(Path.Combine(root, Emotions, name)) is not { } className)
                {
                    // Only 327 of the 593 sequences show one of the expressions clearly.
                    unlabeled++;
                    continue;
                }
                if (ClipFolders.Sample(name, className, sequence, sequence, options) is not { } sample)
                    continue;
                sample = sample with { Group = Path.GetFileName(subject) };
                samples.Add(choices.CkPlusPeakFrames > 0
                    ? sample with { Frames = [.. sample.Frames.TakeLast(choices.CkPlusPeakFrames)] }
                    : sample);
                if (choices.CkPlusNeutral)
                    samples.Add(sample with
                    {
                        Name = name + "/neutral",
                        Class = "neutral",
                        Frames = [sample.Frames[0]]
                    });
            }
        string frames = choices.CkPlusPeakFrames > 0
            ? string.Create(CultureInfo.InvariantCulture, $"the last {choices.CkPlusPeakFrames} frames") : "all frames";
        return new RawSplits(samples, null, null)
        {
            Alignment = FaceAlignment.WholeImage,
            Notes =
            [
                $"CK+: {frames} of a sequence (ckPlusPeakFrames), first frames "
                    + $"{(choices.CkPlusNeutral ? "as neutral" : "not")} used (ckPlusNeutral); "
                    + $"{unlabeled} sequences without an expression left out",
            ],
        };
    }

    /// <summary>The expression of a sequence; null where its folder has no file.</summary>
    private static string? LabelOf(string folder)
    {
        if (!Directory.Exists(folder))
            return null;
        string? file = Directory.EnumerateFiles(folder, "*_emotion.txt").Order(StringComparer.Ordinal).FirstOrDefault();
        return file == null ? null : Parse(RegularFile.ReadText(file), file);
    }

    /// <summary>The label in a file such as "   3.0000000e+00".</summary>
    internal static string Parse(string text, string name) =>
        double.TryParse(text.Trim(), NumberStyles.Float, CultureInfo.InvariantCulture, out double number)
        && number >= 0 && number < Labels.Length && number == Math.Truncate(number)
            ? Labels[(int)number]
            : throw new InputException(
                $"{name}: unknown expression '{ForeignText.Short(text.Trim())}', expected 0 to 7");
}
