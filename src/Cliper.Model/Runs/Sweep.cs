using System.Runtime.ExceptionServices;
using Cliper.Kernels.Memory;
using Cliper.Model.Checkpoints;
using Cliper.Model.Inference;
using Cliper.Model.Reporting;
using Cliper.Model.Settings;
using Cliper.Model.Stages;

namespace Cliper.Model.Runs;

/// <summary>
/// Trains every run of a plan, each in a folder of its own, and leaves their table beside them, which grows with each
/// run. Called again after an interruption it takes finished runs as they are and resumes the one that was cut off.
/// Features of a frozen image tower are computed once for all runs.
/// </summary>
public static class Sweep
{
    /// <summary>Runs, or goes on with, a plan.</summary>
    /// <param name="device">Where to train.</param>
    /// <param name="plan">The runs.</param>
    /// <param name="folder">Folder of the runs' folders and of the table.</param>
    /// <param name="progress">Receives every step, epoch and message of every run.</param>
    /// <param name="cancellation">Ends the current step, writes the run's checkpoint and throws.</param>
    /// <returns>The table of all runs. A run that has diverged, or cannot be made, is a line without figures.</returns>
    /// <exception cref="OperationCanceledException">Canceled; the same call goes on with it.</exception>
    /// <exception cref="InputException">Data or weights are missing or damaged.</exception>
    /// <exception cref="SettingsException">A run was made with other settings.</exception>
    /// <exception cref="RunInUseException">Another program works in the folder.</exception>
    public static ResultTable Run(Device device, SweepPlan plan, string folder, IProgress<TrainEvent> progress,
        CancellationToken cancellation = default) =>
        Run(new SharedWork(device), plan, folder, progress, cancellation);

    /// <summary>The same with what other runs on its device have left; it adds its own.</summary>
    internal static ResultTable Run(SharedWork shared, SweepPlan plan, string folder,
        IProgress<TrainEvent> progress, CancellationToken cancellation = default)
    {
        CheckBeginning(plan, folder);
        using var held = RunLock.Take(folder);
        List<ResultRow> rows = [];
        List<SettingRemark> remarks = [];
        Exception? failed = null;
        ResultTable table = TableOf(plan, rows, remarks);
        foreach (SweepCell cell in plan.Cells)
        {
            string path = Path.Combine(folder, cell.Name);
            progress.Report(new MessageEvent($"run {rows.Count + 1} of {plan.Cells.Count}: {path}"));
            try
            {
                (ResultRow row, RunResult result) = RunCell(shared, cell, path, progress, cancellation);
                rows.Add(row);
                remarks.AddRange((result.Remarks ?? []).Except(remarks));
            }
            // Settings with a remedy are those that a run was begun without: they are refused.
            catch (Exception failure) when (failure is DivergedException or InputException
                or SettingsException { Remedy: Remedy.None })
            {
                if (failure is not DivergedException)
                    failed ??= failure;
                progress.Report(new MessageEvent($"{path}: {failure.Message}", Warning: true));
                rows.Add(new ResultRow(cell.Values, cell.Settings.Seed) { Failure = failure.Message });
            }
            table = TableOf(plan, rows, remarks);
            table.Write(folder);
        }
        // Where nothing succeeds the reason is hardly a single run's own.
        if (failed is not null && rows.All(row => row.War is null))
            ExceptionDispatchInfo.Throw(failed);
        return table;
    }

    /// <summary>Refuses what no run can begin with, and finished runs of other settings, before all runs.</summary>
    private static void CheckBeginning(SweepPlan plan, string folder)
    {
        TrainSettings first = plan.Cells[0].Settings;
        RunData.CheckThere(first);
        RunStart.CheckBeginning(first);
        foreach (SweepCell cell in plan.Cells)
            if (cell.Settings.Fold != TrainSettings.AllFolds
                && Path.Combine(folder, cell.Name) is var path && CrossValidation.IsFinished(path))
                CrossValidation.CheckSame(cell.Settings with { PretrainOnly = false }, path, "run");
    }

    private static (ResultRow Row, RunResult Result) RunCell(SharedWork shared, SweepCell cell, string folder,
        IProgress<TrainEvent> progress, CancellationToken cancellation)
    {
        bool goesOn = RunFolder.FindConfig(folder) is not null;
        if (cell.Settings.Fold == TrainSettings.AllFolds)
        {
            FoldsResult folds = CrossValidation.Run(shared, cell.Settings, folder, goesOn, overwrite: false, progress,
                cancellation);
            return (RunRows.Of(cell.Values, cell.Settings, folds), folds.Folds[0].Result);
        }
        if (!CrossValidation.IsFinished(folder))
            TrainingRun.Run(shared, cell.Settings, folder, goesOn, overwrite: false, progress, cancellation)
                .Model.Dispose();
        RunResult result = RunResult.Read(RunResult.PathIn(folder));
        return (RunRows.Of(cell.Values, cell.Settings, result), result);
    }

    private static ResultTable TableOf(SweepPlan plan, IReadOnlyList<ResultRow> rows,
        IReadOnlyList<SettingRemark> remarks) => new()
        {
            Title = plan.Title,
            Keys = plan.Keys,
            Rows = [.. rows],
            Extras = plan.Extras,
            Notes = [.. plan.Notes, .. remarks.Select(remark => $"Beside the paper: {remark}.")],
            References = plan.References,
        };
}
