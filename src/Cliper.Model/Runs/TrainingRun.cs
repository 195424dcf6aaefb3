using System.Diagnostics;
using Cliper.Kernels.Memory;
using Cliper.Model.Checkpoints;
using Cliper.Model.Metrics;
using Cliper.Model.Reporting;
using Cliper.Model.Settings;
using Cliper.Model.Stages;
using Cliper.Model.Weights;

namespace Cliper.Model.Runs;

/// <summary>
/// A whole run: opens the data, trains, evaluates, and leaves a folder with config.json, metrics, checkpoints,
/// result.json and report.html.
/// </summary>
public static class TrainingRun
{
    /// <summary>Runs, or goes on with, what the settings say.</summary>
    /// <param name="device">Where to train.</param>
    /// <param name="settings">All that decides the result.</param>
    /// <param name="folder">The run's folder.</param>
    /// <param name="resume">Whether to go on from the folder's last checkpoint.</param>
    /// <param name="overwrite">Whether a run that is there already is written over.</param>
    /// <param name="progress">Receives every step, epoch and message.</param>
    /// <param name="cancellation">Ends the current step, writes a checkpoint and throws.</param>
    /// <exception cref="OperationCanceledException">Canceled; the run can be resumed.</exception>
    /// <exception cref="InputException">Data or weights are missing or damaged, or the folder cannot be
    /// used.</exception>
    /// <exception cref="SettingsException">A setting is out of range.</exception>
    public static TrainResult Run(Device device, TrainSettings settings, string folder, bool resume, bool overwrite,
        IProgress<TrainEvent> progress, CancellationToken cancellation = default)
    {
        settings.Check();
        long began = Stopwatch.GetTimestamp();
        var notes = new List<ReportNote>();
        var messages = new Listener(progress, message => notes.Add(new ReportNote(message.Text, message.Warning)));
        TrainingData data = RunData.Open(settings, ImageSizeOf(settings), messages, cancellation);
        using RunFolder run = resume ? Continue(folder, settings) : RunFolder.Create(folder, overwrite);
        run.WriteConfig(SettingsJson.Write(settings));
        // The file is there when the run has ended; until then there is none.
        File.Delete(RunResult.PathIn(folder));
        using var trainer = new Trainer(device, settings, data, folder, new Logger(run, messages));
        TrainResult result = trainer.Run(resume, cancellation);
        RunResult.Of(result).Write(RunResult.PathIn(folder));
        run.WriteReport(RunReport.Of(result, settings, data, notes, RunFolder.ReadMetrics(run.MetricsPath), device,
            Stopwatch.GetElapsedTime(began)));
        return result;
    }

    /// <summary>
    /// Pre-trains a CLIP alone, on <see cref="RunData.OpenCaptioned"/>, and leaves it as clip.safetensors in the
    /// folder, vocabulary included.
    /// </summary>
    /// <returns>Path of the weights.</returns>
    /// <inheritdoc cref="Run"/>
    public static string Pretrain(Device device, TrainSettings settings, string folder, bool resume, bool overwrite,
        IProgress<TrainEvent> progress, CancellationToken cancellation = default)
    {
        settings.Check();
        TrainingData data = RunData.OpenCaptioned(settings, progress, cancellation);
        using RunFolder run = resume ? Continue(folder, settings) : RunFolder.Create(folder, overwrite);
        run.WriteConfig(SettingsJson.Write(settings));
        using var trainer = new Trainer(device, settings, data, folder, new Logger(run, progress));
        return trainer.Pretrain(resume, cancellation);
    }

    /// <summary>Edge of the images that the settings' model takes.</summary>
    private static int ImageSizeOf(TrainSettings settings)
    {
        string path = settings.Init.Length > 0 ? Checkpoint.Find(settings.Init) : settings.Weights;
        if (path.Length == 0)
            return settings.Shape.ImageSize;
        using var weights = ClipWeights.Load(path, stated: settings.WeightsFacts);
        return weights.Config.ImageSize;
    }

