// Fine-tunes the model that ships on a folder of images, train/CLASS/*.jpg and test/CLASS/*.jpg with its classes:
// dotnet run --project samples/Training -- faces/ runs/mine
using Cliper.Kernels.Cpu;
using Cliper.Model;
using Cliper.Model.Runs;
using Cliper.Model.Settings;
using Cliper.Model.Stages;

if (args is not [string data, string run])
{
    Console.Error.WriteLine("usage: Training DATA RUN");
    return 2;
}
using var device = new CpuDevice();
using var stop = new CancellationTokenSource();
Console.CancelKeyPress += (_, pressed) =>
{
    pressed.Cancel = true;
    stop.Cancel();
};
TrainSettings settings = Recipes.Get("photographs") with
{
    Data = data,
    DataSet = "folder",
    Init = ShippedModels.Default.Name,
};
settings = settings with
{
    Pretrain = settings.Pretrain with { Epochs = 0 },
    Stage1 = settings.Stage1 with { Epochs = 0 },
    Stage2 = settings.Stage2 with { Epochs = 3 },
};
var progress = new Progress<TrainEvent>(happened =>
{
    if (happened is MessageEvent message)
        Console.Error.WriteLine(message.Text);
});
try
{
    TrainResult result = TrainingRun.Run(device, settings, run, resume: false, overwrite: false, progress, stop.Token);
    Console.WriteLine($"WAR {result.Result.Confusion.War:P1}: {run}");
}
catch (OperationCanceledException)
{
    Console.Error.WriteLine("stopped; the run goes on with TrainingRun.Run(..., resume: true)");
    return 130;
}
using ExpressionRecognizer recognizer = ExpressionRecognizer.Load(run);
Console.WriteLine(string.Join(", ", recognizer.Model.Classes));
return 0;
