using Cliper.Kernels.Cpu;
using Cliper.Model.Checkpoints;
using Cliper.Model.Inference;
using Cliper.Model.Runs;
using Cliper.Model.Settings;
using Cliper.Model.Stages;

namespace Cliper.Model.Tests.Runs;

/// <summary>The settings that a run may be resumed with, what divergence leaves, and who may answer.</summary>
public sealed class ResumeTests : TemporaryFolder
{
    private readonly CpuDevice _device = new(1);

    private TrainSettings Settings => TinyRun.Settings(In("data"));

    [SetUp]
    public void WriteData() => TinyRun.WriteData(In("data"));

    [OneTimeTearDown]
    public void EndDevice() => _device.Dispose();

    [Test]
    public void AFinishedRun_IsNotResumedWithOtherSettings()
    {
        TinyRun.Go(_device, Settings, In("finished"));
        string config = File.ReadAllText(In("finished/config.json"));
        byte[] model = File.ReadAllBytes(In("finished/checkpoints/model.safetensors"));

        foreach ((string name, TrainSettings changed) in new[]
        {
            ("seed", Settings with { Seed = 5 }),
            ("choices.faceMargin", Settings with { Choices = Settings.Choices with { FaceMargin = 0.4f } }),
            ("evaluateEvery", Settings with { EvaluateEvery = 2 }),
        })
            Assert.That(() => TinyRun.Go(_device, changed, In("finished"), resume: true),
                Throws.InstanceOf<SettingsException>().With.Message.Contains($"trained with another {name}"));

        Assert.That(File.ReadAllText(In("finished/config.json")), Is.EqualTo(config));
        Assert.That(File.ReadAllBytes(In("finished/checkpoints/model.safetensors")), Is.EqualTo(model));
        Assert.That(In("finished/result.json"), Does.Exist);
    }

    [Test]
    public void WithinAnEpoch_TheBatchSizeStays()
    {
        Interrupt(In("within"), TrainingStage.Pretrain, epoch: 2, step: 1);

        Assert.That(() => TinyRun.Go(_device, WithBatch(2), In("within"), resume: true),
            Throws.InstanceOf<SettingsException>().With.Message.Contains("within epoch 2 of pretrain, after 1 steps"));
        TinyRun.Go(_device, Settings, In("within"), resume: true);

        TrainSettings WithBatch(int size) => Settings with { Pretrain = Settings.Pretrain with { BatchSize = size } };
    }

    [Test]
    public void AnUnfinishedRun_KeepsItsSeedAndMayChangeWhatIsToCome()
    {
        Interrupt(In("changed"), TrainingStage.Pretrain, epoch: 2, step: 1);

        Assert.That(() => TinyRun.Go(_device, Settings with { Seed = 5 }, In("changed"), resume: true),
            Throws.InstanceOf<SettingsException>().With.Message.Contains("another seed"));
        TinyRun.Go(_device, Settings with { Stage2 = Settings.Stage2 with { LearningRate = 1e-3f }, EvaluateEvery = 2 },
            In("changed"), resume: true);
    }

    [Test]
    public void APretraining_IsResumedAsOneAlone()
    {
        TrainSettings pretrains = Settings with { Pretrain = Settings.Pretrain with { Epochs = 1 } };
        Pretrain(pretrains, In("clip"), resume: false);
        TinyRun.Go(_device, Settings, In("whole"));

        Assert.That(() => TinyRun.Go(_device, pretrains, In("clip"), resume: true),
            Throws.InstanceOf<SettingsException>().With.Property("Remedy").EqualTo(Remedy.ResumeAsPretraining));
        Assert.That(() => Pretrain(Settings, In("whole"), resume: true),
            Throws.InstanceOf<SettingsException>().With.Property("Remedy").EqualTo(Remedy.ResumeAsTraining));
        Pretrain(pretrains, In("clip"), resume: true);
    }

    [Test]
    public void ATrainingThatDiverges_StopsAtTheStepAndKeepsTheLastGoodCheckpoint()
    {
        // AdamW without epsilon divides zero by zero for the words of the vocabulary that no caption has; no loss shows
        // it.
        TrainSettings diverges = Settings with { Pretrain = Settings.Pretrain with { Epsilon = 0 } };
        Assert.That(() => TinyRun.Go(_device, diverges, In("at-once")), Throws.InstanceOf<DivergedException>().With
            .Message.Match("pretrain has diverged: after step 3 of epoch 1 a weight is no longer a number, at a "
                + @"learning rate of 1\.0e-02 and a gradient norm of [0-9.]+; before it no checkpoint was written"));

        Interrupt(In("later"), TrainingStage.Pretrain, epoch: 2, step: 1);
        byte[] last = File.ReadAllBytes(In("later/checkpoints/last.safetensors"));
        Assert.That(() => TinyRun.Go(_device, diverges, In("later"), resume: true),
            Throws.InstanceOf<DivergedException>().With.Property("HasCheckpoint").True.And.Message.Contains(
                "the last good checkpoint stands at pretrain, epoch 2, step 2"));
        Assert.That(File.ReadAllBytes(In("later/checkpoints/last.safetensors")), Is.EqualTo(last));
        TinyRun.Go(_device, Settings, In("later"), resume: true);
    }