    /// <summary>Opens a run's folder and forgets the metrics of steps that the last checkpoint does not
    /// contain.</summary>
    /// <exception cref="SettingsException">A setting differs from the run's that its model was made by.</exception>
    private static RunFolder Continue(string folder, TrainSettings settings)
    {
        TrainingState? state;
        using (Checkpoint.CheckpointReader reader = new RunCheckpoints(folder).OpenLast())
            state = reader.State;
        RunFolder run = RunFolder.Resume(folder, row => state is null || state.Contains(row.Stage, row.Epoch,
            row.Event == MetricRow.EpochEvent ? int.MaxValue : row.StepOfEpoch ?? 0));
        try
        {
            TrainSettings begun = TrainSettings.OfRun(run.ConfigPath);
            CheckSameModel(settings, begun, folder);
            if (state is not null)
                CheckSamePast(settings, begun, state, folder);
            return run;
        }
        catch
        {
            run.Dispose();
            throw;
        }
    }

    /// <summary>The model is the checkpoint's: settings that would make another must not seem to have been
    /// followed.</summary>
    private static void CheckSameModel(TrainSettings settings, TrainSettings begun, string folder)
    {
        (string Name, object Now, object Then)[] fixedOnes =
        [
            ("shape", settings.Shape, begun.Shape), ("subclasses", settings.Subclasses, begun.Subclasses),
            ("tokens", settings.Tokens, begun.Tokens), ("template", settings.Template, begun.Template),
            ("weights", settings.Weights, begun.Weights),
            ("weightsFacts", settings.WeightsFacts, begun.WeightsFacts), ("init", settings.Init, begun.Init),
            ("tokenizer", settings.Tokenizer, begun.Tokenizer),
        ];
        foreach ((string name, object now, object then) in fixedOnes)
            if (!now.Equals(then))
                throw new SettingsException($"{folder}: the setting {name} is not the one that the run began with, and "
                    + "its model cannot follow it")
                { Remedy = Remedy.KeepSetting };
    }

    /// <summary>Settings of stages that the run has trained already must be as config.json has them.</summary>
    private static void CheckSamePast(TrainSettings settings, TrainSettings begun, TrainingState state, string folder)
    {
        foreach (TrainingStage stage in TrainingStages.All)
        {
            (string name, StageSettings now) = (stage.Name(), settings.Of(stage));
            if (state.HasCompleted(stage) && now != begun.Of(stage))
                throw new SettingsException($"{folder}: {name} has been trained with other settings of {name} than "
                    + "these")
                { Remedy = Remedy.KeepSettingsOrBeginFromModel };
            if (stage == state.Stage && now.Epochs < state.Epoch)
                throw new SettingsException(
                    $"{folder}: {state.Epoch} epochs of {name} have been trained, more than {now.Epochs}: leave their "
                        + "number as it was");
        }
    }

    private sealed class Listener(IProgress<TrainEvent> inner, Action<MessageEvent> heard) : IProgress<TrainEvent>
    {
        public void Report(TrainEvent value)
        {
            if (value is MessageEvent message)
                heard(message);
            inner.Report(value);
        }
    }

    private sealed class Logger(RunFolder run, IProgress<TrainEvent> inner) : IProgress<TrainEvent>
    {
        public void Report(TrainEvent value)
        {
            if (value is StepEvent step)
                run.Log(new MetricRow
                {
                    Event = MetricRow.StepEvent,
                    Stage = step.Stage,
                    Step = (step.Epoch - 1L) * step.Steps + step.Step,
                    StepOfEpoch = step.Step,
                    Epoch = step.Epoch,
                    Loss = step.Loss,
                    Fine = step.Fine,
                    Margin = step.Margin,
                    LearningRate = step.LearningRate,
                    GradientNorm = step.GradientNorm,
                    ImagesPerSecond = step.ImagesPerSecond,
                    DataWait = step.WaitShare,
                });
            else if (value is EpochEvent epoch)
                run.Log(new MetricRow
                {
                    Event = MetricRow.EpochEvent,
                    Stage = epoch.Stage,
                    Step = epoch.Steps * (long)epoch.Epoch,
                    Epoch = epoch.Epoch,
                    Loss = epoch.Loss,
                    Fine = epoch.Fine,
                    Margin = epoch.Margin,
                    War = epoch.War,
                    Uar = epoch.Uar,
                    LearningRate = epoch.LearningRate,
                    ImagesPerSecond = epoch.ImagesPerSecond,
                    DataWait = epoch.WaitShare,
                    SkippedSteps = epoch.SkippedSteps,
                    Seconds = epoch.Seconds,
                });
            inner.Report(value);
        }
    }
}
