using System.Globalization;
using System.Reflection;
using Cliper.Model.Metrics;
using Cliper.Model.Settings;

namespace Cliper.Model.Reporting;

/// <summary>report.html: one page that needs nothing but itself, in light or dark as the reader's system is.</summary>
internal static partial class HtmlReport
{
    private const string StyleResource = "Cliper.Model.Reporting.report.css";

    /// <summary>The page.</summary>
    public static string Render(ReportModel report) => Page(report.Title, Header(report.Title, report.Subtitle), Html.Of($"""
        {Headline(report)}
        {Notes(report)}
        {Folds(report)}
        {Confusions(report.Result)}
        {Classes(report.Result)}
        {Curves(report)}
        {Comparison(report)}
        {Descriptors(report)}
        {Mistakes(report)}
        {Settings(report)}
        """), Html.Of($"""
        <footer>Written by cliper-gpu on {report.Created.ToUniversalTime():yyyy-MM-dd HH:mm} UTC.
        WAR: accuracy. UAR: mean recall over the classes that have samples.</footer>

        """));

    /// <summary>A page in the style of the report, which needs nothing but itself.</summary>
    /// <param name="title">Its title.</param>
    /// <param name="header">The header element.</param>
    /// <param name="main">The content.</param>
    /// <param name="footer">The footer element and a line feed; empty for none.</param>
    internal static string Page(string title, Html header, Html main, Html footer) => Html.Of($"""
        <!doctype html>
        <html lang="en">
        <head>
        <meta charset="utf-8">
        <meta name="viewport" content="width=device-width, initial-scale=1">
        <meta name="color-scheme" content="light dark">
        <title>{title}</title>
        <style>{Style()}</style>
        </head>
        <body>
        {header}
        <main>
        {main}
        </main>
        {footer}</body>
        </html>

        """).ToString();

    /// <summary>A header with a line below the title.</summary>
    internal static Html Header(string title, string subtitle) => Html.Of($"""
        <header>
        <h1>{title}</h1>
        <p class="subtitle">{subtitle}</p>
        </header>
        """);

    private static Html Style()
    {
        using Stream stream = Assembly.GetExecutingAssembly().GetManifestResourceStream(StyleResource)
            ?? throw new InvalidOperationException($"{StyleResource} is not in the assembly");
        return new Html(new StreamReader(stream).ReadToEnd());
    }

    private static Html Headline(ReportModel report)
    {
        if (report.Folds.Count > 0)
            return FoldsHeadline(report);
        ConfusionMatrix result = report.Result;
        ReportBaseline? baseline = report.Baselines.Count > 0 ? report.Baselines[0] : null;
        string samples = result.Samples.ToString("#,0", CultureInfo.InvariantCulture);
        return Html.Of($"""
            <section class="headline">
            {Number("WAR", Percent(result.War), Gain(result.War, baseline?.Result.War, baseline?.Name))}
            {Number("UAR", Percent(result.Uar), Gain(result.Uar, baseline?.Result.Uar, baseline?.Name))}
            {Number("macro F1", Percent(result.MacroF1), Html.Empty)}
            {Number("samples", samples, Html.Of($"{report.SplitName}, {result.Samples - result.Correct:#,0} wrong"))}
            </section>
            """);
    }

    private static Html Number(string name, string value, Html detail) => Html.Of(
        $"""<div class="number"><span>{name}</span><b>{value}</b><small>{detail}</small></div>""");

    private static Html Gain(double? value, double? baseline, string? name) => value is { } here
        && baseline is { } there
        ? Html.Of(
            $"""<em class="{(here >= there ? "up" : "down")}">{(here - there) * 100:+0.00;−0.00;±0.00}</em> against {name}""")
        : Html.Empty;

    private static Html Notes(ReportModel report) => report.Notes.Count == 0 ? Html.Empty : Html.Of($"""
        <ul class="notes">{report.Notes.OrderByDescending(note => note.Warning).Select(note => Html.Of(
            $"""<li class="{(note.Warning ? "warning" : "note")}">{note.Text}</li>"""))}</ul>
        """);

