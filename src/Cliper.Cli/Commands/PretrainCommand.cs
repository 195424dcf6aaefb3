using System.CommandLine;
using Cliper.Kernels.Devices;
using Cliper.Model.Training;

namespace Cliper.Cli.Commands;

/// <summary>Makes a CLIP from nothing.</summary>
internal sealed class PretrainCommand : CliCommand
{
    private readonly SettingsOptions _settings = new(stages: false);
    private readonly RunOptions _run = new();

    public PretrainCommand(Terminal terminal, CommonOptions common, CancellationToken cancellation)
        : base("pretrain", "Makes a CLIP from nothing by contrastive learning on pictures and captions: a folder with captions.csv, or labelled pictures with caption templates.",
            terminal, common, cancellation)
    {
        foreach (Option option in _run.All.Concat(_settings.All))
            Add(option);
    }

    protected override int Run(ParseResult parsed)
    {
        (TrainSettings settings, string folder, bool resume, bool overwrite) = _run.Resolve(parsed, _settings);
        using Device device = Common.OpenDevice(parsed);
        string weights = TrainingProgress.Show(Terminal, progress =>
            TrainingRun.Pretrain(device, settings, folder, resume, overwrite, progress, Cancellation));
        if (Terminal.Json)
            Terminal.WriteJson(json =>
            {
                json.WriteStartObject();
                json.WriteString("run", folder);
                json.WriteString("weights", weights);
                json.WriteEndObject();
            });
        else
            Terminal.Out.WriteLine($"weights: {weights}");
        return ExitCode.Done;
    }
}
