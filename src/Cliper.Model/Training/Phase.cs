using System.Diagnostics;
using Cliper.Autograd;
using Cliper.Autograd.Optimizers;
using Cliper.Kernels.Devices;
using Cliper.Model.Data;

namespace Cliper.Model.Training;

/// <summary>A micro-batch's loss, and its two parts where it has them.</summary>
internal readonly record struct StepLoss(Tensor Total, Tensor? Parts);

/// <summary>
/// The loop of one phase: batches in, loss, backward, clipping, AdamW; the same for pre-training and both stages, which
/// differ in what they train and minimise. Can stop after any step and go on there.
/// </summary>
/// <param name="name">"pretrain", "stage1" or "stage2".</param>
/// <param name="settings">Of this phase.</param>
/// <param name="device">Where it runs.</param>
/// <param name="parameters">What is trained.</param>
internal sealed class Phase(string name, PhaseSettings settings, Device device,
    IReadOnlyList<(string Name, Tensor Tensor)> parameters) : IDisposable
{
    private const double RateWindowSeconds = 5;

    private readonly ISchedule _schedule = ScheduleOf(settings);

    /// <summary>The phase's name.</summary>
    public string Name => name;

    /// <summary>Moments and step count of AdamW.</summary>
    public AdamW Optimizer { get; } = OptimizerOf(settings, parameters);

    /// <summary>What keeps fp16 gradients within their range.</summary>
    public LossScaler Scaler { get; } = LossScaler.For(device);

    /// <summary>The epoch to run next, or in progress, from 0.</summary>
    public int Epoch { get; set; }

    /// <summary>Optimiser steps of that epoch already taken.</summary>
    public int Step { get; set; }

    /// <summary>What those steps add up to.</summary>
    public EpochSums Sums { get; set; }

    /// <summary>
    /// Runs to the end of the last epoch.
    /// </summary>
    /// <param name="loader">The training data.</param>
    /// <param name="loss">Builds a micro-batch's loss; also given the epoch.</param>
    /// <param name="progress">Told of every step.</param>
    /// <param name="epochEnded">Given the epoch's summary, without an evaluation; <see cref="Epoch"/> and <see cref="Step"/> still
    /// stand at its end, so that a run that is interrupted in there comes back to it.</param>
    /// <param name="cancellation">When it is asked for, the current step is ended first.</param>
    /// <exception cref="OperationCanceledException">Cancelled; <see cref="Epoch"/> and <see cref="Step"/> say where.</exception>
    public void Run(BatchLoader loader, Func<Tape, Batch, int, StepLoss> loss, IProgress<TrainEvent> progress,
        Action<EpochEvent> epochEnded, CancellationToken cancellation)
    {
        int steps = (loader.BatchesPerEpoch + settings.Accumulate - 1) / settings.Accumulate;
        var window = new RateWindow(RateWindowSeconds);
        for (; Epoch < settings.Epochs; Epoch++, Step = 0, Sums = default)
        {
            using IEnumerator<Batch> batches = loader.Epoch(Epoch, Step * settings.Accumulate).GetEnumerator();
            bool more = true;
            while (Step < steps && more)
            {
                long stepBegan = Stopwatch.GetTimestamp();
                TimeSpan waitedAtStep = loader.Waited;
                int microBatches = Math.Min(settings.Accumulate, loader.BatchesPerEpoch - Step * settings.Accumulate);
                StepSums sums = default;
                for (int micro = 0; micro < microBatches && (more = batches.MoveNext()); micro++)
                    sums += RunMicroBatch(batches.Current, loss, 1f / microBatches);
                if (sums.Images == 0)
                    break;
                float rate = RateAt(Epoch + (double)Step / steps);
                GradientClipping.Measurement gradient = GradientClipping.Measure(Optimizer.Parameters,
                    settings.ClipNorm > 0 ? settings.ClipNorm : double.PositiveInfinity, Scaler.Scale);
                Scaler.Update(gradient.IsFinite);
                if (gradient.IsFinite)
                    Optimizer.Step(rate, gradient.Factor);
                Optimizer.ClearGradients();
                Step++;
                TimeSpan took = Stopwatch.GetElapsedTime(stepBegan), waited = loader.Waited - waitedAtStep;
                Sums = Sums.After(sums, microBatches, !gradient.IsFinite, took, waited);
                window.Add(sums.Images, took, waited);
                progress.Report(new StepEvent(name, Epoch + 1, settings.Epochs, Step, steps, sums.Loss / microBatches,
                    sums.Fine / microBatches, sums.Margin / microBatches, rate, (float)gradient.Norm, !gradient.IsFinite, window.ImagesPerSecond,
                    window.WaitShare, window.SecondsPerStep * ((settings.Epochs - Epoch) * (long)steps - Step),
                    device.PeakBytes));
                cancellation.ThrowIfCancellationRequested();
            }
            epochEnded(Sums.ToEvent(name, Epoch + 1, settings.Epochs, steps, RateAt(Epoch + (steps - 1d) / steps)));
        }
    }

    /// <inheritdoc/>
    public void Dispose() => Optimizer.Dispose();

    // The authors' restarts move once an epoch, the others every step.
    private float RateAt(double epochs) =>
        _schedule.At(settings.Schedule == ScheduleKind.CosineRestarts ? Math.Floor(epochs) : epochs);

    private static ISchedule ScheduleOf(PhaseSettings settings)
    {
        ISchedule schedule = settings.Schedule switch
        {
            ScheduleKind.Cosine => new CosineSchedule(settings.LearningRate, settings.Epochs - settings.WarmUpEpochs),
            ScheduleKind.CosineRestarts => new CosineWithRestartsSchedule(settings.LearningRate, settings.RestartEpochs),
            _ => new ConstantSchedule(settings.LearningRate),
        };
        return new WarmUpSchedule(schedule, settings.WarmUpEpochs);
    }

    private static AdamW OptimizerOf(PhaseSettings settings, IReadOnlyList<(string Name, Tensor Tensor)> parameters)
    {
        var optimizer = new AdamW(settings.Beta1, settings.Beta2, settings.Epsilon);
        optimizer.AddGroup(parameters, settings.WeightDecay);
        return optimizer;
    }

    private StepSums RunMicroBatch(Batch batch, Func<Tape, Batch, int, StepLoss> loss, float scale)
    {
        using Batch current = batch;
        using var tape = new Tape(device);
        StepLoss result = loss(tape, batch, Epoch);
        float[]? parts = result.Parts?.ToArray();
        float total = result.Total.Item();
        tape.Backward(result.Total, scale * Scaler.Scale);
        return new StepSums(total, parts?[0], parts?[1], batch.Count * batch.Frames);
    }

    /// <summary>Of a step's micro-batches.</summary>
    internal readonly record struct StepSums(float Loss, float? Fine, float? Margin, int Images)
    {
        public static StepSums operator +(StepSums a, StepSums b) => new(a.Loss + b.Loss,
            a.Images == 0 ? b.Fine : a.Fine + b.Fine, a.Images == 0 ? b.Margin : a.Margin + b.Margin, a.Images + b.Images);
    }

    /// <summary>Rates over the last few seconds.</summary>
    private sealed class RateWindow(double seconds)
    {
        private readonly Queue<(int Images, double Seconds, double Waited)> _steps = [];
        private double _images, _seconds, _waited;

        public double ImagesPerSecond => _images / Math.Max(_seconds, 1e-9);

        public double WaitShare => _waited / Math.Max(_seconds, 1e-9);

        public TimeSpan SecondsPerStep => TimeSpan.FromSeconds(_seconds / Math.Max(1, _steps.Count));

        public void Add(int images, TimeSpan elapsed, TimeSpan waited)
        {
            _steps.Enqueue((images, elapsed.TotalSeconds, waited.TotalSeconds));
            _images += images;
            _seconds += elapsed.TotalSeconds;
            _waited += waited.TotalSeconds;
            while (_steps.Count > 1 && _seconds > seconds)
            {
                (int oldImages, double oldSeconds, double oldWaited) = _steps.Dequeue();
                _images -= oldImages;
                _seconds -= oldSeconds;
                _waited -= oldWaited;
            }
        }
    }
}
