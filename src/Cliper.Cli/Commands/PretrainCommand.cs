using Cliper.Kernels.Memory;
using Cliper.Model.Runs;

namespace Cliper.Cli.Commands;

/// <summary>Trains a CLIP from random weights.</summary>
internal sealed class PretrainCommand : RunCommand
{
    public PretrainCommand(Terminal terminal, CommonOptions common, CancellationToken cancellation)
        : base("pretrain",
            "Makes a CLIP from nothing by contrastive learning on pictures and captions: a folder with captions.csv, "
            + "or labeled pictures with caption templates.",
            stages: false, terminal, common, cancellation)
    {
    }

    protected override void Run(Device device, Request request)
    {
        string weights = TrainingProgress.Show(Terminal, progress =>
            TrainingRun.Pretrain(device, request.Settings, request.Folder, request.Resume, request.Overwrite, progress,
            Cancellation));
        if (Terminal.Json)
            Terminal.WriteJson(json =>
            {
                json.WriteStartObject();
                json.WriteString("run", request.Folder);
                json.WriteString("weights", weights);
                json.WriteEndObject();
            });
        else
            Terminal.Out.WriteLine($"weights: {weights}");
        NextStep.Say(Terminal, "train", "--weights", weights, "--recipe", "NAME", "--data", "PATH", "--out", "RUN");
    }
}
