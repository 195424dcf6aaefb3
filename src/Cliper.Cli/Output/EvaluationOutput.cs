using System.Text.Json;
using Cliper.Model.Inference;
using Cliper.Model.Metrics;
using Spectre.Console;

namespace Cliper.Cli;

/// <summary>An evaluation as text and as JSON.</summary>
internal static class EvaluationOutput
{
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
        Table table = new Table().Border(TableBorder.Simple).AddColumn("true \\\npredicted");
        // Seven expressions fit 80 columns without padding; the border leaves a space between columns.
        foreach (string name in matrix.Classes.Append("recall"))
            table.AddColumn(new TableColumn(Markup.Escape(name)).RightAligned().Padding(0, 0));
        long[][] rows = matrix.ToRows();
        for (int actual = 0; actual < rows.Length; actual++)
            table.AddRow([Markup.Escape(matrix.Classes[actual]), .. rows[actual].Select(count => $"{count}"),
                Format.Percent(matrix.Score(actual).Recall)]);
        terminal.Human.Write(table);
    }
}
