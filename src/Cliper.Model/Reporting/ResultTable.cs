using System.Globalization;
using Cliper.Model.IO;
using Cliper.Model.Metrics;

namespace Cliper.Model.Reporting;

/// <summary>One run of a table of results. Scores are fractions.</summary>
/// <param name="Keys">Names or values that tell it from other runs, one a column of
/// <see cref="ResultTable.Keys"/>.</param>
/// <param name="Seed">Its seed.</param>
public sealed record ResultRow(IReadOnlyList<string> Keys, ulong Seed)
{
    /// <summary>Accuracy; null for a run without a result.</summary>
    public double? War { get; init; }

    /// <summary>Mean recall over the classes that have samples.</summary>
    public double? Uar { get; init; }

    /// <summary>Seconds that the run took.</summary>
    public double? Seconds { get; init; }

    /// <summary>Parameters trained.</summary>
    public long? TrainedParameters { get; init; }

    /// <summary>The paper's accuracy.</summary>
    public double? PaperWar { get; init; }

    /// <summary>The paper's mean recall.</summary>
    public double? PaperUar { get; init; }

    /// <summary>Samples that were tested on.</summary>
    public long? Samples { get; init; }

    /// <summary>Further measurements, one a column of <see cref="ResultTable.Extras"/>.</summary>
    public IReadOnlyList<double?> Extras { get; init; } = [];

    /// <summary>Why the run has no result; empty where it has one.</summary>
    public string Failure { get; init; } = "";
}

/// <summary>Figures beside a table, such as a table of the paper.</summary>
/// <param name="Title">Headline.</param>
/// <param name="Columns">Names of the columns.</param>
/// <param name="Rows">Cells, row by row.</param>
public sealed record ReferenceTable(string Title, IReadOnlyList<string> Columns,
    IReadOnlyList<IReadOnlyList<string>> Rows);

/// <summary>
/// A table of runs: rows are methods, settings or folders; runs that differ in their seed alone are one line with mean
/// and standard deviation. Written as table.csv (a line a run), table.html, table.md and table.tex.
/// </summary>
public sealed record ResultTable
{
    /// <summary>Headline.</summary>
    public required string Title { get; init; }

    /// <summary>Names of the first columns, such as "method" and "shots", or the paths of settings.</summary>
    public required IReadOnlyList<string> Keys { get; init; }

    /// <summary>The runs, in the order to show them.</summary>
    public required IReadOnlyList<ResultRow> Rows { get; init; }

    /// <summary>Names of further columns.</summary>
    public IReadOnlyList<string> Extras { get; init; } = [];

    /// <summary>Sentences under the table.</summary>
    public IReadOnlyList<string> Notes { get; init; } = [];

    /// <summary>Tables under the table.</summary>
    public IReadOnlyList<ReferenceTable> References { get; init; } = [];

    /// <summary>The runs that differ in their seed alone, in the order of the first of each.</summary>
    internal IEnumerable<ResultCell> Cells => Rows.GroupBy(row => string.Join('\0', row.Keys))
        .Select(group => new ResultCell([.. group]));

    /// <summary>
    /// The sentence on how sure one figure is: the standard error of a share p on n samples is sqrt(p (1 - p) / n). It
    /// speaks of the test split alone; seeds add their own spread.
    /// </summary>
    internal string? StandardError
    {
        get
        {
            ResultRow? best = Rows.Where(row => row is { War: not null, Samples: > 0 }).MaxBy(row => row.War);
            return best is not { War: { } war, Samples: { } samples } ? null : FormattableString.Invariant(
                $"One standard error of {100 * war:F2} % on {samples:#,0} samples is ")
                + FormattableString.Invariant($"{100 * Math.Sqrt(war * (1 - war) / samples):F2} points: ")
                + "lines that differ by less say little, and one seed a line says less.";
        }
    }

    /// <summary>Writes the table's four files, each whole or not at all.</summary>
    /// <param name="folder">Their folder.</param>
    /// <exception cref="IOException">The folder cannot be written to.</exception>
    public void Write(string folder)
    {
        Write("csv", Csv());
        Write("html", TableDocuments.Html(this));
        Write("md", TableDocuments.Markdown(this));
        Write("tex", TableDocuments.Latex(this));

        void Write(string type, string text) => AtomicFile.Write(Path.Combine(folder, $"table.{type}"), stream =>
            stream.Write(System.Text.Encoding.UTF8.GetBytes(text)));
    }

    /// <summary>The table as Markdown, which a terminal shows as well.</summary>
    public string ToMarkdown() => TableDocuments.Markdown(this);

    /// <summary>The table with a line a run; an unknown value is empty.</summary>
    internal string Csv()
    {
        string[] header = [.. Keys, "seed", "war", "uar", "seconds", "trained_parameters", "paper_war", "paper_uar",
            .. Extras];
        IEnumerable<string> lines = Rows.Select(row => IO.Csv.Line([.. row.Keys,
            row.Seed.ToString(CultureInfo.InvariantCulture), Number(row.War), Number(row.Uar), Number(row.Seconds),
            row.TrainedParameters?.ToString(CultureInfo.InvariantCulture) ?? "", Number(row.PaperWar),
            Number(row.PaperUar), .. Extras.Select((_, index) => Number(row.Extras.ElementAtOrDefault(index)))]));
        return string.Concat(lines.Prepend(IO.Csv.Line(header)).Select(line => line + "\n"));
    }

    private static string Number(double? value) => value?.ToString("R", CultureInfo.InvariantCulture) ?? "";
}

/// <summary>A line of a table: runs that differ in their seed alone.</summary>
/// <param name="Runs">The runs.</param>
internal sealed record ResultCell(IReadOnlyList<ResultRow> Runs)
{
    /// <summary>Names or values that tell the runs from those of other lines.</summary>
    public IReadOnlyList<string> Keys => Runs[0].Keys;

    /// <summary>Runs with a result.</summary>
    public int Finished => Runs.Count(run => run.War is not null);

    /// <summary>Mean and deviation of a score over the runs that have a result.</summary>
    public MeanDeviation Of(Func<ResultRow, double?> score) =>
        MeanDeviation.Of(Runs.Where(run => run.War is not null).Select(score));
}
