using System.Text.Json;
using Cliper.Model.Inference;
using Cliper.Model.Metrics;
using Spectre.Console;

namespace Cliper.Cli;

/// <summary>An evaluation as text and as JSON.</summary>
internal static class EvaluationOutput
{
    private const int TerminalColumns = 80, ShortestName = 4, NarrowestRows = 9;

    /// <summary>
    /// The members "war", "uar", "classes", "confusion", "samples", "split" of the object that is being written.
    /// </summary>
    public static void Write(Utf8JsonWriter json, Evaluation evaluation) => Write(json, evaluation.Confusion,
        evaluation.Split);

    /// <summary>The same members for a confusion matrix.</summary>
    public static void Write(Utf8JsonWriter json, ConfusionMatrix matrix, string split)
    {
        WriteNumber(json, "war", matrix.War);
        WriteNumber(json, "uar", matrix.Uar);
        json.WriteStartArray("classes");
        foreach (string name in matrix.Classes)
            json.WriteStringValue(name);
        json.WriteEndArray();
        json.WriteStartArray("confusion");
        foreach (long[] row in matrix.ToRows())
        {
            json.WriteStartArray();
            foreach (long count in row)
                json.WriteNumberValue(count);
            json.WriteEndArray();
        }
        json.WriteEndArray();
        json.WriteNumber("samples", matrix.Samples);
        json.WriteString("split", split);
    }

    /// <summary>The member "prompts": what each set of captions reaches. Nothing where none was asked for.</summary>
    public static void Write(Utf8JsonWriter json, IReadOnlyList<PromptSetResult> prompts)
    {
        if (prompts.Count == 0)
            return;
        json.WriteStartArray("prompts");
        foreach (PromptSetResult result in prompts)
        {
            json.WriteStartObject();
            json.WriteString("prompts", result.Prompts);
            json.WriteString("names", result.Names);
            json.WriteString("example", result.Example);
            WriteNumber(json, "war", result.Confusion?.War);
            WriteNumber(json, "uar", result.Confusion?.Uar);
            json.WriteEndObject();
        }
        json.WriteEndArray();
    }

    /// <summary>A table of what each set of captions reaches. Nothing where none was asked for.</summary>
    public static void Write(Terminal terminal, IReadOnlyList<PromptSetResult> prompts)
    {
        if (prompts.Count == 0)
            return;
        Table table = new Table().Border(TableBorder.Simple).AddColumns("captions", "class words", "such as");
        foreach (string title in new[] { "WAR", "UAR" })
            table.AddColumn(new TableColumn(title).RightAligned());
        foreach (PromptSetResult result in prompts)
            table.AddRow(result.Prompts, result.Names, Markup.Escape(result.Example),
                Format.Percent(result.Confusion?.War), Format.Percent(result.Confusion?.Uar));
        terminal.Human.Write(table);
    }

    /// <summary>A number, or null.</summary>
    public static void WriteNumber(Utf8JsonWriter json, string name, double? value)
    {
        if (value is { } number)
            json.WriteNumber(name, number);
        else
            json.WriteNull(name);
    }

    /// <summary>A line of scores, and the confusion matrix with each class's recall.</summary>
    public static void Write(Terminal terminal, Evaluation evaluation) => Write(terminal, evaluation.Confusion,
        evaluation.Split);

    /// <summary>The same text for a confusion matrix.</summary>
    public static void Write(Terminal terminal, ConfusionMatrix matrix, string split)
    {
        terminal.Out.WriteLine(
            $"{split}, {matrix.Samples} samples: WAR {Format.Percent(matrix.War)}, UAR {Format.Percent(matrix.Uar)}");
        long[][] rows = matrix.ToRows();
        string[] classes = [.. matrix.Classes.Select(Format.Printable)];
        int[] digits = [.. Enumerable.Range(0, rows.Length).Select(column =>
            rows.Max(row => $"{row[column]}".Length))];
        string[] columns = ColumnNames(classes, digits);
        bool isNumbered = columns[0] == "1";
        var first = new TableColumn("true \\\npredicted");
        if (isNumbered)
            first.Width(Math.Max(NarrowestRows, TerminalColumns - Around(classes.Length)
                - columns.Zip(digits, (name, width) => Math.Max(name.Length, width)).Sum()));
        Table table = new Table().Border(TableBorder.Simple).AddColumn(first);
        // The border leaves a space between columns, so that they need no padding.
        foreach (string name in columns.Append("recall"))
            table.AddColumn(new TableColumn(Markup.Escape(name)).RightAligned().Padding(0, 0));
        for (int actual = 0; actual < rows.Length; actual++)
            table.AddRow([Markup.Escape(isNumbered ? $"{actual + 1} {classes[actual]}" : classes[actual]),
                .. rows[actual].Select(count => $"{count}"), Format.Percent(matrix.Score(actual).Recall)]);
        terminal.Human.Write(table);
    }

    /// <summary>
    /// Names of the columns: those of the classes, cut so that the table fits a terminal, or numbers where too little
    /// would be left of the names to tell them apart.
    /// </summary>
    /// <param name="classes">Names of the classes, which the rows have whole.</param>
    /// <param name="digits">Characters of the largest count of each column.</param>
    internal static string[] ColumnNames(IReadOnlyList<string> classes, IReadOnlyList<int> digits)
    {
        int room = TerminalColumns - Around(classes.Count)
            - Math.Max("predicted".Length, classes.Max(name => name.Length));
        for (int length = classes.Max(name => name.Length); length >= ShortestName; length--)
        {
            string[] names = [.. classes.Select(name => name.Length <= length ? name : $"{name[..(length - 1)]}.")];
            if (names.Distinct().Count() == names.Length
                && names.Zip(digits, (name, width) => Math.Max(name.Length, width)).Sum() <= room)
                return names;
        }
        return [.. Enumerable.Range(1, classes.Count).Select(number => $"{number}")];
    }

    /// <summary>Columns of a terminal beside the names and counts: the padding of the first column, the shares, and a
    /// space at each border.</summary>
    private static int Around(int classes) => 2 + "100.0 %".Length + classes + 3;
}
