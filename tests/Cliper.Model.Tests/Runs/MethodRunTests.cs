using Cliper.Kernels.Cpu;
using Cliper.Model.Checkpoints;
using Cliper.Model.Inference;
using Cliper.Model.Runs;
using Cliper.Model.Samples;
using Cliper.Model.Settings;
using Cliper.Model.Stages;

namespace Cliper.Model.Tests.Runs;

/// <summary>Every method as a run: trained, interrupted and resumed to the same bits, evaluated from its checkpoint; on
/// pictures and on clips of two frames.</summary>
public sealed class MethodRunTests : TemporaryFolder
{
    private readonly CpuDevice _device = new(1);

    [SetUp]
    public void WriteData() => TinyRun.WriteData(In("data"));

    [OneTimeTearDown]
    public void EndDevice() => _device.Dispose();

    private static IEnumerable<TestCaseData> Runs =>
        from entry in new (string Name, TrainingMethod Method, (string, string)[] Sets, TrainingStage Stage, int Epoch,
            int Step)[]
        {
            ("cliper", TrainingMethod.Cliper, [], TrainingStage.Stage2, 1, 2),
            ("m1", TrainingMethod.M1, [], TrainingStage.Stage1, 1, 2),
            ("m1 on cached features", TrainingMethod.M1, [("features", "cached")], TrainingStage.Stage1, 1, 2),
            ("coop", TrainingMethod.Coop, [], TrainingStage.Stage1, 2, 1),
            ("coop on cached features", TrainingMethod.Coop, [("features", "cached"), ("coop.classSpecific", "true"),
                ("coop.position", "middle")], TrainingStage.Stage1, 2, 1),
            ("cocoop", TrainingMethod.Cocoop, [("coop.words", "")], TrainingStage.Stage1, 2, 1),
            ("probe by gradient", TrainingMethod.LinearProbe, [("probe.solver", "gradient"), ("features", "cached"),
                ("stage2.optimizer", "sgd")], TrainingStage.Stage2, 2, 1),
            ("fine-tune", TrainingMethod.FineTune, [], TrainingStage.Stage2, 1, 2),
            ("fine-tune from zero-shot", TrainingMethod.FineTune, [("head.init", "zero-shot"),
                ("head.normalize", "true")], TrainingStage.Stage2, 1, 2),
        }
        from frames in new[] { 1, 2 }
        where frames == 1 || entry.Method is TrainingMethod.Cocoop or TrainingMethod.FineTune
        select new TestCaseData(entry.Method, entry.Sets, frames, entry.Stage, entry.Epoch, entry.Step)
            .SetArgDisplayNames($"{entry.Name}, {frames} frames");

    [TestCaseSource(nameof(Runs))]
    public void Resume_InterruptedRun_EndsWithTheSameBits(TrainingMethod method, (string, string)[] sets, int frames,
        TrainingStage stage, int epoch, int step)
    {
        TrainSettings settings = Settings(method, frames, sets);
        TinyRun.Go(_device, settings, In("whole"));
        using (var source = new CancellationTokenSource())
            Assert.That(() => TinyRun.Go(_device, settings, In("parts"), told: told =>
            {
                if (told is StepEvent at && (at.Stage, at.Epoch, at.Step) == (stage, epoch, step))
                    source.Cancel();
            }, cancellation: source.Token), Throws.InstanceOf<OperationCanceledException>());
        TinyRun.Go(_device, settings, In("parts"), resume: true);

        Assert.That(File.ReadAllBytes(In("parts/checkpoints/model.safetensors")),
            Is.EqualTo(File.ReadAllBytes(In("whole/checkpoints/model.safetensors"))));
        AssertAnswers("whole", method, settings);
    }

    [Test]
    public void Resume_ProbeInterruptedWhileItIsFitted_EndsWithTheSameBits()
    {
        TrainSettings settings = Settings(TrainingMethod.LinearProbe, 1, ("probe.maxIterations", "50"));
        TinyRun.Go(_device, settings, In("whole"));
        using (var source = new CancellationTokenSource())
            Assert.That(() => TinyRun.Go(_device, settings, In("parts"), told: told =>
            {
                if (told is WorkEvent { Work: var work } && work.StartsWith("linear probe", StringComparison.Ordinal))
                    source.Cancel();
            }, cancellation: source.Token), Throws.InstanceOf<OperationCanceledException>());
        TinyRun.Go(_device, settings, In("parts"), resume: true);

        Assert.That(File.ReadAllBytes(In("parts/checkpoints/model.safetensors")),
            Is.EqualTo(File.ReadAllBytes(In("whole/checkpoints/model.safetensors"))));
        AssertAnswers("whole", TrainingMethod.LinearProbe, settings);
    }

