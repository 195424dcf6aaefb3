using System.Globalization;
using Cliper.Model.Metrics;

namespace Cliper.Model.Reporting;

/// <summary>The folds of a cross-validation.</summary>
internal static partial class HtmlReport
{
    private static MeanDeviation MeanOf(ReportModel report, Func<ConfusionMatrix, double?> score) =>
        MeanDeviation.Of(report.Folds.Select(fold => score(fold.Result)));

    private static Html FoldsHeadline(ReportModel report)
    {
        MeanDeviation war = MeanOf(report, fold => fold.War), uar = MeanOf(report, fold => fold.Uar);
        string folds = $"mean of {report.Folds.Count} folds";
        return Html.Of($"""
            <section class="headline">
            {Number("WAR", Percent(war.Mean), Html.Of($"{folds}, standard deviation {Percent(war.Deviation)}"))}
            {Number("UAR", Percent(uar.Mean), Html.Of($"{folds}, standard deviation {Percent(uar.Deviation)}"))}
            {Number("samples", report.Result.Samples.ToString("#,0", CultureInfo.InvariantCulture), Html.Of($"{report.SplitName}"))}
            </section>
            """);
    }

    private static Html Folds(ReportModel report) => report.Folds.Count == 0 ? Html.Empty : Html.Of($"""
        <section><h2>Folds</h2>
        <div class="scroll"><table class="classes">
        <thead><tr>{Columns("fold", "samples", "UAR", "WAR")}</tr></thead>
        <tbody>{report.Folds.Select(fold => Html.Of($"""
        <tr><th scope="row"><a href="{fold.Link}">{fold.Number}</a></th><td>{fold.Result.Samples:#,0}</td>{Bar(
        fold.Result.Uar)}{Bar(fold.Result.War)}</tr>

        """))}</tbody></table></div></section>
        """);
}
