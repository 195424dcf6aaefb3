using System.CommandLine;
using Cliper.Kernels.Memory;
using Cliper.Model;
using Cliper.Model.Prompts;
using Cliper.Model.Runs;
using Cliper.Model.Settings;
using Cliper.Model.Stages;

namespace Cliper.Cli.Commands;

/// <summary>
/// Trains and evaluates on synthetic faces in pencil style, from a CLIP that has learned from synthetic faces in color.
/// Nothing is downloaded.
/// </summary>
internal sealed class DemoCommand : CliCommand
{
    private const string DefaultFolder = "runs/demo";

    private readonly Option<string> _out = new("--out")
    {
        Description = "Folder of the run; what is there is written over.",
        HelpName = "RUN",
        DefaultValueFactory = _ => DefaultFolder,
    };

    public DemoCommand(Terminal terminal, CommonOptions common, CancellationToken cancellation)
        : base("demo",
            "Sketches faces, learns their expressions from the small CLIP that comes with the program, and shows the "
            + "result. About a minute.", terminal, common, cancellation) => Add(_out);

    protected override int Run(ParseResult parsed)
    {
        TrainSettings settings = Recipes.Get("demo") with { Weights = ShippedModels.Clip };
        string folder = parsed.GetValue(_out)!;
        using Device device = Common.OpenDevice(parsed);
        Terminal.Say($"{device.Name}: {settings.DrawnPictures} pencil sketches of faces to learn from, others to test "
            + "on; the CLIP has learned from paintings");
        DateTime began = DateTime.UtcNow;
        TrainResult result;
        try
        {
            result = TrainingProgress.Show(Terminal, progress =>
                TrainingRun.Run(device, settings, folder, resume: false, overwrite: true, progress, Cancellation));
        }
        catch (OperationCanceledException)
        {
            NextStep.SayResume(Terminal, "train", folder, began);
            throw;
        }
        using CliperModel model = result.Model;
        TrainOutput.Write(Terminal, folder, result, paper: null, remarks: []);
        NextStep.Say(Terminal, "predict", "--model", folder, "PICTURE");
        return ExitCode.Done;
    }
}
