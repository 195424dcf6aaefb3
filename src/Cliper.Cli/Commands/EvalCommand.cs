using System.CommandLine;
using Cliper.Kernels.Collectives;
using Cliper.Kernels.Memory;
using Cliper.Model;
using Cliper.Model.DataSets;
using Cliper.Model.Inference;
using Cliper.Model.IO;
using Cliper.Model.Samples;
using Cliper.Model.Settings;

namespace Cliper.Cli.Commands;

/// <summary>Evaluates a trained model on labeled data.</summary>
internal sealed class EvalCommand : CliCommand
{
    private readonly ModelOptions _model = new();

    private readonly Option<string> _data = new("--data")
    {
        Description = "Folder or file of labeled pictures or clips; classes are matched by name.",
        HelpName = "PATH",
        Required = true,
    };

    private readonly Option<string> _dataSet = new("--dataset")
    {
        Description = "Layout of the data.",
        HelpName = "NAME",
        DefaultValueFactory = _ => "auto",
    };

    private readonly Option<string?> _split = new("--split")
    {
        Description =
            "Split to evaluate: train, validation or test; without it test, else validation, else all there is.",
        HelpName = "NAME",
    };

    private readonly Option<int?> _fold = new("--fold")
    {
        Description =
            "Which fold of the data is the test split, from 1; without it the run's own where this is the run's data.",
        HelpName = "N",
    };

    private readonly Option<bool> _prompts = new("--all-prompts")
    {
        Description = "With --weights: also scores every pair of caption templates and class words.",
    };

    private readonly ChoiceOption _choices = new();

    private readonly Option<string?> _csv = new("--csv")
    {
        Description = "Writes every sample's label, answer and probabilities as a CSV file, such as predictions.csv.",
        HelpName = "FILE",
    };

    private readonly StrictOption _strict = new();

    private readonly RankOptions _ranks = new();
    private string _format = "";

    public EvalCommand(Terminal terminal, CommonOptions common, CancellationToken cancellation)
        : base("eval", "WAR, UAR and the confusion matrix of a trained model on labeled data.", terminal, common,
            cancellation)
    {
        foreach (Option option in (Option[])[.. _model.Options, _data, _dataSet, _split, _fold, _prompts, _choices,
            _csv,
            _strict, .. _ranks.All])
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
        RankOptions.CheckSame(ranks, device, $"{model.Text} {parsed.GetValue(_data)}");
        device.Ranks = ranks;
        DataSplit? split = model.IsWeights ? SplitOf(parsed, null) : null;
        using Predictor predictor = _model.Open(model, parsed, device, () => split!.Classes);
        if (predictor.Unfinished is { } unfinished)
            Terminal.Say($"{model.Name}: {unfinished}");
        split ??= SplitOf(parsed, model.Run);
        DataSplit evaluated = split;
        var lines = new WorkLines(Terminal);
        (Evaluation evaluation, IReadOnlyDictionary<string, string> skipped) = predictor.Evaluate(split,
            parsed.GetValue(_strict), fraction => lines.Tell($"evaluating {evaluated.Name}", fraction), Cancellation);
        if (parsed.GetValue(_csv) is { } csv && ranks.IsFirst)
            PredictionsFile.Write(csv, evaluation, split);
        SkippedPictures.Say(Terminal, skipped);
        IReadOnlyList<PromptSetResult> prompts = parsed.GetValue(_prompts)
            ? predictor.EvaluatePrompts(split, _format, parsed.GetValue(_strict), null, Cancellation) : [];
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
    }

    /// <summary>Refuses a table that would be written over what is read, or where nothing can be written.</summary>
    private void CheckKept(string table, ParseResult parsed)
    {
        var roles = new FileRoles();
        string data = parsed.GetValue(_data)!;
        roles.Read(data, _data.Name);
        // Folders of data are deep: a file that stands anywhere below them is taken for one of their samples.
        if (File.Exists(table) && Path.GetFullPath(table).StartsWith(
            Path.TrimEndingDirectorySeparator(Path.GetFullPath(data)) + Path.DirectorySeparatorChar,
            StringComparison.Ordinal))
            roles.Read(table, _data.Name);
        foreach (Option<string?> option in _model.Files)
            roles.Read(parsed.GetValue(option), option.Name);
        roles.Write(table, _csv.Name);
        AtomicFile.Check(table);
    }

    /// <summary>
    /// Resolves the data to evaluate on. For the data set that the run was trained on, the choices and the fold of the
    /// run hold, so that no training sample is tested.
    /// </summary>
    private DataSplit SplitOf(ParseResult parsed, string? run)
    {
        string data = parsed.GetValue(_data)!;
        TrainSettings? trained = run is null ? null : SettingsOf(run);
        bool own = trained is { Data.Length: > 0 } && Path.GetFullPath(trained.Data) == Path.GetFullPath(data);
        int? fold = parsed.GetValue(_fold) ?? (own ? trained!.Fold : null);
        DataSetSplits splits = DataSetRegistry.Open(data, parsed.GetValue(_dataSet)!,
            _choices.Over(parsed, trained?.Choices ?? new DataChoices()).Over(new DataSetOptions
            {
                Seed = trained?.Seed ?? 0,
                TestFraction = 0,
                Folds = fold is null ? 0 : (trained ?? new TrainSettings()).Folds,
                Fold = fold ?? 1,
                SplitVersion = own ? trained!.SplitVersion : DataSetOptions.PresentSplits,
                Cancellation = Cancellation,
            }));
        _format = splits.Format;
        foreach (string note in splits.Notes)
            Terminal.Say(note);
        if (own)
            Terminal.Say($"the data that the run was trained on: choices, seed and fold {fold} are the run's where "
                + "it has no splits of its own");
        return parsed.GetValue(_split) is { } name ? splits[name] : splits.Test ?? splits.Validation ?? splits.Train;
    }

    /// <summary>The settings of a run; null where they cannot be read, as those of another version.</summary>
    private TrainSettings? SettingsOf(string run)
    {
        string config = Path.Combine(run, "config.json");
        try
        {
            return File.Exists(config) ? TrainSettings.OfRun(config) : null;
        }
        catch (SettingsException failure)
        {
            Terminal.Say($"warning: the run's settings are of another version ({failure.Message}): choices and fold "
                + "are the usual ones");
            return null;
        }
    }
}