    private static Html Confusions(ConfusionMatrix result)
    {
        int classes = result.Classes.Count;
        Html rows = Html.Join(Enumerable.Range(0, classes).Select(actual => Html.Of($"""
            <tr><th scope="row">{result.Classes[actual]}<small>{result.ActualCount(actual):#,0}</small></th>
            {Enumerable.Range(0, classes).Select(predicted => Cell(result, actual, predicted))}</tr>

            """)));
        Html columns = Html.Join(result.Classes.Select((name, index) => Html.Of(
            $"""<th scope="col">{name}<small>{result.PredictedCount(index):#,0}</small></th>""")));
        return Html.Of($"""
            <section><h2>Confusion matrix</h2>
            <p class="hint">Rows are true classes, columns predictions; a cell has the count and the share of its row.</p>
            <div class="scroll"><table class="confusion">
            <thead><tr><td></td>{columns}</tr></thead>
            <tbody>{rows}</tbody></table></div></section>
            """);
    }

    private static Html Cell(ConfusionMatrix result, int actual, int predicted)
    {
        long count = result[actual, predicted];
        long of = result.ActualCount(actual);
        double share = of == 0 ? 0 : (double)count / of;
        string kind = actual == predicted ? "right" : "wrong";
        // Small shares of errors matter more than their area: the square root lifts them.
        double heat = actual == predicted ? share : Math.Sqrt(share);
        string meaning = $"{result.Classes[actual]} predicted as {result.Classes[predicted]}";
        string percent = of == 0 ? "–" : Percent(share, 1);
        return Html.Of($"""
            <td class="{kind}{(heat > 0.6 ? " strong" : "")}" style="--heat:{heat * 100:0.#}%" title="{meaning}">{count:#,0}<small>{percent}</small></td>
            """);
    }

    private static Html Classes(ConfusionMatrix result) => Html.Of($"""
        <section><h2>Classes</h2>
        <div class="scroll"><table class="classes">
        <thead><tr>{Columns("class", "samples", "recall", "precision", "F1")}</tr></thead>
        <tbody>{Enumerable.Range(0, result.Classes.Count).Select(result.Score).Select(score => Html.Of($"""
        <tr><th scope="row">{score.Name}</th><td>{score.Samples:#,0}</td>{Bar(score.Recall)}{Bar(score.Precision)}{Bar(
        score.F1)}</tr>

