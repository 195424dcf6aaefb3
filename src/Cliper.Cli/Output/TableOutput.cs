using System.Text.Json;
using Cliper.Model.Reporting;

namespace Cliper.Cli;

/// <summary>A table of runs as text and as JSON.</summary>
internal static class TableOutput
{
    /// <summary>Writes the table to standard output.</summary>
    /// <param name="terminal">Where to.</param>
    /// <param name="table">The table.</param>
    /// <param name="folder">Folder of its files; null for none.</param>
    public static void Write(Terminal terminal, ResultTable table, string? folder)
    {
        if (terminal.Json)
        {
            terminal.WriteJson(json => Write(json, table, folder));
            return;
        }
        foreach (string line in table.ToMarkdown().TrimEnd('\n').Split('\n'))
            terminal.Out.WriteLine(Format.Printable(line));
        if (folder is not null)
            terminal.Out.WriteLine($"\ntable: {Path.Combine(folder, "table.html")}");
    }

    private static void Write(Utf8JsonWriter json, ResultTable table, string? folder)
    {
        json.WriteStartObject();
        if (folder is not null)
            json.WriteString("table", folder);
        json.WriteStartArray("runs");
        foreach (ResultRow row in table.Rows)
        {
            json.WriteStartObject();
            foreach ((string key, string value) in table.Keys.Zip(row.Keys))
                json.WriteString(key, value);
            json.WriteNumber("seed", row.Seed);
            (string Name, double? Value)[] numbers = [("war", row.War), ("uar", row.Uar), ("seconds", row.Seconds),
                ("trainedParameters", row.TrainedParameters), ("paperWar", row.PaperWar), ("paperUar", row.PaperUar),
                .. table.Extras.Select((name, index) => (JsonNamingPolicy.CamelCase.ConvertName(string.Concat(
                    name.Split('_').Select(word => char.ToUpperInvariant(word[0]) + word[1..]))),
                    row.Extras.ElementAtOrDefault(index)))];
            foreach ((string name, double? value) in numbers)
                EvaluationOutput.WriteNumber(json, name, value);
            json.WriteEndObject();
        }
        json.WriteEndArray();
        json.WriteEndObject();
    }
}
