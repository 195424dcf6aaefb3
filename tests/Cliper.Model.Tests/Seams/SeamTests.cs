using Cliper.Autograd;
using Cliper.Autograd.Optimizers;
using Cliper.Kernels.Cpu;
using Cliper.Kernels.Operations;
using Cliper.Model.Checkpoints;
using Cliper.Model.Clip;
using Cliper.Model.Inference;
using Cliper.Model.Loading;
using Cliper.Model.Metrics;
using Cliper.Model.Prompts;
using Cliper.Model.Samples;
using Cliper.Model.Settings;
using Cliper.Model.Stages;
using Cliper.Model.Tests.Data;
using Cliper.Model.Weights;

namespace Cliper.Model.Tests.Seams;

/// <summary>
/// A second prompt method, a second kind of image tower and a second optimizer train, evaluate and keep their state
/// through the interfaces alone.
/// </summary>
public sealed class SeamTests : TemporaryFolder
{
    private const int Samples = 12;

    private static readonly ClipConfig Config = new ClipShape
    {
        ImageSize = 16,
        PatchSize = 8,
        VisionWidth = 64,
        VisionLayers = 1,
        TextWidth = 64,
        TextLayers = 1,
        EmbedSize = 16,
    }.ToConfig(vocabularySize: 40);

    // Two classes that differ much: dark and bright images would be too easy for a tower that takes the mean away.
    private static readonly DataSplit Split = TestImages.Split(Samples, width: 16, height: 16);

    private readonly CpuDevice _device = new(1);

    private static StageLoss Objective => StageLoss.For(new TrainSettings(), Split);

    [OneTimeTearDown]
    public void EndDevice() => _device.Dispose();

    [Test]
    public void Stage2_TowerWithoutPatches_TrainsItAndLeavesItsBuffersToIt()
    {
        using var model = new CliperModel(MeanPoolingTower.Create(_device, Config), Captions(), Split.Classes,
            temperature: 1);
        float[] buffer = model.Clip.Parameters["visual.running_mean"].ToArray();
        using var stage = new ImageTowerStage(model, Objective);
        model.Clip.Vision.IsTraining = stage.TrainsImageTower;

        List<float> losses = Train(model, stage, epochs: 20, AdamW);
        model.Clip.Vision.IsTraining = false;
        float[] kept = model.Clip.Parameters["visual.running_mean"].ToArray();
        Evaluate(model);

        Assert.That(stage.Trained.Select(parameter => parameter.Name), Is.EqualTo(new[] { "visual.proj" }));
        Assert.That(losses[^1], Is.LessThan(losses[0]));
        Assert.That(kept, Is.Not.EqualTo(buffer), "training moves the running mean");
        Assert.That(model.Clip.Parameters["visual.running_mean"].ToArray(), Is.EqualTo(kept), "inference does not");
    }

    [Test]
    public void Stage1_LinearHead_LearnsTheClasses()
    {
        using var model = new CliperModel(Clip(), new LinearHead(_device, 2, Config.EmbedSize), Split.Classes);

        List<float> losses = Train(model, new PromptStage(model, Objective), epochs: 40, AdamW);

        Assert.That(losses[^1], Is.LessThan(losses[0]));
        Assert.That(Evaluate(model).War, Is.GreaterThan(0.5), "chance is one half");
    }

    [Test]
    public void Stage1_PromptsOfTheImage_LearnAndAreScoredPerImage()
    {
        using var model = new CliperModel(Clip(), new ConditionalPrompts(_device, 2, Config.EmbedSize), Split.Classes,
            0.1f);
        using (var tape = new Tape(_device, recording: false))
            Assert.That(model.ClassFeatures(tape), Is.Null);

        List<float> losses = Train(model, new PromptStage(model, Objective), epochs: 20, AdamW);

        Assert.That(losses[^1], Is.LessThan(losses[0]));
        Assert.That(Evaluate(model).Samples, Is.EqualTo(Samples));
    }

    [Test]
    public void Checkpoint_FixedPrompts_ComesBackAndPredictsAlike()
    {
        using var model = new CliperModel(Clip(), Captions(), Split.Classes, temperature: 0.05f);
        Checkpoint.Save(In("fixed.safetensors"), model, new CheckpointInfo(1, "test", ""));

        (CliperModel read, _) = Checkpoint.Load(In("fixed.safetensors"), _device);
        using (read)
        {
            Assert.That(read.Prompts, Is.TypeOf<FixedPrompts>());
            Assert.That(Answers(read), Is.EqualTo(Answers(model)));
        }
        using SafeTensors file = new(In("fixed.safetensors"));
        Assert.That(file.Metadata["method"], Is.EqualTo(FixedPrompts.MethodName));
    }

    [Test]
    public void Checkpoint_UnknownMethod_IsOneClearError()
    {
        using var model = new CliperModel(Clip(), new LinearHead(_device, 2, Config.EmbedSize), Split.Classes);
        Checkpoint.Save(In("head.safetensors"), model, new CheckpointInfo(1, "test", ""));

        Assert.That(() => Checkpoint.Load(In("head.safetensors"), _device), Throws.TypeOf<InputException>()
            .With.Message.Contains(
                "head.safetensors: metadata 'method': expected metd or fixed-prompts or coop or cocoop or "
                + "linear-probe or fine-tune, found 'linear-head'"));
    }

