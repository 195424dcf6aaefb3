using Cliper.Model.Checkpoints;
using Cliper.Model.DataSets;
using Cliper.Model.Reporting;
using Cliper.Model.Settings;

namespace Cliper.Model.Runs;

/// <summary>Puts finished runs side by side.</summary>
public static class RunComparison
{
    /// <summary>The table of runs, a line each.</summary>
    /// <param name="folders">Folders of runs, of runs over all folds, or of folders that hold such runs.</param>
    /// <exception cref="InputException">A folder holds no finished run, or a result is damaged.</exception>
    public static ResultTable Of(IReadOnlyList<string> folders)
    {
        List<ResultRow> rows = [];
        List<string> notes = [];
        foreach (string folder in folders)
            foreach (string run in RunsIn(folder))
            {
                TrainSettings settings = TrainSettings.OfRun(RunFolder.FindConfig(run)!);
                (ResultRow row, RunResult result) = RowOf(run, settings);
                rows.Add(row);
                if (result.Version is { } version)
                    notes.Add($"{run}: version {version}, {result.Device}, faces {result.Faces}, split {result.Split}"
                        + (settings.Protocol.Length > 0 ? $", protocol {settings.Protocol}" : "")
                        + (settings.Select == Selection.BestOnTest ? ", epoch chosen on the test split" : "") + ".");
            }
        if (rows.Count == 0)
            throw new InputException($"{string.Join(", ", folders)}: holds no finished run: there is no result.json");
        return new ResultTable
        {
            Title = "Runs side by side",
            Keys = ["run", "data"],
            Rows = rows,
            Extras = RunRows.Extras,
            Notes = notes,
        };
    }

    private static (ResultRow Row, RunResult Result) RowOf(string run, TrainSettings settings)
    {
        string[] folds = [.. FoldsOf(run)];
        if (folds.Length == 0)
        {
            RunResult result = RunResult.Read(RunResult.PathIn(run));
            return (RunRows.Of([run, result.DataFormat ?? settings.DataSet], settings, result), result);
        }
        FoldResult[] results = [.. folds.Select((fold, index) =>
            new FoldResult(index + 1, fold, RunResult.Read(RunResult.PathIn(fold))))];
        string format = results[0].Result.DataFormat ?? settings.DataSet;
        var all = new FoldsResult(results, PaperResults.DataSetOf(format, settings.Choices));
        return (RunRows.Of([run, format], settings, all), results[0].Result);
    }

    /// <summary>The runs that a folder names: itself, or the finished ones in it, as a sweep leaves them.</summary>
    private static IEnumerable<string> RunsIn(string folder)
    {
        if (!Directory.Exists(folder))
            throw new InputException($"{folder}: no such folder");
        if (IsRun(folder))
            return [folder];
        return Directory.GetDirectories(folder).Where(IsRun).Order(StringComparer.Ordinal);
    }

    private static bool IsRun(string folder) => RunFolder.FindConfig(folder) is not null
        && (CrossValidation.IsFinished(folder) || FoldsOf(folder).Any());

    private static IEnumerable<string> FoldsOf(string folder) => File.Exists(Path.Combine(folder, "folds.csv"))
        ? RunFolder.FoldsIn(folder).Where(CrossValidation.IsFinished).OrderBy(fold => fold.Length)
            .ThenBy(fold => fold, StringComparer.Ordinal)
        : [];
}
