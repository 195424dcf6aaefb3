using System.Globalization;
using System.Text;
using Cliper.Model.Metrics;

namespace Cliper.Model.Reporting;

/// <summary>A table of results as HTML, Markdown and LaTeX: a line for runs that differ in their seed alone.</summary>
internal static class TableDocuments
{
    private const string Unknown = "–";

    /// <summary>The page, in the style of a run's report.</summary>
    public static string Html(ResultTable table) => HtmlReport.Page(table.Title,
        Reporting.Html.Of($"""<header><h1>{table.Title}</h1></header>"""), Reporting.Html.Of($"""
        <section>{HtmlTable(HeaderOf(table), [.. table.Cells.Select(cell => LineOf(table, cell))])}
        {NotesOf(table).Select(note => Reporting.Html.Of($"""<p class="hint">{note}</p>"""))}</section>
        {table.References.Select(reference => Reporting.Html.Of($"""
        <section><h2>{reference.Title}</h2>{HtmlTable(reference.Columns, reference.Rows)}</section>
        """))}
        """), Reporting.Html.Empty);

    /// <summary>The table in GitHub's Markdown, its columns padded so that it reads as plain text too.</summary>
    public static string Markdown(ResultTable table)
    {
        var text = new StringBuilder().Append("# ").Append(Plain(table.Title)).Append("\n\n");
        Append(HeaderOf(table), [.. table.Cells.Select(cell => LineOf(table, cell))]);
        foreach (string note in NotesOf(table))
            text.Append('\n').Append(Plain(note)).Append('\n');
        foreach (ReferenceTable reference in table.References)
        {
            text.Append("\n## ").Append(Plain(reference.Title)).Append("\n\n");
            Append(reference.Columns, reference.Rows);
        }
        return text.ToString();

        void Append(IReadOnlyList<string> columns, IReadOnlyList<IReadOnlyList<string>> rows)
        {
            int[] widths = [.. columns.Select((name, at) => rows.Select(row => Plain(row[at]).Length)
                .Append(Plain(name).Length).Append(3).Max())];
            AppendLine(columns);
            text.Append('|').Append(string.Concat(widths.Select(width => $" {new string('-', width)} |"))).Append('\n');
            foreach (IReadOnlyList<string> row in rows)
                AppendLine(row);

            void AppendLine(IReadOnlyList<string> cells) => text.Append('|').Append(string.Concat(
                cells.Select((cell, at) => $" {Plain(cell).PadRight(widths[at])} |"))).Append('\n');
        }

        static string Plain(string cell) => cell.Replace("|", "\\|", StringComparison.Ordinal)
            .ReplaceLineEndings(" ");
    }

    /// <summary>The table as a LaTeX tabular with rules of booktabs.</summary>
    public static string Latex(ResultTable table)
    {
        IReadOnlyList<string> header = HeaderOf(table);
        var text = new StringBuilder("% Needs \\usepackage{booktabs}.\n\\begin{tabular}{");
        text.Append('l', table.Keys.Count).Append('r', header.Count - table.Keys.Count).Append("}\n\\toprule\n");
        Append(header);
        text.Append("\\midrule\n");
        foreach (ResultCell cell in table.Cells)
            Append(LineOf(table, cell));
        text.Append("\\bottomrule\n\\end{tabular}\n");
        foreach (string note in NotesOf(table))
            text.Append("% ").Append(note.ReplaceLineEndings(" ")).Append('\n');
        return text.ToString();

        void Append(IReadOnlyList<string> cells) => text.AppendJoin(" & ", cells.Select(Escaped)).Append(" \\\\\n");
    }

    private static IReadOnlyList<string> HeaderOf(ResultTable table) => [.. table.Keys, "runs", "WAR", "UAR",
        "paper's WAR", "difference", "paper's UAR", "seconds", "parameters trained",
        .. table.Extras.Select(name => name.Replace('_', ' '))];

    private static IReadOnlyList<string> LineOf(ResultTable table, ResultCell cell)
    {
        ResultRow first = cell.Runs[0];
        MeanDeviation war = cell.Of(run => run.War);
        return
        [
            .. cell.Keys,
            cell.Finished == cell.Runs.Count ? $"{cell.Finished}" : $"{cell.Finished} of {cell.Runs.Count}",
            Percent(war), Percent(cell.Of(run => run.Uar)), Percent(first.PaperWar),
            war.Mean is { } own && first.PaperWar is { } paper ? Signed(100 * (own - paper)) : Unknown,
            Percent(first.PaperUar), Number(cell.Of(run => run.Seconds).Mean, "#,0"),
            first.TrainedParameters?.ToString("#,0", CultureInfo.InvariantCulture) ?? Unknown,
            .. table.Extras.Select((_, index) => Spread(cell.Of(run => run.Extras.ElementAtOrDefault(index)))),
        ];
    }

    private static IEnumerable<string> NotesOf(ResultTable table) =>
    [
        .. table.StandardError is { } error ? [error] : Array.Empty<string>(),
        .. table.Rows.Any(row => row.War is not null) && table.Cells.Any(cell => cell.Finished > 1)
            ? ["WAR and UAR are means over seeds, with the standard deviation of a sample."] : Array.Empty<string>(),
        .. table.Notes,
        .. table.Rows.Where(row => row.Failure.Length > 0)
            .Select(row => $"{string.Join(", ", row.Keys)}, seed {row.Seed}: {row.Failure}"),
    ];

    private static Html HtmlTable(IReadOnlyList<string> columns, IReadOnlyList<IReadOnlyList<string>> rows) =>
        Reporting.Html.Of($"""
        <div class="scroll"><table class="classes">
        <thead><tr>{columns.Select(name => Reporting.Html.Of($"""<th scope="col">{name}</th>"""))}</tr></thead>
        <tbody>{rows.Select(row => Reporting.Html.Of($"""
        <tr><th scope="row">{row[0]}</th>{row.Skip(1).Select(cell => Reporting.Html.Of($"<td>{cell}</td>"))}</tr>

        """))}</tbody></table></div>
        """);

    private static string Percent(MeanDeviation score) => score.Mean is not { } mean ? Unknown
        : Number(100 * mean, "0.00")
            + (score.Deviation is { } deviation ? $" ± {Number(100 * deviation, "0.00")}" : "");

    private static string Spread(MeanDeviation value) => value.Mean is not { } mean ? Unknown
        : Number(mean, "0.000") + (value.Deviation is { } deviation ? $" ± {Number(deviation, "0.000")}" : "");

    private static string Percent(double? share) => share is { } value ? Number(100 * value, "0.00") : Unknown;

    private static string Signed(double points) => points.ToString("+0.00;-0.00;0.00", CultureInfo.InvariantCulture);

    private static string Number(double? value, string format) =>
        value?.ToString(format, CultureInfo.InvariantCulture) ?? Unknown;

    private static string Escaped(string cell)
    {
        var text = new StringBuilder();
        foreach (char sign in cell.ReplaceLineEndings(" "))
            text.Append(sign switch
            {
                '\\' => @"\textbackslash{}",
                '~' => @"\textasciitilde{}",
                '^' => @"\textasciicircum{}",
                '±' => @"$\pm$",
                '–' => "--",
                '&' or '%' or '$' or '#' or '_' or '{' or '}' => $"\\{sign}",
                _ => $"{sign}",
            });
        return text.ToString();
    }
}