    [Test]
    public void Resume_SecondOptimizer_GoesOnToTheSameBits()
    {
        using var whole = new CliperModel(Clip(), new LinearHead(_device, 2, Config.EmbedSize), Split.Classes);
        Train(whole, new PromptStage(whole, Objective), epochs: 4, Descent);

        using var half = new CliperModel(Clip(), new LinearHead(_device, 2, Config.EmbedSize), Split.Classes);
        IOptimizer? stopped = null;
        Train(half, new PromptStage(half, Objective), epochs: 2, (settings, trained) =>
            stopped = Descent(settings, trained),
            () => Checkpoint.Save(In("half.safetensors"), half, new CheckpointInfo(1, "test", ""), TensorType.F32,
                new ResumeState(new TrainingState(TrainingStage.Stage1, 2, 0, -1, 0), stopped, Average: null)));
        using (var reader = new Checkpoint.CheckpointReader(In("half.safetensors")))
            Train(half, new PromptStage(half, Objective), epochs: 4, (settings, trained) =>
            {
                IOptimizer resumed = Descent(settings, trained);
                reader.Restore(resumed);
                return resumed;
            }, begin: 2);

        Assert.That(half.Prompts.Parameters[0].Tensor.ToArray(),
            Is.EqualTo(whole.Prompts.Parameters[0].Tensor.ToArray()));
    }

    [Test]
    public void Loop_LossThatIsNoNumber_StopsAtItsStep()
    {
        using var model = new CliperModel(Clip(), new LinearHead(_device, 2, Config.EmbedSize), Split.Classes);
        var stage = new PromptStage(model, Objective);
        var settings = new StageSettings { Epochs = 1, BatchSize = 4, LearningRate = 1e-2f };
        model.Train(stage.Trained);
        using var loop = new StageLoop(stage.Stage, settings, _device, AdamW(settings, stage.Trained));
        using BatchLoader loader = new TrainingData(Split, null, null, new TrainSettings())
            .TrainLoader(settings, model.Clip.Vision.Input, _device);
        int steps = 0;

        Assert.That(() => loop.Run(loader, (tape, batch, epoch) =>
        {
            StepLoss loss = stage.Loss(tape, batch, epoch);
            return ++steps < 2 ? loss : loss with { Total = tape.Scale(loss.Total, float.NaN) };
        }, new Silent(), _ => { }, default), Throws.InstanceOf<NotFiniteNumberException>().With.Message.Match(
            "at step 2 of [0-9]+ in epoch 1 the loss is NaN, at a learning rate of 1.0e-02 and a gradient norm of "
            + "NaN"));
        Assert.That(steps, Is.EqualTo(2));
        Assert.That(model.Prompts.Parameters[0].Tensor.ToArray(), Has.None.NaN, "no step was taken by it");
    }

    [Test]
    public void Activation_EveryMemberOfTheEnum_HasALineOfTheTable() =>
        Assert.That(Activations.All.Select(entry => entry.Activation).Prepend(Activation.None),
            Is.EqualTo(Enum.GetValues<Activation>()));

    private static IOptimizer AdamW(StageSettings settings, IReadOnlyList<(string Name, Tensor Tensor)> trained) =>
        StageLoop.OptimizerOf(settings, trained);

    private static MomentumDescent Descent(StageSettings settings, IReadOnlyList<(string Name, Tensor Tensor)> trained)
    {
        var optimizer = new MomentumDescent();
        optimizer.AddGroup(trained, settings.WeightDecay);
        return optimizer;
    }

    /// <summary>Runs a stage and returns the mean loss of each epoch.</summary>
    private List<float> Train(CliperModel model, ITrainingStage stage, int epochs,
        Func<StageSettings, IReadOnlyList<(string Name, Tensor Tensor)>, IOptimizer> optimizer, Action? ended = null,
            int begin = 0)
    {
        var settings = new StageSettings { Epochs = epochs, BatchSize = 4, LearningRate = 1e-2f };
        model.Train(stage.Trained);
        using var loop = new StageLoop(stage.Stage, settings, _device,
            optimizer(settings, stage.Trained))
        { Epoch = begin };
        using BatchLoader loader = new TrainingData(Split, null, null, new TrainSettings())
            .TrainLoader(settings, model.Clip.Vision.Input, _device);
        List<float> losses = [];
        loop.Run(loader, stage.Loss, new Silent(), epoch => losses.Add(epoch.Loss), default);
        ended?.Invoke();
        model.Train([]);
        return losses;
    }

    private static ConfusionMatrix Evaluate(CliperModel model) => Answered(model).Confusion;

    private static float[] Answers(CliperModel model) =>
        [.. Answered(model).Predictions.SelectMany(answer => answer!.Probabilities)];

    private static Evaluation Answered(CliperModel model)
    {
        using BatchLoader loader = SampleReader.Open(Split, model.Clip, frames: 1, strict: true);
        return Evaluator.Run(model, loader);
    }

    private ClipModel Clip()
    {
        using ClipWeights weights = ClipWeights.Random(Config, seed: 1);
        return new ClipModel(_device, weights);
    }

    // Start, one word, end, which has the largest id.
    private static FixedPrompts Captions() => new([[[38, 1, 39], [38, 2, 39]], [[38, 3, 39], [38, 4, 39]]]);

    private sealed class Silent : IProgress<TrainEvent>
    {
        public void Report(TrainEvent value)
        {
        }
    }
}
