using Cliper.Model.DataSets;
using Cliper.Model.Inference;
using Cliper.Model.Samples;
using Cliper.Model.Settings;
using Cliper.Model.Stages;
using Cliper.Model.SyntheticFaces;

namespace Cliper.Model.Runs;

/// <summary>Opens the data that a run's settings name, and looks for pictures that stand in two splits.</summary>
public static class RunData
{
    /// <summary>Name of the data set that the program draws itself.</summary>
    public const string Drawn = "drawn";

    /// <summary>Synthetic faces that a run tests on.</summary>
    internal const int DrawnTest = 700;

    private const string HeldOut = "held-out part";

    /// <summary>Refuses settings whose data is nowhere, before the folder that may have the same name is
    /// made.</summary>
    /// <param name="settings">Checked settings.</param>
    /// <exception cref="InputException">There is no such file or folder.</exception>
    internal static void CheckThere(TrainSettings settings)
    {
        if (settings.DataSet != Drawn && settings.Data.Length > 0)
            DataSetRegistry.CheckThere(settings.Data);
    }

    /// <summary>The splits of a run.</summary>
    /// <param name="settings">Checked settings.</param>
    /// <param name="imageSize">Edge of drawn pictures.</param>
    /// <param name="progress">Told what was found.</param>
    /// <param name="cancellation">Ends the reading of lists and the search for copies.</param>
    /// <exception cref="InputException">The data is missing, damaged, or of another layout.</exception>
    /// <exception cref="OperationCanceledException">Canceled.</exception>
    public static TrainingData Open(TrainSettings settings, int imageSize, IProgress<TrainEvent> progress,
        CancellationToken cancellation = default) => Open(null, settings, imageSize, progress, cancellation);

    /// <summary>The same, where runs share the search for copies.</summary>
    internal static TrainingData Open(SharedWork? shared, TrainSettings settings, int imageSize,
        IProgress<TrainEvent> progress, CancellationToken cancellation = default)
    {
        if (settings.DataSet == Drawn)
            return OpenDrawn(settings, imageSize, settings.Weights.Length > 0 ? "train" : "pretrain", progress);
        bool hold = settings.Select == Selection.BestOnValidation;
        DataSetSplits splits = OpenSplits(settings, cancellation);
        foreach (string note in splits.Notes)
            progress.Report(new MessageEvent(note));
        foreach (string warning in splits.Warnings)
            progress.Report(new MessageEvent(warning, Warning: true));
        if (settings.Init.Length == 0 && Recipes.PaperInitOf(settings.Recipe) is { } begins)
            progress.Report(new MessageEvent($"the paper begins with {begins}; without it the figure is not the "
                + "paper's protocol", Warning: true)
            { Remedy = Remedy.StartFromRun });
        if (splits is { Validation: { } reported, Test: null })
        {
            // The only split there is to report on must not choose the epoch.
            (DataSplit kept, DataSplit? held) = hold
                ? splits.Train.HoldOut(settings.ValidationFraction, settings.Seed, HeldOut)
                : (splits.Train, null);
            splits = splits with { Train = kept, Validation = held, Test = reported };
        }
        DataSplit train = splits.Train;
        progress.Report(new MessageEvent($"{settings.Data}: " + string.Join(", ",
            new[] { train, splits.Validation, splits.Test }.OfType<DataSplit>().Select(Describe))));
        train = WithoutCopies(train, new[] { splits.Validation, splits.Test }.OfType<DataSplit>(),
            settings.DropDuplicates, progress, shared, cancellation);
        train = Few(train, settings, progress);
        return new TrainingData(train, splits.Validation, splits.Test, settings, NoteOf(settings))
        {
            Format = splits.Format,
            Alignment = splits.Alignment,
        };
    }

    /// <summary>
    /// Looks for pictures of training in other splits, and decodes each picture once for all of them.
    /// </summary>
    /// <param name="train">The training split.</param>
    /// <param name="others">The splits that are measured on.</param>
    /// <param name="drop">Whether training loses its side of each pair.</param>
    /// <param name="progress">Told what was found.</param>
    /// <param name="shared">Knows the results of searches before; null for none.</param>
    /// <param name="cancellation">Ends the search.</param>
    /// <returns>The samples that are left to train on.</returns>
    internal static DataSplit WithoutCopies(DataSplit train, IEnumerable<DataSplit> others, bool drop,
        IProgress<TrainEvent> progress, SharedWork? shared, CancellationToken cancellation)
    {
        var prints = new ImagePrints
        {
            Progress = (work, fraction) => progress.Report(new WorkEvent(work, fraction)),
        };
        foreach (DataSplit other in others)
        {
            DuplicateReport Find() => DuplicateFinder.Find(train, other, prints: prints, cancellation: cancellation);
            DuplicateReport report = shared?.Once(
                ["copies", .. SharedWork.PartsOf(train), .. SharedWork.PartsOf(other)], Find) ?? Find();
            if (report.Pairs.Count == 0)
            {
                progress.Report(
                    new MessageEvent($"no picture of {train.Name} stands in {other.Name} too, exactly or nearly"));
                continue;
            }
            progress.Report(new MessageEvent(report + (drop
                ? "; left out of training" : "; kept (dropDuplicates is off)"), Warning: !drop));
            if (drop)
                train = report.Cleaned();
        }
        return train;
    }

