using System.CommandLine;
using Cliper.Kernels.Collectives;
using Cliper.Kernels.Memory;
using Cliper.Model;
using Cliper.Model.Inference;
using Cliper.Model.IO;
using Cliper.Model.Samples;

namespace Cliper.Cli.Commands;

/// <summary>Evaluates a trained model on labeled data.</summary>
internal sealed class EvalCommand : CliCommand
{
    private readonly ModelOptions _model = new();

    private readonly LabeledDataOptions _labeled = new(isRequired: true);

    private readonly Option<bool> _prompts = new("--all-prompts")
    {
        Description = "With --weights: also scores every pair of caption templates and class words.",
    };

    private readonly Option<string?> _csv = new("--csv")
    {
        Description = "Writes every sample's label, answer and probabilities as a CSV file, such as predictions.csv.",
        HelpName = "FILE",
    };

    private readonly StrictOption _strict = new();

    private readonly RankOptions _ranks = new();

    public EvalCommand(Terminal terminal, CommonOptions common, CancellationToken cancellation)
        : base("eval", "WAR, UAR and the confusion matrix of a trained model on labeled data.", terminal, common,
            cancellation)
    {
        foreach (Option option in (Option[])[.. _model.Options, .. _labeled.Options, _prompts, _csv, _strict,
            .. _ranks.All])
            Add(option);
    }

    protected override int Run(ParseResult parsed) => _ranks.Run(parsed, Terminal, ranks => Evaluate(parsed, ranks));

    private int Evaluate(ParseResult parsed, RankGroup ranks)
    {
        ModelRequest model = _model.Read(parsed)
            ?? throw new SettingsException("give a trained model with --model, or CLIP weights with --weights");
        if (parsed.GetValue(_csv) is { } table)
            CheckKept(table, parsed);
        if (parsed.GetValue(_prompts) && !model.IsWeights)
            throw new SettingsException("--all-prompts scores captions by CLIP weights: give --weights");
        using Device device = Common.OpenDevice(parsed, RankOptions.ThreadsOf(ranks));
        RankOptions.CheckSame(ranks, device, string.Join(' ', parsed.Tokens.Select(token => token.Value)));
        device.Ranks = ranks;
        LabeledData? data = model.IsWeights ? Open(null) : null;
        using Predictor predictor = _model.Open(model, parsed, device, () => data!.Split.Classes);
        if (predictor.Unfinished is { } unfinished)
            Terminal.Say($"{model.Name}: {unfinished}");
        data ??= Open(model.Run);
        DataSplit split = data.Split;
        var lines = new WorkLines(Terminal);
        (Evaluation evaluation, IReadOnlyDictionary<string, string> skipped) = predictor.Evaluate(split,
            parsed.GetValue(_strict), fraction => lines.Tell($"evaluating {split.Name}", fraction), Cancellation);
        if (parsed.GetValue(_csv) is { } csv && ranks.IsFirst)
            PredictionsFile.Write(csv, evaluation, split);
        SkippedPictures.Say(Terminal, skipped);
        IReadOnlyList<PromptSetResult> prompts = parsed.GetValue(_prompts)
            ? predictor.EvaluatePrompts(split, data.Format, parsed.GetValue(_strict), null, Cancellation) : [];
        string[] warnings = [.. predictor.Warnings.Select(WeightsFactsOptions.Explain)];
        foreach (string warning in warnings)
            Terminal.Say(warning);
        if (Terminal.Json)
            Terminal.WriteJson(json =>
            {
                json.WriteStartObject();
                json.WriteString("model", model.Name);
                EvaluationOutput.Write(json, evaluation);
                EvaluationOutput.WriteNumber(json, "calibrationError", evaluation.CalibrationError);
                json.WriteNumber("skipped", skipped.Count);
                SkippedPictures.Write(json, skipped);
                EvaluationOutput.Write(json, prompts);
                if (model.IsWeights)
                    WeightsFactsOptions.Write(json, warnings);
                json.WriteEndObject();
            });
        else
        {
            EvaluationOutput.Write(Terminal, evaluation);
            EvaluationOutput.Write(Terminal, prompts);
            if (evaluation.CalibrationError is { } error)
                Terminal.Out.WriteLine(Format.Invariant($"{model.Name}: expected calibration error {error:F3}"));
        }
        return ExitCode.Done;

        LabeledData Open(string? run) => _labeled.Open(parsed, run, Terminal.Say, Cancellation);
    }

    /// <summary>Refuses a table that would be written over what is read, or where nothing can be written.</summary>
    private void CheckKept(string table, ParseResult parsed)
    {
        var roles = new FileRoles();
        string data = _labeled.PathOf(parsed)!;
        roles.Read(data, LabeledDataOptions.DataName);
        // Folders of data are deep: a file that stands anywhere below them is taken for one of their samples.
        if (File.Exists(table) && Path.GetFullPath(table).StartsWith(
            Path.TrimEndingDirectorySeparator(Path.GetFullPath(data)) + Path.DirectorySeparatorChar,
            StringComparison.Ordinal))
            roles.Read(table, LabeledDataOptions.DataName);
        foreach (Option<string?> option in _model.Files)
            roles.Read(parsed.GetValue(option), option.Name);
        roles.Write(table, _csv.Name);
        AtomicFile.Check(table);
    }
}
