using System.Globalization;
using System.Text;
using Cliper.Kernels.Memory;
using Cliper.Model.Checkpoints;
using Cliper.Model.Inference;
using Cliper.Model.IO;
using Cliper.Model.Metrics;
using Cliper.Model.Prompts;
using Cliper.Model.Reporting;
using Cliper.Model.Samples;
using Cliper.Model.Settings;
using Cliper.Model.Stages;

namespace Cliper.Model.Runs;

/// <summary>One fold of a cross-validation.</summary>
/// <param name="Fold">From 1.</param>
/// <param name="Folder">Folder of its run.</param>
/// <param name="Result">Result of its run.</param>
public sealed record FoldResult(int Fold, string Folder, RunResult Result);

/// <summary>Results of all folds.</summary>
/// <param name="Folds">In order.</param>
/// <param name="Paper">The data set whose published results stand beside; null for none.</param>
public sealed record FoldsResult(IReadOnlyList<FoldResult> Folds, PaperDataSet? Paper)
{
    /// <summary>Mean and deviation of the folds' accuracies; the figure that papers report.</summary>
    public MeanDeviation War => MeanDeviation.Of(Folds.Select(fold => fold.Result.War));

    /// <summary>Mean and deviation of the folds' mean recalls.</summary>
    public MeanDeviation Uar => MeanDeviation.Of(Folds.Select(fold => fold.Result.Uar));

    /// <summary>The counts of all folds together.</summary>
    public ConfusionMatrix Confusion
    {
        get
        {
            var sum = new ConfusionMatrix(Folds[0].Result.Classes);
            foreach (FoldResult fold in Folds)
                sum.Add(fold.Result.Matrix);
            return sum;
        }
    }
}

/// <summary>
/// Trains every fold in turn, each as a run in a folder of its own (fold1, fold2, ...), and leaves config.json,
/// folds.csv and report.html beside them. Folds that are finished are not run again when it is resumed.
/// </summary>
public static class CrossValidation
{
    private const string ConfigName = "config.json";

    /// <summary>Settings that say where the data is or how to go about it, and do not change a result.</summary>
    private static readonly string[] Places = ["data", "cache", "cacheFolder", "strict"];

    /// <summary>Name of a fold's folder.</summary>
    public static string NameOf(int fold) => CheckpointFiles.FoldName(fold);

    /// <summary>Runs, or goes on with, all folds.</summary>
    /// <param name="device">Where to train.</param>
    /// <param name="settings">All that decides the result; its fold is <see cref="TrainSettings.AllFolds"/>.</param>
    /// <param name="folder">Folder of the folds' folders.</param>
    /// <param name="resume">Whether to go on where an earlier call was interrupted.</param>
    /// <param name="overwrite">Whether what is there already is written over.</param>
    /// <param name="progress">Receives every step, epoch and message of every fold.</param>
    /// <param name="cancellation">Ends the current step, writes the fold's checkpoint and throws.</param>
    /// <exception cref="OperationCanceledException">Canceled; it can be resumed.</exception>
    /// <exception cref="InputException">Data or weights are missing or damaged, or a folder cannot be used.</exception>
    /// <exception cref="SettingsException">A setting is out of range, the data has no folds, or a fold was finished
    /// with other settings.</exception>
    public static FoldsResult Run(Device device, TrainSettings settings, string folder, bool resume, bool overwrite,
        IProgress<TrainEvent> progress, CancellationToken cancellation = default) =>
        Run(new SharedWork(device), settings, folder, resume, overwrite, progress, cancellation);

    /// <summary>The same with what other runs on its device have left; it adds its own.</summary>
    internal static FoldsResult Run(SharedWork shared, TrainSettings settings, string folder, bool resume,
        bool overwrite, IProgress<TrainEvent> progress, CancellationToken cancellation = default)
    {
        settings.Check();
        if (settings.Fold != TrainSettings.AllFolds)
            throw new ArgumentException($"fold is {settings.Fold}, expected {TrainSettings.AllFolds}, all of them",
                nameof(settings));
        settings = settings with { PretrainOnly = false };
        if (resume && RunFolder.FindConfig(folder) is null)
            throw new InputException($"{folder}: holds no run to go on with: there is no {ConfigName}");
        RunData.CheckThere(settings);
        using var held = RunLock.Take(folder);
        if (!resume)
            RunFolder.CheckFree(folder, overwrite);
        string config = Path.Combine(folder, ConfigName);
        int[] folds = [.. Enumerable.Range(1, settings.Folds)];
        // A beginning that was cut off is begun again: what is left of an earlier run is not this one's.
        bool goesOn = resume && !File.Exists(CheckpointFiles.BeginningPath(folder));
        PaperDataSet? paper;
        if (goesOn)
        {
            CheckSameFolds(settings, folder, folds);
            paper = CheckFolds(settings, cancellation);
            Write(config, SettingsJson.Write(settings));
        }
        else
        {
            // Folds that are written over may belong to another program; each is then taken by its own run.
            using var written = new RunLocks(RunFolder.FoldsIn(folder));
            RunFolder.CheckInputs(folder, settings);
            paper = CheckFolds(settings, cancellation);
            RunFolder.BeginFolds(folder, SettingsJson.Write(settings));
        }
        var notes = new List<ReportNote>();
        FoldResult[] results =
            [.. folds.Select(fold => RunFold(shared, settings with { Fold = fold },
            Path.Combine(folder, NameOf(fold)), progress, cancellation))];
        if (settings.Select == Selection.BestOnTest)
            notes.Add(new ReportNote(
                "Every fold's epoch was chosen by its result on the fold's own test split, as the authors' script "
                + "does.", Warning: true));
        var all = new FoldsResult(results, paper);
        Write(Path.Combine(folder, "folds.csv"), string.Concat(Table(all).Select(line => line + "\n")));
        Write(Path.Combine(folder, "report.html"),
            HtmlReport.Render(RunReport.Of(all, settings, notes, shared.Device)));
        return all;
    }

