using System.CommandLine;
using System.Text.Json;
using Cliper.Model.DataSets;
using Spectre.Console;

namespace Cliper.Cli.Commands;

/// <summary>Checks that a data set is complete and sound.</summary>
internal sealed class DataVerifyCommand : CliCommand
{
    private const int MostListed = 10;

    private readonly DataSetArguments _arguments = new();

    private readonly Option<bool> _quick = new("--quick")
    {
        Description = "Lists and files alone: pictures are not decoded, copies not sought.",
    };

    public DataVerifyCommand(Terminal terminal, CommonOptions common, CancellationToken cancellation)
        : base("verify",
            "Counts by class and split against the published ones, missing and unreadable pictures, copies within and "
            + "across splits, frames a clip. Ends with exit code 3 and the remedy when something is off.",
            terminal, common, cancellation)
    {
        _arguments.AddTo(this);
        Add(_quick);
    }

    protected override int Run(ParseResult parsed)
    {
        (string name, string path, DataSetOptions options) = _arguments.Resolve(parsed);
        DataSetReport report = DataSetVerifier.Run(path, name, options, !parsed.GetValue(_quick),
            Common.ThreadsOf(parsed),
            new Teller(Terminal), Cancellation);
        if (Terminal.Json)
            Terminal.WriteJson(json => Write(json, report));
        else
            Write(report);
        foreach (string warning in report.Warnings)
            Terminal.Say($"warning: {warning}");
        foreach (DataProblem problem in report.Problems)
            Terminal.Say($"cliper-gpu: {problem.What}; {problem.Remedy}");
        return report.Problems.Count == 0 ? ExitCode.Done : ExitCode.Input;
    }

    private void Write(DataSetReport report)
    {
        foreach (string note in report.Notes)
            Terminal.Out.WriteLine(note);
        Table table = new Table().Border(TableBorder.Simple).AddColumn("class");
        foreach (SplitCount split in report.Splits)
            table.AddColumn(new TableColumn(Markup.Escape(Format.Printable(split.Name))).RightAligned());
        foreach (string name in report.Splits.SelectMany(split => split.Classes).Select(entry => entry.Name).Distinct())
            table.AddRow([Markup.Escape(Format.Printable(name)), .. report.Splits.Select(split =>
                split.Classes.FirstOrDefault(entry => entry.Name == name) is { } entry ? Of(entry.Found, entry.Expected)
                : "-")]);
        table.AddRow(["all", .. report.Splits.Select(split => Of(split.Found, split.Expected))]);
        if (report.Splits.Any(split => split.Frames is not null))
        {
            table.AddRow(["frames a clip: least, median, most", .. report.Splits.Select(split =>
                split.Frames is { } frames ? $"{frames.Least}, {frames.Median}, {frames.Most}" : "-")]);
            table.AddRow(["clips under 16 frames", .. report.Splits.Select(split => $"{split.ShortClips}")]);
        }
        Terminal.Human.Write(table);
        List("missing", report.Missing);
        List("unreadable", report.Unreadable);
        List("copies", [.. report.Copies.Select(copy => $"{copy.Split}: {string.Join(", ", copy.Names)}")]);
        foreach (DuplicateReport across in report.Across)
            List($"{across.Train.Name} and {across.Other.Name}", [.. across.Pairs.Select(pair => Format.Invariant(
                $"{(pair.Kind == DuplicateKind.Exact ? "exact" : $"near {pair.Similarity:F2}")}",
                $"{(pair.Mirrored ? ", mirrored" : "")}: {across.Train.Samples[pair.Train].Name}",
                $" = {across.Other.Samples[pair.Other].Name}"))]);
        List("left out", [.. report.LeftOut.Select(entry => $"{entry.File}: {entry.Reason}")]);
        if (report.Problems.Count == 0)
            Terminal.Out.WriteLine(report.Warnings.Count == 0 ? "nothing is off" : "nothing is off but the warnings");

        static string Of(int found, int? expected) => expected is { } wanted && wanted != found ? $"{found} of {wanted}"
            : $"{found}";
    }

