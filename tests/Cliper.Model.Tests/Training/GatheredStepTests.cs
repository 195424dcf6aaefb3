using Cliper.Autograd;
using Cliper.Kernels.Cpu;
using Cliper.Model.Clip;
using Cliper.Model.Loading;
using Cliper.Model.Prompts;
using Cliper.Model.Samples;
using Cliper.Model.Settings;
using Cliper.Model.Stages;
using Cliper.Model.Tests.Data;
using Cliper.Model.Tests.Runs;
using Cliper.Model.Weights;

namespace Cliper.Model.Tests.Training;

/// <summary>Micro-batches change the memory of a step and not the step.</summary>
public sealed class GatheredStepTests : TemporaryFolder
{
    private const int Samples = 12, Classes = 2, Subclasses = 3;
    private const double U32 = 1.0 / (1 << 24);

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

    private static readonly DataSplit Split = TestImages.Split(Samples, width: 16, height: 16);

    // A gradient is a sum over samples and tokens, 12 x 5 terms and the rounding of as many partial sums, in one order
    // or another; features that differ in their last bit come to it, amplified by 1 / temperature = 14 in the loss. The
    // magnitudes of the terms add up to at most 4 times the largest element of the sum, of which most are a small part.
    // Measured are 4e-7.
    private const double Bound = 2 * Samples * 5 * U32 * 4;

    [Test]
    public void Step_InMicroBatches_IsTheStepOfTheWholeBatch([Values(1, 2)] int stage, [Values(2, 4, 5, 12)] int parts)
    {
        (Dictionary<string, float[]> whole, float loss) = GradientsOf(stage, accumulate: 1);

        (Dictionary<string, float[]> divided, float sameLoss) = GradientsOf(stage, parts);

        Assert.That(sameLoss, Is.EqualTo(loss).Within(Bound * loss));
        double worst = 0;
        foreach ((string name, float[] expected) in whole)
        {
            double largest = expected.Max(value => Math.Abs((double)value));
            double difference = expected.Zip(divided[name], (one, other) => Math.Abs((double)one - other)).Max();
            worst = Math.Max(worst, largest == 0 ? 0 : difference / largest);
            Assert.That(difference, Is.LessThanOrEqualTo(Bound * largest), name);
        }
        TestContext.Out.WriteLine($"largest relative difference {worst:E1}, bound {Bound:E1}");
    }

    [Test]
    public void Step_CountsOfEachPartAlone_WouldBeAnotherStep()
    {
        (_, float whole) = GradientsOf(2, accumulate: 1);
        // Three batches of four instead of one of twelve: the mean of their losses is another loss.
        List<float> parts = LossesOf(batchSize: 4);

        Assert.That(parts, Has.Count.EqualTo(3));
        Assert.That(Math.Abs(parts.Average() - whole), Is.GreaterThan(100 * Bound * whole));
    }

    [Test]
    public void Run_TowerWithBatchStatistics_RefusesMicroBatches([Values("pretrain", "stage2")] string stage)
    {
        TinyRun.WriteData(In("data"));
        using var device = new CpuDevice(1);
        TrainSettings settings = TinyRun.Settings(In("data"));
        settings = SettingsJson.With(settings with
        {
            Shape = settings.Shape with { Tower = TowerKind.ResNet, ImageSize = 32, VisionWidth = 4 },
        }, [($"{stage}.accumulate", "2")]);

        Assert.That(() => TinyRun.Go(device, settings, In("run")),
            Throws.TypeOf<SettingsException>().With.Message.Contains($"{stage}.accumulate is above 1"));
        Assert.That(In("run"), Does.Not.Exist);
    }

    [Test]
    public void OfRun_FileWithoutTheNewKey_HasTheSamplesOfAStep()
    {
        // Before, batchSize was that of a micro-batch.
        File.WriteAllText(In("old.json"), """{ "stage2": { "batchSize": 32, "accumulate": 4 } }""");
        File.WriteAllText(In("new.json"), SettingsJson.Write(TrainSettings.OfRun(In("old.json"))));

        Assert.That(TrainSettings.OfRun(In("old.json")).Stage2.BatchSize, Is.EqualTo(128));
        Assert.That(TrainSettings.OfRun(In("new.json")).Stage2.BatchSize, Is.EqualTo(128));
    }

    /// <summary>Gradients of one step over all samples, and its loss.</summary>
    private static (Dictionary<string, float[]> Gradients, float Loss) GradientsOf(int number, int accumulate)
    {
        using var device = new CpuDevice(1);
        using CliperModel model = Model(device);
        var objective = new StageLoss(default, null, new LossSettings());
        using ImageTowerStage? tower = number == 2 ? new ImageTowerStage(model, objective) : null;
        IFeatureStage stage = tower ?? (IFeatureStage)new PromptStage(model, objective);
        model.Train(stage.Trained);
        using BatchLoader loader = LoaderOf(model, device, Samples);
        using Batch batch = loader.Epoch(0).First();
        float loss = float.NaN;
        if (accumulate == 1)
        {
            using var tape = new Tape(device);
            Tensor total = stage.Loss(tape, batch, 0).Total;
            loss = total.Item();
            tape.Backward(total);
        }
        else
        {
            new GatheredStep(stage, (Samples + accumulate - 1) / accumulate).Run(device,
                RankedBatch.Of(batch, device.Ranks), 0, 1,
                result => loss = result.Total.Item(), default);
        }
        return (stage.Trained.ToDictionary(entry => entry.Name, entry => device.ToFloats(entry.Tensor.Gradient)), loss);
    }

    /// <summary>Losses of an epoch's batches, the model being the same for all.</summary>
    private static List<float> LossesOf(int batchSize)
    {
        using var device = new CpuDevice(1);
        using CliperModel model = Model(device);
        using var stage = new ImageTowerStage(model, new StageLoss(default, null, new LossSettings()));
        using BatchLoader loader = LoaderOf(model, device, batchSize);
        List<float> losses = [];
        foreach (Batch batch in loader.Epoch(0))
        {
            using Batch current = batch;
            using var tape = new Tape(device, recording: false);
            losses.Add(stage.Loss(tape, batch, 0).Total.Item());
        }
        return losses;
    }

    private static BatchLoader LoaderOf(CliperModel model, CpuDevice device, int batchSize) =>
        new TrainingData(Split, null, null, new TrainSettings()).TrainLoader(
            new StageSettings { Epochs = 1, BatchSize = batchSize }, model.Clip.Vision.Input, device);

    private static CliperModel Model(CpuDevice device)
    {
        using ClipWeights weights = ClipWeights.Random(Config, seed: 1);
        return new CliperModel(new ClipModel(device, weights), Metd.Random(device, Classes, Subclasses, 64,
            new DescriptorPrompt([38, 1, 2, 3, 39], 2, 2), seed: 1), Split.Classes);
    }
}
