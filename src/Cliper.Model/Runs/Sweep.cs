using Cliper.Kernels.Memory;
using Cliper.Model.Checkpoints;
using Cliper.Model.Reporting;
using Cliper.Model.Settings;
using Cliper.Model.Stages;

namespace Cliper.Model.Runs;

/// <summary>
/// Trains every run of a plan, each in a folder of its own, and leaves their table beside them, which grows with each
/// run. Called again after an interruption it takes finished runs as they are and resumes the one that was cut off.
/// </summary>
public static class Sweep
{
    /// <summary>Runs, or goes on with, a plan.</summary>
    /// <param name="device">Where to train.</param>
    /// <param name="plan">The runs.</param>
    /// <param name="folder">Folder of the runs' folders and of the table.</param>
    /// <param name="progress">Receives every step, epoch and message of every run.</param>
    /// <param name="cancellation">Ends the current step, writes the run's checkpoint and throws.</param>
    /// <returns>The table of all runs. A run that has diverged is a line without figures.</returns>
    /// <exception cref="OperationCanceledException">Canceled; the same call goes on with it.</exception>
    /// <exception cref="InputException">Data or weights are missing or damaged.</exception>
    /// <exception cref="SettingsException">A run was begun with other settings.</exception>
    /// <exception cref="RunInUseException">Another program works in the folder.</exception>
    public static ResultTable Run(Device device, SweepPlan plan, string folder, IProgress<TrainEvent> progress,
        CancellationToken cancellation = default)
    {
        using var held = RunLock.Take(folder);
        List<ResultRow> rows = [];
        ResultTable table = TableOf(plan, rows, []);
        foreach (SweepCell cell in plan.Cells)
        {
            string path = Path.Combine(folder, cell.Name);
            progress.Report(new MessageEvent($"run {rows.Count + 1} of {plan.Cells.Count}: {path}"));
            (ResultRow row, RunResult? result) = RunCell(device, cell, path, progress, cancellation);
            rows.Add(row);
            table = TableOf(plan, rows, result?.Remarks ?? []);
            table.Write(folder);
        }
        return table;
    }

    private static (ResultRow Row, RunResult? Result) RunCell(Device device, SweepCell cell, string folder,
        IProgress<TrainEvent> progress, CancellationToken cancellation)
    {
        bool goesOn = RunFolder.FindConfig(folder) is not null;
        try
        {
            if (cell.Settings.Fold == TrainSettings.AllFolds)
                return OfFolds(cell, CrossValidation.Run(device, cell.Settings, folder, goesOn, overwrite: false,
                    progress, cancellation));
            if (CrossValidation.IsFinished(folder))
                CrossValidation.CheckSame(cell.Settings with { PretrainOnly = false }, folder, "run");
            else
                TrainingRun.Run(device, cell.Settings, folder, goesOn, overwrite: false, progress, cancellation)
                    .Model.Dispose();
        }
        catch (DivergedException failure)
        {
            progress.Report(new MessageEvent($"{folder}: {failure.Message}", Warning: true));
            return (new ResultRow(cell.Values, cell.Settings.Seed) { Failure = failure.Message }, null);
        }
        RunResult result = RunResult.Read(RunResult.PathIn(folder));
        return (RunRows.Of(cell.Values, cell.Settings, result), result);
    }

    private static (ResultRow Row, RunResult? Result) OfFolds(SweepCell cell, FoldsResult folds) =>
        (RunRows.Of(cell.Values, cell.Settings, folds), folds.Folds[0].Result);

    private static ResultTable TableOf(SweepPlan plan, IReadOnlyList<ResultRow> rows,
        IReadOnlyList<SettingRemark> remarks)
    {
        string[] keys = [.. plan.Swept.Select(setting => setting.Path)];
        bool isTable3 = keys.Contains("subclasses") && keys.Contains("tokens");
        return new ResultTable
        {
            Title = $"{(plan.Base.Recipe == TrainSettings.CustomRecipe ? plan.Base.DataSet : plan.Base.Recipe)} by "
                + (keys.Length == 0 ? "seed" : string.Join(" and ", keys)),
            Keys = keys.Length == 0 ? ["recipe"] : keys,
            Rows = keys.Length == 0 ? [.. rows.Select(row => row with { Keys = [plan.Base.Recipe] })] : [.. rows],
            Extras = RunRows.Extras,
            Notes = [.. remarks.Select(remark => $"Beside the paper: {remark}.")],
            References = isTable3 ? [RunRows.PaperSizes()] : [],
        };
    }
}
