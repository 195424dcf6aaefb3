using System.Globalization;
using Cliper.Model.Metrics;
using Cliper.Model.Reporting;
using Cliper.Model.Settings;

namespace Cliper.Model.Runs;

/// <summary>Makes the lines of tables from the results of runs.</summary>
internal static class RunRows
{
    /// <summary>Names of the further columns: accuracy after stage 1, and how evenly descriptors are used.</summary>
    public static IReadOnlyList<string> Extras { get; } = ["stage1_war", "usage_entropy"];

    /// <summary>The line of a run.</summary>
    /// <param name="keys">Names or values that tell it from others.</param>
    /// <param name="settings">Its settings.</param>
    /// <param name="result">Its result.</param>
    public static ResultRow Of(IReadOnlyList<string> keys, TrainSettings settings, RunResult result)
    {
        PaperResult? paper = PaperOf(settings, PaperResults.DataSetOf(result.DataFormat ?? settings.DataSet,
            settings.Choices));
        return new ResultRow(keys, settings.Seed)
        {
            War = result.War,
            Uar = result.Uar,
            Seconds = result.Seconds,
            TrainedParameters = result.TrainedParameters,
            Samples = result.Matrix.Samples,
            PaperWar = paper?.War / 100,
            PaperUar = paper?.Uar / 100,
            Extras = [AfterStage1(result), result.UsageEntropy],
        };
    }

    /// <summary>The line of a run over all folds: means of their figures, and sums of seconds and samples.</summary>
    /// <param name="keys">Names or values that tell it from others.</param>
    /// <param name="settings">Its settings.</param>
    /// <param name="folds">Results of the folds.</param>
    public static ResultRow Of(IReadOnlyList<string> keys, TrainSettings settings, FoldsResult folds)
    {
        RunResult[] results = [.. folds.Folds.Select(fold => fold.Result)];
        PaperResult? paper = PaperOf(settings, folds.Paper);
        return new ResultRow(keys, settings.Seed)
        {
            War = folds.War.Mean,
            Uar = folds.Uar.Mean,
            Seconds = results.Sum(result => result.Seconds),
            TrainedParameters = results[0].TrainedParameters,
            Samples = folds.Confusion.Samples,
            PaperWar = paper?.War / 100,
            PaperUar = paper?.Uar / 100,
            Extras = [MeanDeviation.Of(results.Select(AfterStage1)).Mean,
                MeanDeviation.Of(results.Select(result => result.UsageEntropy)).Mean],
        };
    }

    /// <summary>Table III of the paper.</summary>
    public static ReferenceTable PaperSizes() => new("The paper's Table III, sizes of METD",
        ["M", "L", .. PaperResults.SizesDataSets.SelectMany(data => new[]
            { $"{PaperResults.Name(data)} WAR", $"{PaperResults.Name(data)} UAR" })],
        [.. PaperResults.Sizes.Select(sizes => (IReadOnlyList<string>)[$"{sizes.Subclasses}", $"{sizes.Tokens}",
            .. PaperResults.SizesDataSets.Select(data => PaperResults.OfSizes(data, sizes.Subclasses, sizes.Tokens))
            .SelectMany(paper => new[] { Percent(paper?.War), Percent(paper?.Uar) })])]);

    // The paper has figures of CLIPER by the sizes of METD, and of the whole loss alone.
    private static PaperResult? PaperOf(TrainSettings settings, PaperDataSet? data) => data is not { } known ? null
        : !settings.Method.HasDescriptors() ? PaperResults.Of(known, settings.Method.Name())
        : settings.Loss == new LossSettings()
            ? PaperResults.OfSizes(known, settings.Subclasses, settings.Tokens) : null;

    private static double? AfterStage1(RunResult result) => result.AfterStage1 is { } rows
        ? ConfusionMatrix.FromRows(result.Classes, rows).War : null;

    private static string Percent(double? value) => value?.ToString("0.00", CultureInfo.InvariantCulture) ?? "–";
}
