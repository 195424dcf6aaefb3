using System.Diagnostics;
using Cliper.Kernels.Memory;
using Cliper.Model.Clip;
using Cliper.Model.Inference;
using Cliper.Model.Metrics;
using Cliper.Model.Reporting;
using Cliper.Model.Settings;
using Cliper.Model.Stages;

namespace Cliper.Model.Runs;

/// <summary>
/// A whole run: opens the data, trains, evaluates, and leaves a folder with config.json, metrics, checkpoints,
/// result.json and report.html.
/// </summary>
public static class TrainingRun
{
    /// <summary>Runs, or goes on with, what the settings say. All checks come before the folder is touched, and those
    /// that take moments before those that read the data.</summary>
    /// <param name="device">Where to train.</param>
    /// <param name="settings">All that decides the result.</param>
    /// <param name="folder">The run's folder.</param>
    /// <param name="resume">Whether to go on from the folder's last checkpoint; a run that was killed before its first
    /// one begins again.</param>
    /// <param name="overwrite">Whether a run that is there already is written over.</param>
    /// <param name="progress">Receives every step, epoch and message.</param>
    /// <param name="cancellation">Ends the current step, writes a checkpoint and throws.</param>
    /// <exception cref="OperationCanceledException">Canceled; the run can be resumed.</exception>
    /// <exception cref="InputException">Data or weights are missing or damaged, or there is no run to
    /// resume.</exception>
    /// <exception cref="SettingsException">A setting is out of range, or not that of the run to resume; or the folder
    /// holds a run already.</exception>
    /// <exception cref="DivergedException">The training has diverged; its last checkpoint is from before.</exception>
    /// <exception cref="RunInUseException">Another program works in the folder.</exception>
    /// <exception cref="IOException">The folder cannot be written to, or has too little room.</exception>
    public static TrainResult Run(Device device, TrainSettings settings, string folder, bool resume, bool overwrite,
        IProgress<TrainEvent> progress, CancellationToken cancellation = default) =>
        Run(new SharedWork(device), settings, folder, resume, overwrite, progress, cancellation);

    /// <summary>The same with what other runs on its device have left; it adds its own.</summary>
    internal static TrainResult Run(SharedWork shared, TrainSettings settings, string folder, bool resume,
        bool overwrite, IProgress<TrainEvent> progress, CancellationToken cancellation = default)
    {
        settings = settings with { PretrainOnly = false };
        settings.Check();
        long began = Stopwatch.GetTimestamp();
        var notes = new List<ReportNote>();
        var messages = new Listener(progress, message => notes.Add(new ReportNote(message.Text, message.Warning)));
        using RunStart start = RunStart.Check(settings, folder, resume, overwrite);
        foreach (SettingRemark remark in ProtocolRemarks.Of(settings, clip: start.Config))
            progress.Report(new MessageEvent($"beside the paper: {remark}"));
        TrainingData data = RunData.Open(shared, settings, start.Config.ImageSize, messages, cancellation);
        var log = new Logger(messages);
        using var trainer = new Trainer(shared, settings, data, folder, log);
        trainer.Load(start.Resumes);
        using RunFolder run = start.Open();
        log.Run = run;
        // An interrupted part of the run has left its epochs' times.
        double before = RunFolder.ReadMetrics(run.MetricsPath).Sum(row => row.Seconds ?? 0);
        TrainResult result = trainer.Run(start.Resumes, cancellation);
        RunResult.Of(result, settings, data, before + Stopwatch.GetElapsedTime(began).TotalSeconds)
            .Write(RunResult.PathIn(folder));
        run.WriteReport(RunReport.Of(result, settings, data, notes, RunFolder.ReadMetrics(run.MetricsPath),
            shared.Device, Stopwatch.GetElapsedTime(began)));
        return result;
    }

    /// <summary>
    /// Pre-trains a CLIP alone, on <see cref="RunData.OpenCaptioned"/>, and leaves it as clip.safetensors in the
    /// folder, vocabulary included.
    /// </summary>
    /// <returns>Path of the weights.</returns>
    /// <inheritdoc cref="Run(Device, TrainSettings, string, bool, bool, IProgress{TrainEvent}, CancellationToken)"/>
    public static string Pretrain(Device device, TrainSettings settings, string folder, bool resume, bool overwrite,
        IProgress<TrainEvent> progress, CancellationToken cancellation = default)
    {
        settings = settings with { PretrainOnly = true };
        settings.Check();
        using RunStart start = RunStart.Check(settings, folder, resume, overwrite);
        TrainingData data = RunData.OpenCaptioned(settings, progress, cancellation);
        var log = new Logger(progress);
        using var trainer = new Trainer(device, settings, data, folder, log);
        trainer.Load(start.Resumes);
        using RunFolder run = start.Open();
        log.Run = run;
        return trainer.Pretrain(start.Resumes, cancellation);
    }

    /// <summary>Configuration of the CLIP that a run would begin with; null where the settings name none.</summary>
    /// <param name="settings">The run's settings.</param>
    /// <exception cref="InputException">Weights or checkpoint are missing or damaged.</exception>
    public static ClipConfig? ClipOf(TrainSettings settings) =>
        settings.Weights.Length + settings.Init.Length + settings.Pretrain.Epochs == 0 ? null
            : RunStart.CheckBeginning(settings);

    /// <summary>Path of the settings of the run in a folder; null where there is none.</summary>
    /// <param name="folder">The folder.</param>
    public static string? FindConfig(string folder) => RunFolder.FindConfig(folder);

    /// <summary>Refuses a file that a new run in a folder would remove, though the run is to read it.</summary>
    /// <param name="folder">The run's folder.</param>
    /// <param name="file">The file.</param>
    /// <param name="role">Name of the file for the error.</param>
    /// <exception cref="SettingsException">It would be removed.</exception>
    public static void CheckKept(string folder, string file, string role) =>
        RunFolder.CheckKept(folder, (role, file));

    private sealed class Listener(IProgress<TrainEvent> inner, Action<MessageEvent> heard) : IProgress<TrainEvent>
    {
        public void Report(TrainEvent value)
        {
            if (value is MessageEvent message)
                heard(message);
            inner.Report(value);
        }
    }

    private sealed class Logger(IProgress<TrainEvent> inner) : IProgress<TrainEvent>
    {
        /// <summary>Where steps and epochs are logged; opened when all checks have passed.</summary>
        public RunFolder? Run { get; set; }

        public void Report(TrainEvent value)
        {
            if (value is StepEvent step)
                Run!.Log(new MetricRow
                {
                    Event = MetricRow.StepEvent,
                    Stage = step.Stage,
                    Step = (step.Epoch - 1L) * step.Steps + step.Step,
                    StepOfEpoch = step.Step,
                    Epoch = step.Epoch,
                    Loss = step.Loss,
                    Fine = step.Fine,
                    Margin = step.Margin,
                    Accuracy = step.Accuracy,
                    LearningRate = step.LearningRate,
                    GradientNorm = step.GradientNorm,
                    ImagesPerSecond = step.ImagesPerSecond,
                    DataWait = step.WaitShare,
                });
            else if (value is EpochEvent epoch)
                Run!.Log(new MetricRow
                {
                    Event = MetricRow.EpochEvent,
                    Stage = epoch.Stage,
                    Step = epoch.Steps * (long)epoch.Epoch,
                    Epoch = epoch.Epoch,
                    Loss = epoch.Loss,
                    Fine = epoch.Fine,
                    Margin = epoch.Margin,
                    Accuracy = epoch.Accuracy,
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
