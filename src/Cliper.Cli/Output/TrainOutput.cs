using System.Text.Json;
using Cliper.Model.Inference;
using Cliper.Model.Interpretation;
using Cliper.Model.Prompts;
using Cliper.Model.Reporting;
using Cliper.Model.Runs;
using Cliper.Model.Settings;
using Cliper.Model.Stages;
using Spectre.Console;

namespace Cliper.Cli;

/// <summary>The result of a training run as text and as JSON.</summary>
internal static class TrainOutput
{
    private const int WordsShown = 2;
    private const string Cliper = "cliper";

    /// <summary>Writes the result to standard output.</summary>
    public static void Write(Terminal terminal, string folder, TrainResult result, PaperDataSet? paper,
        IReadOnlyList<SettingRemark> remarks)
    {
        if (terminal.Json)
            terminal.WriteJson(json => Write(json, folder, result, paper, remarks));
        else
            WriteText(terminal, folder, result, paper, remarks);
    }

    private static void Write(Utf8JsonWriter json, string folder, TrainResult result, PaperDataSet? paper,
        IReadOnlyList<SettingRemark> remarks)
    {
        json.WriteStartObject();
        json.WriteString("run", folder);
        json.WriteString("method", result.Method);
        EvaluationOutput.Write(json, result.Result);
        WritePaper(json, paper, remarks, result.Method);
        json.WriteNumber("bestEpoch", result.BestEpoch);
        foreach ((string name, Evaluation? evaluation) in new[] { ("zeroShot", result.ZeroShot),
            ("afterStage1", result.AfterStage1) })
        {
            if (evaluation is null)
                continue;
            json.WriteStartObject(name);
            EvaluationOutput.Write(json, evaluation);
            json.WriteEndObject();
        }
        json.WriteEndObject();
    }

    /// <summary>Writes the result of several folds to standard output.</summary>
    public static void Write(Terminal terminal, string folder, FoldsResult result)
    {
        if (terminal.Json)
            terminal.WriteJson(json => Write(json, folder, result));
        else
            WriteText(terminal, folder, result);
    }

    private static void Write(Utf8JsonWriter json, string folder, FoldsResult result)
    {
        json.WriteStartObject();
        json.WriteString("run", folder);
        foreach ((string name, double? value) in new[]
            { ("war", result.War.Mean), ("warDeviation", result.War.Deviation), ("uar", result.Uar.Mean),
                ("uarDeviation", result.Uar.Deviation) })
            EvaluationOutput.WriteNumber(json, name, value);
        json.WriteNumber("samples", result.Confusion.Samples);
        WritePaper(json, result.Paper, RemarksOf(result));
        json.WriteStartArray("folds");
        foreach (FoldResult fold in result.Folds)
        {
            json.WriteStartObject();
            json.WriteNumber("fold", fold.Fold);
            json.WriteString("run", fold.Folder);
            EvaluationOutput.Write(json, fold.Result.Matrix, fold.Result.Split);
            json.WriteEndObject();
        }
        json.WriteEndArray();
        json.WriteEndObject();
    }

    private static void WriteText(Terminal terminal, string folder, FoldsResult result)
    {
        EvaluationOutput.Write(terminal, result.Confusion, $"all folds' {result.Folds[0].Result.Split}");
        Table table = new Table().Border(TableBorder.Simple).AddColumn("fold");
        foreach (string title in new[] { "WAR", "UAR" })
            table.AddColumn(new TableColumn(title).RightAligned());
        foreach (FoldResult fold in result.Folds)
            table.AddRow($"{fold.Fold}", Format.Percent(fold.Result.War), Format.Percent(fold.Result.Uar));
        table.AddRow("mean", Format.Percent(result.War.Mean), Format.Percent(result.Uar.Mean));
        table.AddRow("standard deviation", Format.Percent(result.War.Deviation), Format.Percent(result.Uar.Deviation));
        AddPaper(table, result.Paper);
        terminal.Human.Write(table);
        WriteRemarks(terminal, result.Paper, RemarksOf(result));
        terminal.Out.WriteLine($"run: {folder}, report: {Path.Combine(folder, "report.html")}");
    }

