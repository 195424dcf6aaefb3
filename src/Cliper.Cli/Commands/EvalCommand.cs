using System.CommandLine;
using Cliper.Kernels.Devices;
using Cliper.Model;
using Cliper.Model.Inference;
using Cliper.Model.Training;

namespace Cliper.Cli.Commands;

/// <summary>How well a trained model does on labelled data.</summary>
internal sealed class EvalCommand : CliCommand
{
    private readonly Option<string?> _run = new("--run")
    {
        Description = "A run's folder: its model.",
        HelpName = "FOLDER",
    };

    private readonly Option<string?> _checkpoint = new("--checkpoint")
    {
        Description = "A file of a run's checkpoints/.",
        HelpName = "FILE",
    };

    private readonly Option<string> _data = new("--data")
    {
        Description = "Folder or file of labelled pictures or clips; classes are matched by name.",
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
        Description = "Split to evaluate: train, validation or test; without it test, else validation, else all there is.",
        HelpName = "NAME",
    };

    private readonly StrictOption _strict = new();

    public EvalCommand(Terminal terminal, CommonOptions common, CancellationToken cancellation)
        : base("eval", "WAR, UAR and the confusion matrix of a trained model on labelled data.", terminal, common, cancellation)
    {
        foreach (Option option in new Option[] { _run, _checkpoint, _data, _dataSet, _split, _strict })
            Add(option);
    }

    protected override int Run(ParseResult parsed)
    {
        string checkpoint = (parsed.GetValue(_run), parsed.GetValue(_checkpoint)) switch
        {
            ({ } run, null) => Folder(run),
            (null, { } file) => file,
            _ => throw new SettingsException("give either --run or --checkpoint"),
        };
        using HostDevice device = Common.OpenDevice(parsed);
        using Predictor predictor = Predictor.Load(Checkpoint.Find(checkpoint), device);
        (Evaluation evaluation, IReadOnlyDictionary<string, string> skipped) = predictor.Evaluate(parsed.GetValue(_data)!,
            parsed.GetValue(_dataSet)!, parsed.GetValue(_split), parsed.GetValue(_strict), Cancellation);
        SkippedPictures.Say(Terminal, skipped);
        if (Terminal.Json)
            Terminal.WriteJson(json =>
            {
                json.WriteStartObject();
                EvaluationOutput.Write(json, evaluation);
                json.WriteNumber("skipped", skipped.Count);
                json.WriteEndObject();
            });
        else
            EvaluationOutput.Write(Terminal, evaluation);
        return ExitCode.Done;
    }

    private static string Folder(string run) => Directory.Exists(run)
        ? run
        : throw new InputException($"{run}: no such folder; --run takes the folder that 'train --out' wrote");
}
