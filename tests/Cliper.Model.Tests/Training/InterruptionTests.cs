using System.Diagnostics;
using System.Text.RegularExpressions;
using Cliper.Kernels.Cpu;
using Cliper.Kernels.Memory;
using Cliper.Model.Checkpoints;
using Cliper.Model.Clip;
using Cliper.Model.IO;
using Cliper.Model.Runs;
using Cliper.Model.Settings;
using Cliper.Model.Stages;
using Cliper.Model.Tests.Data;

namespace Cliper.Model.Tests.Training;

/// <summary>
/// A run that is interrupted anywhere and resumed ends as one that was not: model, figures and metrics.
/// </summary>
public sealed partial class InterruptionTests : TemporaryFolder
{
    [Test]
    public void ARunInterruptedAfterAnyStepEndsAsOneThatWasNot([Values] TowerKind tower)
    {
        WriteData();
        using var device = new CpuDevice(2);
        int events = 0;
        Go(device, "whole", resume: false, new Progress(_ => events++), default, tower: tower);
        string result = Result("whole"), metrics = Metrics("whole");
        byte[] model = File.ReadAllBytes(In("whole/checkpoints/model.safetensors"));

        // Interrupted at one event after the other, in one run: every step and the end of every epoch.
        for (int stop = 1; stop <= events; stop += 3)
        {
            using var source = new CancellationTokenSource();
            int seen = 0;
            string run = $"stopped{stop}";
            try
            {
                Go(device, run, resume: false, new Progress(_ =>
                {
                    if (++seen == stop)
                        source.Cancel();
                }), source.Token, tower: tower);
            }
            catch (OperationCanceledException)
            {
                // While the data is read there is no checkpoint to go on from.
                bool isBegun = CheckpointFiles.HasLast(In(run));
                Go(device, run, isBegun, new Progress(_ => { }), default, overwrite: true, tower: tower);
            }
            Assert.That(Result(run), Is.EqualTo(result),
                $"result.json, stopped at event {stop}");
            Assert.That(Metrics(run), Is.EqualTo(metrics), $"metrics, stopped at event {stop}");
            Assert.That(File.ReadAllBytes(In($"{run}/checkpoints/model.safetensors")), Is.EqualTo(model),
                $"model, stopped at event {stop}");
        }
    }

    [Test]
    public void ARunInterruptedAtAnyTimeEndsAsOneThatWasNot([Values] TowerKind tower)
    {
        const int Stops = 12;
        WriteData();
        using var device = new CpuDevice(2);
        long start = Stopwatch.GetTimestamp();
        // A tower with batch statistics takes no micro-batches.
        int accumulate = tower == TowerKind.ResNet ? 1 : 2;
        Go(device, "whole", resume: false, new Progress(_ => { }), default, accumulate, tower: tower);
        TimeSpan took = Stopwatch.GetElapsedTime(start);
        byte[] model = File.ReadAllBytes(In("whole/checkpoints/model.safetensors"));

        for (int stop = 1; stop < Stops; stop++)
        {
            // By the clock, so that it may come between the micro-batches of a step and while a batch is waited for.
            using var source = new CancellationTokenSource(took * stop / Stops);
            string run = $"stopped{stop}";
            try
            {
                Go(device, run, resume: false, new Progress(_ => { }), source.Token, accumulate, tower: tower);
            }
            catch (OperationCanceledException)
            {
                bool isBegun = CheckpointFiles.HasLast(In(run));
                Go(device, run, isBegun, new Progress(_ => { }), default, accumulate, overwrite: true, tower: tower);
            }
            Assert.That(File.ReadAllBytes(In($"{run}/checkpoints/model.safetensors")), Is.EqualTo(model),
                $"model, stop {stop}");
        }
    }

    private void WriteData()
    {
        for (int index = 0; index < 12; index++)
            foreach (string split in new[] { "train", "test" })
                TestImages.Write(In($"data/{split}/{(index % 2 == 0 ? "happy" : "sad")}/{index}.png"),
                    TestImages.Make(index + (split == "test" ? 50 : 0)));
    }

    // The phases take three steps an epoch; the epoch chosen is one of stage 2's.
    private void Go(Device device, string run, bool resume, Progress progress, CancellationToken cancellation,
        int accumulate = 1, bool overwrite = false, TowerKind tower = TowerKind.Vit)
    {
        var phase = new StageSettings
        {
            Epochs = 2,
            BatchSize = 4,
            Accumulate = accumulate,
            LearningRate = 1e-2f
        };
        var settings = new TrainSettings
        {
            Data = In("data"),
            DataSet = "folder",
            DropDuplicates = false,
            Select = Selection.BestOnTest,
            Subclasses = 2,
            Tokens = 2,
            Shape = new ClipShape
            {
                Tower = tower,
                ImageSize = tower == TowerKind.ResNet ? 32 : 16,
                PatchSize = 8,
                VisionWidth = tower == TowerKind.ResNet ? 4 : 64,
                VisionLayers = 1,
                ResNetBlocks = new StageBlocks(1, 1, 1, 1),
                TextWidth = 64,
                TextLayers = 1,
                EmbedSize = 16,
            },
            LogitAdjustment = 0.5f,
            Pretrain = phase with { Epochs = 1, AverageDecay = 0.9f, LabelSmoothing = 0.1f },
            Stage1 = phase,
            Stage2 = phase with { AverageDecay = 0.5f },
        };
        TrainingRun.Run(device, settings, In(run), resume, overwrite, progress, cancellation).Model.Dispose();
    }

    /// <summary>The result without what depends on the clock.</summary>
    private string Result(string run) => Clock().Replace(File.ReadAllText(RunResult.PathIn(In(run))), "");

    /// <summary>The metrics without what depends on the clock.</summary>
    private string Metrics(string run) => Clock().Replace(File.ReadAllText(In($"{run}/metrics.jsonl")), "");

    [GeneratedRegex("\"(imagesPerSecond|dataWait|seconds)\":[^,}]*")]
    private static partial Regex Clock();

    /// <summary>Told at once, on the thread that reports.</summary>
    private sealed class Progress(Action<TrainEvent> told) : IProgress<TrainEvent>
    {
        public void Report(TrainEvent value) => told(value);
    }
}