        """))}</tbody></table></div></section>
        """);

    private static Html Columns(params IEnumerable<string> names) =>
        Html.Join(names.Select(name => Html.Of($"""<th scope="col">{name}</th>""")));

    private static Html Bar(double? share) => Html.Of(
        $"""<td class="bar" style="--share:{(share ?? 0) * 100:0.##}%">{Percent(share)}</td>""");

    private static Html Curves(ReportModel report)
    {
        Html stages = Html.Join(report.History.GroupBy(row => row.Stage)
            .Select(stage => (Key: stage.Key.Name(), Charts: Html.Join(StageCharts([.. stage]))))
            .Where(stage => !stage.Charts.IsEmpty)
            .Select(stage => Html.Of($"""<h3>{stage.Key}</h3><div class="charts">{stage.Charts}</div>""")));
        return stages.IsEmpty ? Html.Empty : Html.Of($"<section><h2>Training</h2>{stages}</section>");
    }

    private static IEnumerable<Html> StageCharts(MetricRow[] stage)
    {
        MetricRow[] steps = [.. stage.Where(row => row.Event == MetricRow.StepEvent)];
        MetricRow[] epochs = [.. stage.Where(row => row.Event == MetricRow.EpochEvent)];
        yield return LineChart.Draw("loss", "step",
        [
            Curve("loss", steps, row => row.Step, row => row.Loss),
            Curve("fine", steps, row => row.Step, row => row.Fine),
            Curve("margin", steps, row => row.Step, row => row.Margin),
        ]);
        yield return LineChart.Draw("WAR and UAR", "epoch",
        [
            Curve("WAR", epochs, row => row.Epoch, row => row.War),
            Curve("UAR", epochs, row => row.Epoch, row => row.Uar),
            Curve("training accuracy", epochs, row => row.Epoch, row => row.Accuracy),
        ], percent: true, dots: true);
        yield return LineChart.Draw("learning rate", "step",
            [Curve("learning rate", steps, row => row.Step, row => row.LearningRate)], fromZero: true);
        yield return LineChart.Draw("images a second", "step",
            [Curve("images a second", steps, row => row.Step, row => row.ImagesPerSecond)], fromZero: true);
    }

    private static LineChart.Curve Curve(string name, IEnumerable<MetricRow> rows, Func<MetricRow, double> x,
        Func<MetricRow, double?> y) =>
        new(name, [.. rows.Where(row => y(row) != null).Select(row => (x(row), y(row)!.Value))]);

    private static Html Comparison(ReportModel report)
    {
        (string Name, string Kind, double? Uar, double? War)[] rows =
        [
            report.Folds.Count > 0
                ? ("this run, mean of the folds", "own", MeanOf(report, fold => fold.Uar).Mean * 100,
                MeanOf(report, fold => fold.War).Mean * 100)
                : ("this run", "own", report.Result.Uar * 100, report.Result.War * 100),
            .. report.Baselines.Select(baseline =>
                (baseline.Name, "own", baseline.Result.Uar * 100, baseline.Result.War * 100)),
            .. report.Paper is { } dataSet
                ? PaperResults.For(dataSet).Select(paper =>
                    (paper.Note.Length > 0 ? $"{paper.Method} ({paper.Note})" : paper.Method,
                        paper.FromCliper ? "paper" : "quoted", paper.Uar, (double?)paper.War))
                : [],
        ];
        if (rows.Length == 1)
            return Html.Empty;
        Html source = report.Paper is { } name
            ? Html.Of($"""
                <p class="hint">Published numbers on {PaperResults.Name(name)} are those of arXiv 2303.00193: measured by its
                authors, or quoted by them (marked ·). They belong to full-size CLIP models and the official splits.</p>
                {Remarks(report.PaperRemarks)}
                """)
            : Html.Empty;
        return Html.Of($"""
            <section><h2>Comparison</h2>{source}
            <div class="scroll"><table class="classes comparison">
            <thead><tr>{Columns("method", "UAR", "WAR")}</tr></thead>
            <tbody>{rows.OrderByDescending(row => row.War).Select(row => Html.Of(
                $"""<tr class="{row.Kind}"><th scope="row">{row.Name}{(row.Kind == "quoted" ? " ·" : "")}</th>{Bar(row.Uar / 100)}{Bar(row.War / 100)}</tr>"""))}</tbody></table></div></section>
            """);
    }

    private static Html Remarks(IReadOnlyList<SettingRemark> remarks) => remarks.Count == 0 ? Html.Empty : Html.Of($"""
        <ul class="notes">{remarks.OrderByDescending(remark => remark.IsUnknown).Select(remark => Html.Of(
            $"""<li class="{(remark.IsUnknown ? "warning" : "note")}">{remark.ToString()}</li>"""))}</ul>
        """);

    private static Html Settings(ReportModel report) => report.Settings.Count == 0 ? Html.Empty : Html.Of($"""
        <section><details><summary><h2>Settings</h2></summary>
        <table class="settings"><tbody>{report.Settings.Select(setting => Html.Of(
            $"""<tr><th scope="row">{setting.Key}</th><td>{setting.Value}</td></tr>"""))}</tbody></table></details></section>
        """);

    private static string Percent(double? share, int digits = 2) => share == null
        ? "–"
        : (share.Value * 100).ToString(digits == 2 ? "0.00" : "0.0", CultureInfo.InvariantCulture) + " %";
}
