using Cliper.Kernels.Cpu;
using Cliper.Kernels.Memory;
using Cliper.Model.Checkpoints;
using Cliper.Model.Faces;
using Cliper.Model.Prompts;
using Cliper.Model.Runs;
using Cliper.Model.Settings;
using Cliper.Model.Stages;

namespace Cliper.Model.Tests.Training;

/// <summary>The place of the training images' faces, from the training to the checkpoint and back.</summary>
public sealed class TrainedTemplateTests : TemporaryFolder
{
    // The painted faces look enough like faces for the detector to find most of them.
    [Test]
    public void Run_PicturesOfFaces_StoresTheirTemplateAndSaysWhatWasFound()
    {
        var messages = new List<string>();
        using var device = new CpuDevice(2);

        Go(device, "faces", resume: false, messages);
        FaceTemplate trained = TemplateOf(device, "faces")!;

        Assert.That(messages, Has.Some.Match("a face is found in [0-9]+ of 40 training pictures, eyes at"));
        Assert.That(trained.Points[0].X, Is.EqualTo(0.36).Within(0.05));
        Assert.That(trained.Points[1].X, Is.EqualTo(0.63).Within(0.05));

        messages.Clear();
        Go(device, "faces", resume: true, messages);
        FaceTemplate resumed = TemplateOf(device, "faces")!;
        Assert.That(resumed.Points, Is.EqualTo(trained.Points));
        Assert.That(messages, Has.None.Contain("a face is found"), "it was measured by the run before");
    }

    [Test]
    public void Load_DamagedTemplate_IsNamed()
    {
        using var device = new CpuDevice(2);
        Go(device, "faces", resume: false, []);
        (CliperModel model, CheckpointInfo info) = Checkpoint.Load(Checkpoint.Find(In("faces")), device);
        using (model)
            Checkpoint.Save(In("damaged"), model, info with
            {
                FaceTemplate = info.FaceTemplate! with { Points = [.. info.FaceTemplate.Points.Take(3)] },
            });

        Assert.That(() => Checkpoint.Load(In("damaged"), device), Throws.TypeOf<InputException>().With.Message.Contains(
            "expected a template of 4 points"));
    }

    private FaceTemplate? TemplateOf(Device device, string run)
    {
        (CliperModel model, CheckpointInfo info) = Checkpoint.Load(Checkpoint.Find(In(run)), device);
        model.Dispose();
        return info.FaceTemplate;
    }

    private void Go(Device device, string run, bool resume, List<string> messages)
    {
        var stage = new StageSettings { Epochs = 1, BatchSize = 20, LearningRate = 1e-3f };
        var settings = new TrainSettings
        {
            DataSet = RunData.Drawn,
            DrawnPictures = 40,
            Subclasses = 1,
            Tokens = 1,
            Shape = new ClipShape
            {
                ImageSize = 48,
                PatchSize = 16,
                VisionWidth = 64,
                VisionLayers = 1,
                TextWidth = 64,
                TextLayers = 1,
                EmbedSize = 16,
            },
            Pretrain = stage,
            Stage1 = stage,
            Stage2 = stage,
        };
        TrainingRun.Run(device, settings, In(run), resume, false, new Progress(messages)).Model.Dispose();
    }

    private sealed class Progress(List<string> messages) : IProgress<TrainEvent>
    {
        public void Report(TrainEvent value)
        {
            if (value is MessageEvent message)
                messages.Add(message.Text);
        }
    }
}