    private static FoldResult RunFold(SharedWork shared, TrainSettings settings, string folder,
        IProgress<TrainEvent> progress, CancellationToken cancellation)
    {
        if (IsFinished(folder))
        {
            progress.Report(new MessageEvent($"fold {settings.Fold} of {settings.Folds}: finished, {folder}"));
            return new FoldResult(settings.Fold, folder, RunResult.Read(RunResult.PathIn(folder)));
        }
        progress.Report(new MessageEvent($"fold {settings.Fold} of {settings.Folds}: {folder}"));
        // A beginning has removed the folds of an earlier run: what is here is this one's.
        bool goOn = RunFolder.FindConfig(folder) is not null;
        TrainResult result = TrainingRun.Run(shared, settings, folder, goOn, overwrite: true, progress,
            cancellation);
        using CliperModel model = result.Model;
        return new FoldResult(settings.Fold, folder, RunResult.Read(RunResult.PathIn(folder)));
    }

    internal static bool IsFinished(string folder) => File.Exists(RunResult.PathIn(folder))
        && !File.Exists(CheckpointFiles.BeginningPath(folder));

    /// <summary>Folds that were finished, and all of them once one has begun, keep their settings.</summary>
    private static void CheckSameFolds(TrainSettings settings, string folder, int[] folds)
    {
        int[] begun = [.. folds.Where(fold => RunFolder.FindConfig(FolderOf(fold)) is not null)];
        foreach (int fold in begun.Where(fold => IsFinished(FolderOf(fold))))
            CheckSame(settings with { Fold = fold }, FolderOf(fold));
        TrainSettings first = TrainSettings.OfRun(Path.Combine(folder, ConfigName)) with { PretrainOnly = false };
        if (begun.Length > 0 && SettingsJson.FirstDifference(settings, first, Places) is { } differs)
            throw new SettingsException($"{folder}: its folds began with another {differs}")
            { Remedy = Remedy.KeepSetting };

        string FolderOf(int fold) => Path.Combine(folder, NameOf(fold));
    }

    /// <summary>
    /// Opens every fold once, so that a list that is not there is told before days of work, not after.
    /// </summary>
    private static PaperDataSet? CheckFolds(TrainSettings settings, CancellationToken cancellation)
    {
        if (settings.DataSet == RunData.Drawn)
            throw new SettingsException("faces that the program draws have no folds") { Remedy = Remedy.GiveFirstFold };
        HashSet<string>? first = null;
        string format = "";
        for (int fold = 1; fold <= settings.Folds; fold++)
        {
            DataSetSplits splits = RunData.OpenSplits(settings with { Fold = fold }, cancellation);
            format = splits.Format;
            HashSet<string> tested = [.. (splits.Test ?? splits.Validation ?? splits.Train).Samples.Select(sample =>
                sample.Name)];
            if (first is not null && first.SetEquals(tested))
                throw new SettingsException($"{settings.Data}: comes with one split of its own, so there are no folds")
                { Remedy = Remedy.GiveFirstFold };
            first ??= tested;
        }
        return PaperResults.DataSetOf(format, settings.Choices);
    }

    /// <summary>A mean over folds of different settings would be no figure of either.</summary>
    internal static void CheckSame(TrainSettings settings, string folder, string what = "fold")
    {
        string path = Path.Combine(folder, ConfigName);
        // A setting that is missing is as today, but for the rule of the splits, which files of version 0.1 lack.
        TrainSettings finished = SettingsJson.Read(path, settings with { SplitVersion = 1 });
        string? differs = SettingsJson.FirstDifference(settings, finished, Places);
        if (differs is not null)
            throw new SettingsException(
                $"{folder}: this {what} was finished with another {differs}; keep the setting, or remove the folder to "
                + $"run the {what} again");
    }

    private static IEnumerable<string> Table(FoldsResult all) =>
    [
        Csv.Line(["fold", "samples", "war", "uar"]),
        .. all.Folds.Select(fold => Csv.Line([$"{fold.Fold}", $"{fold.Result.Matrix.Samples}", Number(fold.Result.War),
        Number(fold.Result.Uar)])),
        Csv.Line(["mean", $"{all.Confusion.Samples}", Number(all.War.Mean), Number(all.Uar.Mean)]),
        Csv.Line(["deviation", "", Number(all.War.Deviation), Number(all.Uar.Deviation)]),
    ];

    private static string Number(double? value) => value?.ToString("R", CultureInfo.InvariantCulture) ?? "";

    private static void Write(string path, string text) =>
        AtomicFile.Write(path, stream => stream.Write(Encoding.UTF8.GetBytes(text)));
}
