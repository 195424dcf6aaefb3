using System.CommandLine;
using Cliper.Kernels.Devices;
using Cliper.Model;
using Cliper.Model.Training;

namespace Cliper.Cli.Commands;

/// <summary>Trains CLIPER on pictures or clips.</summary>
internal sealed class TrainCommand : CliCommand
{
    private readonly SettingsOptions _settings = new(stages: true);
    private readonly RunOptions _run = new();

    public TrainCommand(Terminal terminal, CommonOptions common, CancellationToken cancellation)
        : base("train", "Learns expressions from pictures or clips: pre-training where there are no weights, stage 1 (descriptors), stage 2 (image tower).",
            terminal, common, cancellation)
    {
        foreach (Option option in _run.All.Concat(_settings.All))
            Add(option);
    }

    protected override int Run(ParseResult parsed)
    {
        (TrainSettings settings, string folder, bool resume, bool overwrite) = _run.Resolve(parsed, _settings);
        using Device device = Common.OpenDevice(parsed);
        if (settings.Fold == TrainSettings.AllFolds)
        {
            FoldsResult folds = TrainingProgress.Show(Terminal, progress =>
                CrossValidation.Run(device, settings, folder, resume, overwrite, progress, Cancellation));
            TrainOutput.Write(Terminal, folder, folds);
            return ExitCode.Done;
        }
        TrainResult result = TrainingProgress.Show(Terminal, progress =>
            TrainingRun.Run(device, settings, folder, resume, overwrite, progress, Cancellation));
        using CliperModel model = result.Model;
        TrainOutput.Write(Terminal, folder, result);
        return ExitCode.Done;
    }
}