    private void List(string title, IReadOnlyList<string> lines)
    {
        foreach (string line in lines.Take(MostListed))
            Terminal.Out.WriteLine($"{title}: {Format.Printable(line)}");
        if (lines.Count > MostListed)
            Terminal.Out.WriteLine($"{title}: {lines.Count - MostListed} more (--json lists all)");
    }

    private static void Write(Utf8JsonWriter json, DataSetReport report)
    {
        json.WriteStartObject();
        json.WriteString("dataset", report.Format);
        json.WriteBoolean("ok", report.Problems.Count == 0);
        Strings("notes", report.Notes);
        json.WriteStartArray("splits");
        foreach (SplitCount split in report.Splits)
        {
            json.WriteStartObject();
            json.WriteString("name", split.Name);
            Counted(split.Found, split.Expected);
            json.WriteStartArray("classes");
            foreach (ClassCount entry in split.Classes)
            {
                json.WriteStartObject();
                json.WriteString("name", entry.Name);
                Counted(entry.Found, entry.Expected);
                json.WriteEndObject();
            }
            json.WriteEndArray();
            if (split.Frames is { } frames)
            {
                json.WriteStartObject("framesAClip");
                json.WriteNumber("least", frames.Least);
                json.WriteNumber("median", frames.Median);
                json.WriteNumber("most", frames.Most);
                json.WriteNumber("under16", split.ShortClips);
                json.WriteEndObject();
            }
            json.WriteEndObject();
        }
        json.WriteEndArray();
        Strings("missing", report.Missing);
        Strings("unreadable", report.Unreadable);
        json.WriteStartArray("copies");
        foreach ((string split, IReadOnlyList<string> names) in report.Copies)
        {
            json.WriteStartObject();
            json.WriteString("split", split);
            Strings("samples", names);
            json.WriteEndObject();
        }
        json.WriteEndArray();
        json.WriteStartArray("across");
        foreach (DuplicateReport across in report.Across)
            foreach (DuplicatePair pair in across.Pairs)
            {
                json.WriteStartObject();
                json.WriteString("kind", pair.Kind == DuplicateKind.Exact ? "exact" : "near");
                json.WriteNumber("similarity", pair.Similarity);
                json.WriteBoolean("mirrored", pair.Mirrored);
                json.WriteString(across.Train.Name, across.Train.Samples[pair.Train].Name);
                json.WriteString(across.Other.Name, across.Other.Samples[pair.Other].Name);
                json.WriteBoolean("sameClass", across.Train.Samples[pair.Train].Label
                    == across.Other.Samples[pair.Other].Label);
                json.WriteEndObject();
            }
        json.WriteEndArray();
        Strings("warnings", report.Warnings);
        json.WriteStartArray("leftOut");
        foreach ((string file, string reason) in report.LeftOut)
        {
            json.WriteStartObject();
            json.WriteString("file", file);
            json.WriteString("reason", reason);
            json.WriteEndObject();
        }
        json.WriteEndArray();
        json.WriteStartArray("problems");
        foreach (DataProblem problem in report.Problems)
        {
            json.WriteStartObject();
            json.WriteString("what", problem.What);
            json.WriteString("remedy", problem.Remedy);
            json.WriteEndObject();
        }
        json.WriteEndArray();
        json.WriteEndObject();

        void Strings(string name, IReadOnlyList<string> values)
        {
            json.WriteStartArray(name);
            foreach (string value in values)
                json.WriteStringValue(value);
            json.WriteEndArray();
        }

        void Counted(int found, int? expected)
        {
            json.WriteNumber("found", found);
            if (expected is { } wanted)
                json.WriteNumber("expected", wanted);
        }
    }

    private sealed class Teller(Terminal terminal) : IProgress<string>
    {
        public void Report(string value) => terminal.Say(value);
    }
}