    [Test]
    public void AModelWithoutLearnedDescriptors_AnswersOnlyWhenAsked()
    {
        Interrupt(In("begun"), TrainingStage.Stage1, epoch: 1, step: 2);
        Interrupt(In("nearly"), TrainingStage.Stage2, epoch: 1, step: 2);
        string begun = Checkpoint.Find(In("begun")), nearly = Checkpoint.Find(In("nearly"));

        Assert.That(() => Predictor.Load(begun, _device), Throws.InstanceOf<InputException>().With.Message.Contains(
            "the run has only come to stage1, epoch 1, step 3").And.Property("Remedy").EqualTo(
            Remedy.ResumeOrAllowUnfinished));
        using Predictor allowed = Predictor.Load(begun, _device, allowUnfinished: true);
        using Predictor tuned = Predictor.Load(nearly, _device);
        Assert.That(allowed.Unfinished, Does.Contain("stage1"));
        Assert.That(tuned.Unfinished, Does.Contain("not finished").And.Contain("stage2, epoch 1, step 3"));
    }

    [Test]
    public void WhatTakesMoments_IsCheckedBeforeTheDataIsRead()
    {
        File.WriteAllText(In("tokenizer.json"), "{}");
        TinyRun.Go(_device, Settings, In("before"));
        TrainSettings weighted = Settings with
        {
            Data = In("tokenizer.json"),
            Pretrain = new StageSettings(),
            Weights = In("before/checkpoints/model.safetensors"),
            Tokenizer = In("tokenizer.json"),
        };

        Assert.That(() => TinyRun.Go(_device, weighted, In("new")),
            Throws.InstanceOf<InputException>().With.Message.Contains("tokenizer.json"));
        Assert.That(() => TinyRun.Go(_device, weighted, "/proc/none"), Throws.InstanceOf<IOException>());
        Assert.That(() => TinyRun.Go(_device, weighted, In("before")),
            Throws.InstanceOf<SettingsException>().With.Message.Contains("holds a run already"));
        Assert.That(In("new"), Does.Not.Exist);
    }

    [Test]
    public void AnOverwriteThatWouldRemoveItsOwnInput_IsRefused()
    {
        TinyRun.Go(_device, Settings, In("own"));
        string[] before = Directory.GetFiles(In("own"), "*", SearchOption.AllDirectories);
        TrainSettings none = Settings with { Pretrain = new StageSettings() };
        Directory.CreateSymbolicLink(In("other"), In("own"));

        foreach (TrainSettings settings in new[]
        {
            none with { Init = In("own") },
            none with { Init = In("other/checkpoints/best.safetensors") },
            none with { Weights = In("own/checkpoints/model.safetensors") },
            none with { Weights = In("model.safetensors"), Tokenizer = In("own/tokenizer") },
        })
            Assert.That(() => TinyRun.Go(_device, settings, In("own"), overwrite: true),
                Throws.InstanceOf<SettingsException>().With.Message.Contains("would replace"));

        Assert.That(Directory.GetFiles(In("own"), "*", SearchOption.AllDirectories), Is.EquivalentTo(before));
    }

    [Test]
    public void AFoldThatWasFinishedWithAnotherBeginning_IsNotCounted()
    {
        TrainSettings all = Settings with
        {
            Fold = TrainSettings.AllFolds,
            PretrainOnly = false,
            Pretrain = new StageSettings(),
            Init = In("one"),
        };
        Directory.CreateDirectory(In("folds/fold1"));
        File.WriteAllText(In("folds/config.json"), SettingsJson.Write(all));
        File.WriteAllText(In("folds/fold1/config.json"), SettingsJson.Write(all with { Fold = 1 }));
        File.WriteAllText(In("folds/fold1/result.json"), "{}");

        Assert.That(() => CrossValidation.Run(_device, all with { Init = In("another") }, In("folds"), resume: true,
            overwrite: false, new Silent()), Throws.InstanceOf<SettingsException>().With.Message.Contains(
            "finished with another init"));
    }

    [Test]
    public void TheRoomThatARunNeeds_IsThatOfItsCheckpoints()
    {
        TinyRun.Go(_device, Settings, In("sized"));
        using Checkpoint.CheckpointReader reader = new(In("sized/checkpoints/last.safetensors"));
        long needed = DiskSpace.NeededFor(reader.Config, Settings);
        long taken = Directory.GetFiles(In("sized/checkpoints")).Sum(file => new FileInfo(file).Length);

        // Three models stand there in the end. The estimate counts five models and twice the optimizer's two moments of
        // all weights, 9 fp32 numbers a weight.
        Assert.That(taken, Is.InRange(needed * 3 / 9, needed));
        Assert.That(() => DiskSpace.Compare("run", 3L << 30, 2L << 30),
            Throws.InstanceOf<IOException>().With.Message.Contains("2.00 GiB are free").And.Message.Contains(
                "3.00 GiB"));
        Assert.That(() => DiskSpace.Compare("run", 3L << 30, 3L << 30), Throws.Nothing);
    }

    private void Interrupt(string run, TrainingStage stage, int epoch, int step)
    {
        using var source = new CancellationTokenSource();
        Assert.That(() => TinyRun.Go(_device, Settings, run, told: told =>
        {
            if (told is StepEvent at && (at.Stage, at.Epoch, at.Step) == (stage, epoch, step))
                source.Cancel();
        }, cancellation: source.Token), Throws.InstanceOf<OperationCanceledException>());
    }

    private void Pretrain(TrainSettings settings, string run, bool resume) =>
        TrainingRun.Pretrain(_device, settings, run, resume, overwrite: false, new Silent());

    private sealed class Silent : IProgress<TrainEvent>
    {
        public void Report(TrainEvent value)
        {
        }
    }
}