    /// <summary>Results of the paper on the same data set, as fractions like those of the run.</summary>
    private static void WritePaper(Utf8JsonWriter json, PaperDataSet? dataSet, IReadOnlyList<SettingRemark> remarks,
        string method = Cliper)
    {
        if (dataSet is not { } known || PaperResults.Of(known, method) is not { } paper)
            return;
        json.WriteStartObject("paper");
        json.WriteString("dataSet", PaperResults.Name(known));
        EvaluationOutput.WriteNumber(json, "war", paper.War / 100);
        EvaluationOutput.WriteNumber(json, "uar", paper.Uar / 100);
        json.WriteStartArray("remarks");
        foreach (SettingRemark remark in remarks)
        {
            json.WriteStartObject();
            json.WriteString("setting", remark.Setting);
            json.WriteString("text", remark.Text);
            json.WriteBoolean("unknown", remark.IsUnknown);
            json.WriteEndObject();
        }
        json.WriteEndArray();
        json.WriteEndObject();
    }

    private static IReadOnlyList<SettingRemark> RemarksOf(FoldsResult result) => result.Folds[0].Result.Remarks ?? [];

    /// <summary>Lines beside the paper's figure.</summary>
    private static void WriteRemarks(Terminal terminal, PaperDataSet? dataSet, IReadOnlyList<SettingRemark> remarks)
    {
        if (dataSet is null || remarks.Count == 0)
            return;
        terminal.Out.WriteLine("beside the paper's figure:");
        foreach (SettingRemark remark in remarks.OrderByDescending(remark => remark.IsUnknown))
            terminal.Out.WriteLine($"- {remark}");
    }

    private static void AddPaper(Table table, PaperDataSet? dataSet, string method = Cliper)
    {
        if (dataSet is not { } known || PaperResults.Of(known, method) is not { } paper)
            return;
        table.AddRow(Markup.Escape($"the paper on {PaperResults.Name(known)}, full-size CLIP"),
            Format.Percent(paper.War / 100), Format.Percent(paper.Uar / 100));
    }

    private static void WriteText(Terminal terminal, string folder, TrainResult result, PaperDataSet? paper,
        IReadOnlyList<SettingRemark> remarks)
    {
        EvaluationOutput.Write(terminal, result.Result);
        Table table = new Table().Border(TableBorder.Simple).AddColumn(Markup.Escape($"on {result.Result.Split}"));
        foreach (string title in new[] { "WAR", "UAR" })
            table.AddColumn(new TableColumn(title).RightAligned());
        foreach ((string name, Evaluation? evaluation) in new[]
            { ("zero-shot CLIP, captions of the class names", result.ZeroShot),
                ("stage 1: descriptors", result.AfterStage1),
                (result.Method == Cliper ? "CLIPER" : result.Method, result.Result) })
            if (evaluation is not null)
                table.AddRow(name, Format.Percent(evaluation.Confusion.War), Format.Percent(evaluation.Confusion.Uar));
        AddPaper(table, paper, result.Method);
        terminal.Human.Write(table);
        WriteRemarks(terminal, paper, remarks);
        WriteWords(terminal, result);
        terminal.Out.WriteLine($"run: {folder}, report: {Path.Combine(folder, "report.html")}");
    }

    /// <summary>The words nearest to the first descriptor of each class.</summary>
    private static void WriteWords(Terminal terminal, TrainResult result)
    {
        CliperModel model = result.Model;
        IReadOnlyList<IReadOnlyList<NearestWord>> words = RunReport.NearestWordsOf(model, result.Tokenizer, WordsShown);
        if (words.All(nearest => nearest.Count == 0))
            return;
        Table table = new Table().Border(TableBorder.Simple).AddColumns("class",
            "words nearest to the learned tokens of its first descriptor");
        int tokens = words.Count / (model.Classes.Count * model.Prompts.PromptsPerClass);
        for (int k = 0; k < model.Classes.Count; k++)
        {
            int first = k * words.Count / model.Classes.Count;
            table.AddRow(Markup.Escape(model.Classes[k]), Markup.Escape(string.Join("  ",
                words.Skip(first).Take(tokens).Select(nearest =>
                string.Join('/', nearest.Select(word => word.Word))))));
        }
        terminal.Human.Write(table);
    }
}