    /// <summary>The splits as the data set and the settings part them.</summary>
    /// <exception cref="InputException">The data is missing, damaged, or of another layout.</exception>
    internal static DataSetSplits OpenSplits(TrainSettings settings, CancellationToken cancellation)
    {
        if (settings.Data.Length == 0)
            throw new SettingsException("no data") { Remedy = Remedy.GiveData };
        if (settings.Fold == TrainSettings.AllFolds)
            throw new SettingsException("fold stands for all folds, and this takes one")
            { Remedy = Remedy.GiveOneFold };
        return DataSetRegistry.Open(settings.Data, settings.DataSet, settings.Choices.Over(new DataSetOptions
        {
            Seed = settings.Seed,
            ValidationFraction = settings.Select == Selection.BestOnValidation ? settings.ValidationFraction : 0,
            Folds = settings.Folds,
            Fold = settings.Fold,
            SplitVersion = settings.SplitVersion,
            Cancellation = cancellation,
        }));
    }

    /// <summary>
    /// Pictures and captions for pre-training alone: drawn faces, a folder with captions.csv, or labeled pictures with
    /// captions made by the settings' templates.
    /// </summary>
    /// <param name="settings">Checked settings.</param>
    /// <param name="progress">Told what was found.</param>
    /// <param name="cancellation">Ends the reading of lists and the search for copies.</param>
    /// <exception cref="InputException">The data is missing, damaged, or of another layout.</exception>
    /// <exception cref="OperationCanceledException">Canceled.</exception>
    public static TrainingData OpenCaptioned(TrainSettings settings, IProgress<TrainEvent> progress,
        CancellationToken cancellation = default)
    {
        if (settings.DataSet == Drawn || !File.Exists(Path.Combine(settings.Data, CaptionFile.FileName)))
            return Open(settings, settings.Shape.ImageSize, progress, cancellation);
        if (settings.LabelCaptionEpochs > 0)
            throw new SettingsException(
                $"labelCaptionEpochs is {settings.LabelCaptionEpochs}; pictures of a {CaptionFile.FileName} have "
                + "no labels to make captions of: set it to 0");
        (DataSplit split, IReadOnlyList<string> captions) = CaptionFile.Open(settings.Data, cancellation);
        progress.Report(new MessageEvent($"{settings.Data}: {split.Samples.Count} pictures with captions"));
        return new TrainingData(split, null, null, settings, "", (index, _) => captions[index]);
    }

    private static DataSplit Few(DataSplit train, TrainSettings settings, IProgress<TrainEvent> progress)
    {
        if (settings.Shots == 0)
            return train;
        DataSplit few = FewShots.Of(train, settings.Shots, settings.Seed);
        progress.Report(new MessageEvent($"{settings.Shots} shots: {few.Samples.Count} of {train.Samples.Count} "
            + $"training samples, chosen by seed {settings.Seed}"));
        return few;
    }

    // A CLIP of drawn faces knows those it was pre-trained on by heart: what is trained from it meets others.
    private static TrainingData OpenDrawn(TrainSettings settings, int imageSize, string set,
        IProgress<TrainEvent> progress)
    {
        var faces = new SyntheticFacesData(set, settings.Seed, settings.DrawnPictures, imageSize, settings.DrawnStyle);
        DataSplit test = new SyntheticFacesData("test", settings.Seed, DrawnTest, imageSize, settings.DrawnStyle)
            .ToSplit();
        DataSplit all = faces.ToSplit(), train = Few(all, settings, progress);
        HashSet<Sample> chosen = [.. train.Samples];
        int[] indices = [.. Enumerable.Range(0, all.Samples.Count).Where(index => chosen.Contains(all.Samples[index]))];
        return new TrainingData(train, null, test, settings,
            "The faces are drawn by the program: the figures say nothing about photographs.",
            (index, epoch) => faces.Caption(indices[index], (uint)epoch));
    }

    private static string NoteOf(TrainSettings settings) => settings.Pretrain.Epochs == 0 ? ""
        : "The CLIP was pre-trained on this training split, with captions made of the labels by templates: "
            + "its text tower has seen the class names, unlike a CLIP trained on captions that people wrote.";

    private static string Describe(DataSplit split) =>
        $"{split.Name} {split.Samples.Count} {(split.IsVideo ? "clips" : "pictures")} of {split.Classes.Count} classes";
}
