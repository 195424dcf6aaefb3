using Cliper.Kernels.Memory;
using Cliper.Model.Prompts;
using Cliper.Model.Reporting;
using Cliper.Model.Runs;
using Cliper.Model.Settings;
using Cliper.Model.Stages;

namespace Cliper.Cli.Commands;

/// <summary>Trains CLIPER on images or clips.</summary>
internal sealed class TrainCommand : RunCommand
{
    public TrainCommand(Terminal terminal, CommonOptions common, CancellationToken cancellation)
        : base("train",
            "Learns expressions from pictures or clips: pre-training where there are no weights, stage 1 "
            + "(descriptors), stage 2 (image tower).",
            stages: true, terminal, common, cancellation)
    {
    }

    protected override void Run(Device device, Request request)
    {
        if (request.Settings.Fold == TrainSettings.AllFolds)
        {
            FoldsResult folds = TrainingProgress.Show(Terminal, progress =>
                CrossValidation.Run(device, request.Settings, request.Folder, request.Resume, request.Overwrite,
                progress, Cancellation));
            TrainOutput.Write(Terminal, request.Folder, folds);
            NextStep.Say(Terminal, "predict", "--model", folds.Folds[0].Folder, "PICTURE");
            return;
        }
        TrainResult result = TrainingProgress.Show(Terminal, progress =>
            TrainingRun.Run(device, request.Settings, request.Folder, request.Resume, request.Overwrite, progress,
            Cancellation));
        using CliperModel model = result.Model;
        TrainOutput.Write(Terminal, request.Folder, result,
            PaperResults.DataSetOf(result.DataFormat, request.Settings.Choices),
            ProtocolRemarks.Of(request.Settings, result.DataFormat, model.Clip.Config));
        NextStep.Say(Terminal, "predict", "--model", request.Folder, "PICTURE");
    }
}