    [Test]
    public void Run_ZeroShot_TrainsNothingAndAnswers()
    {
        List<string> messages = [];
        TrainSettings settings = Settings(TrainingMethod.ZeroShot, 1, ("zeroShot.prompts", "paper-a"));
        TinyRun.Go(_device, settings, In("zero"), told: told =>
        {
            if (told is MessageEvent message)
                messages.Add(message.Text);
            Assert.That(told, Is.Not.InstanceOf<StepEvent>().Or.Property("Stage").EqualTo(TrainingStage.Pretrain));
        });

        Assert.That(messages, Has.Some.Contains("\"a photo of a happy\"").And.Some.Contains("paper-words"));
        Assert.That(messages.Where(message => message.StartsWith("zero-shot paper, ", StringComparison.Ordinal)),
            Has.Exactly(4).Items, "one for each set of names");
        Assert.That(messages, Has.Some.Match("zero-shot movements, .*: longer than the model takes"));
        AssertAnswers("zero", TrainingMethod.ZeroShot, settings);
    }

    [Test]
    public void Run_Init_TakesTheTowersOfAnotherMethod()
    {
        TinyRun.Go(_device, Settings(TrainingMethod.Cliper, 1), In("first"));
        List<string> messages = [];
        TrainSettings settings = Settings(TrainingMethod.Coop, 1) with
        {
            Pretrain = new StageSettings(),
            Init = In("first"),
        };
        TinyRun.Go(_device, settings, In("second"), told: told =>
        {
            if (told is MessageEvent message)
                messages.Add(message.Text);
        });

        Assert.That(messages, Has.Some.StartsWith("begins with the towers of").And.Some.Contains(
            "called happy, sad (adjectives)"));
        AssertAnswers("second", TrainingMethod.Coop, settings);
    }

    [Test]
    public void Run_Shots_TakesAsManyOfEachClass()
    {
        DataSplit split = RunData.OpenSplits(Settings(TrainingMethod.Coop, 1), default).Train;
        DataSplit two = FewShots.Of(split, 2, seed: 3), three = FewShots.Of(split, 3, seed: 3);

        Assert.That(two.CountByClass(), Is.EqualTo(new[] { 2, 2 }));
        Assert.That(two.Samples, Is.SubsetOf(three.Samples));
        Assert.That(FewShots.Of(split, 2, seed: 3).Samples, Is.EqualTo(two.Samples));
        Assert.That(FewShots.Of(split, 2, seed: 4).Samples, Is.Not.EqualTo(two.Samples));
        Assert.That(FewShots.Of(split, 0, seed: 3), Is.SameAs(split));
        Assert.That(FewShots.Of(split, 100, seed: 3).Samples, Is.EqualTo(split.Samples));
    }

    /// <summary>The checkpoint answers as the run has measured it, and names its method.</summary>
    private void AssertAnswers(string run, TrainingMethod method, TrainSettings settings)
    {
        using Predictor predictor = Predictor.Load(Checkpoint.Find(In(run)), _device);
        (Evaluation evaluation, _) = predictor.Evaluate(RunData.OpenSplits(settings, default).Test!, strict: true);

        Assert.That(evaluation.Confusion.ToRows(), Is.EqualTo(RunResult.Read(RunResult.PathIn(In(run))).Confusion));
        Assert.That(predictor.Method, Is.EqualTo(method.Name()));
    }

    private TrainSettings Settings(TrainingMethod method, int frames, params (string, string)[] sets)
    {
        TrainSettings settings = MethodDefaults.Over(TinyRun.Settings(In("data")), method) with { Frames = frames };
        settings = settings with
        {
            Stage1 = Short(settings.Stage1, method.HasContext() ? 2 : 1),
            Stage2 = Short(settings.Stage2, method == TrainingMethod.LinearProbe ? 2 : 1),
        };
        return SettingsJson.With(settings, sets);

        static StageSettings Short(StageSettings stage, int epochs) =>
            stage.Epochs == 0 ? stage : stage with { Epochs = epochs, BatchSize = 4, Augmentation = "light" };
    }
}
