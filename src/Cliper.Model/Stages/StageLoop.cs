using System.Diagnostics;
using Cliper.Autograd;
using Cliper.Autograd.Optimizers;
using Cliper.Kernels.Collectives;
using Cliper.Kernels.Memory;
using Cliper.Model.Checkpoints;
using Cliper.Model.Clip;
using Cliper.Model.Loading;
using Cliper.Model.Settings;

namespace Cliper.Model.Stages;

/// <summary>Loss of a batch.</summary>
/// <param name="Total">The loss, [1].</param>
/// <param name="Parts">Its two parts, [2]; null for a loss that has none.</param>
internal readonly record struct StepLoss(Tensor Total, Tensor? Parts)
{
    /// <summary>The scores of the classes, [B, K * M], as they answer; null for a loss without classes.</summary>
    public Tensor? Logits { get; init; }
}

/// <summary>
/// The loop of one stage: batches in, loss, backward, clipping by global norm, optimizer step; the same for every
/// stage. It can stop after any step and go on there.
/// </summary>
/// <param name="stage">The stage.</param>
/// <param name="settings">Settings of this stage.</param>
/// <param name="device">Device of the model.</param>
/// <param name="optimizer">Optimizer over the trained parameters; the loop disposes it.</param>
internal sealed partial class StageLoop(TrainingStage stage, StageSettings settings, Device device,
    IOptimizer optimizer) : IDisposable
{
    private const double RateWindowSeconds = 5;

    // A step gives three numbers: the loss and its two parts.
    private const int Losses = 3;

    private readonly ISchedule _schedule = StageSchedule.Of(settings);
    private readonly GradientClipping _clipping =
        new(device, settings.MaxGradientNorm > 0 ? settings.MaxGradientNorm : double.PositiveInfinity);
    private readonly DeviceArray _losses = device.Allocate(Losses);
    private bool _hasParts;
    private float _lastNorm, _lastRate;

    /// <summary>The stage.</summary>
    public TrainingStage Stage => stage;

    /// <summary>The optimizer, whose state checkpoints keep.</summary>
    public IOptimizer Optimizer => optimizer;

    /// <summary>Moving average of what the stage trains; null where the settings ask for none.</summary>
    public WeightAverage? Average { get; init; }

    /// <summary>Dynamic loss scaling, which keeps fp16 gradients within their range.</summary>
    public LossScaler Scaler { get; } = LossScaler.For(device);

    /// <summary>The stage, where its settings ask for micro-batches or several ranks share a step; null where a step
    /// is one batch.</summary>
    public IFeatureStage? Divided { get; init; }

    /// <summary>Counts right answers; null where the loss has no classes. The loop disposes it.</summary>
    public AnswerCounter? Answers { get; init; }

    /// <summary>The epoch to run next, or in progress, from 0.</summary>
    public int Epoch { get; set; }

    /// <summary>Optimizer steps of that epoch already taken.</summary>
    public int Step { get; set; }

    /// <summary>Sums over those steps.</summary>
    public EpochSums Sums { get; set; }

    /// <summary>
    /// Runs to the end of the last epoch.
    /// </summary>
    /// <param name="loader">The training data.</param>
    /// <param name="loss">Builds a batch's loss; also given the epoch.</param>
    /// <param name="progress">Receives every step.</param>
    /// <param name="epochEnded">Given the epoch's summary, without an evaluation; <see cref="Epoch"/> and
    /// <see cref="Step"/> still stand at its end, so that a run that is interrupted in there comes back to it.</param>
    /// <param name="cancellation">When it is asked for, a step is ended first; one that still computes its
    /// micro-batches counts as not begun.</param>
    /// <exception cref="OperationCanceledException">Canceled; <see cref="Epoch"/> and <see cref="Step"/> say
    /// where.</exception>
    /// <exception cref="NotFiniteNumberException">The training has diverged; the message names the step.</exception>
    public void Run(BatchLoader loader, Func<Tape, Batch, int, StepLoss> loss, IProgress<TrainEvent> progress,
        Action<EpochEvent> epochEnded, CancellationToken cancellation)
    {
        int steps = loader.BatchesPerEpoch;
        var window = new RateWindow(RateWindowSeconds);
        for (; Epoch < settings.Epochs; Epoch++, Step = 0, Sums = default)
        {
            long stepBegan = Stopwatch.GetTimestamp();
            TimeSpan waitedAtStep = loader.Waited;
            // None of several ranks stops alone: they ask each other at the end of each step.
            CancellationToken own = Ranks.Size == 1 ? cancellation : CancellationToken.None;
            using IEnumerator<Batch> batches = loader.Epoch(Epoch, Step, own).GetEnumerator();
            Batch? next = Next(batches);
            try
            {
                while (Step < steps && next is not null)
                {
                    RankedBatch step = RankedBatch.Of(next, IsShared ? Ranks : RankGroup.Alone);
                    CheckSamples(step);
                    int samples = step.Whole.Count, images = samples * next.Frames;
                    if (samples == 0)
                    {
                        // None of the batch's pictures can be read, by any rank.
                        next = Next(batches);
                        continue;
                    }
                    float rate = RateAt(Epoch + (double)Step / steps);
                    using (Batch current = next)
                        device.RunStep(() =>
                        {
                            Queue(step, loss, own);
                            Update(rate);
                        });
                    Answers?.Add(step.Whole.Labels.AsSpan(0, samples));
                    next = NextUnlessCanceled(batches);
                    StepSums sums = Read(images, samples);
                    GradientClipping.Measurement gradient = _clipping.Read();
                    CheckFinite(sums.Loss, gradient, rate, steps);
                    Scaler.Update(gradient.IsFinite);
                    if (!gradient.IsFinite)
                        Optimizer.TakeBack();
                    Step++;
                    TimeSpan took = Stopwatch.GetElapsedTime(stepBegan), waited = loader.Waited - waitedAtStep;
                    (stepBegan, waitedAtStep) = (Stopwatch.GetTimestamp(), loader.Waited);
                    Sums = Sums.After(sums, !gradient.IsFinite, took, waited);
                    window.Add(sums.Images, took, waited);
                    progress.Report(new StepEvent(stage, Epoch + 1, settings.Epochs, Step, steps,
                        sums.Loss, sums.Fine, sums.Margin, rate, gradient.Norm, !gradient.IsFinite,
                            window.ImagesPerSecond,
                        window.WaitShare, window.SecondsPerStep * ((settings.Epochs - Epoch) * (long)steps - Step),
                        device.PeakBytes)
                    { Accuracy = Answers is null ? null : (double)sums.Correct / samples });
                    ThrowIfAnyStops(cancellation);
                }
            }
            finally
            {
                next?.Dispose();
            }
            epochEnded(Sums.ToEvent(stage, Epoch + 1, settings.Epochs, steps, RateAt(Epoch + (steps - 1d) / steps)));
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        device.Free(_losses);
        Answers?.Dispose();
        _clipping.Dispose();
        Optimizer.Dispose();
        Average?.Dispose();
    }

    /// <summary>Checks that the trained weights are numbers.</summary>
    /// <exception cref="NotFiniteNumberException">One is not.</exception>
    public void CheckWeights()
    {
        foreach (Tensor parameter in Optimizer.Parameters)
            if (!float.IsFinite(
                System.Numerics.Tensors.TensorPrimitives.SumOfMagnitudes<float>(parameter.ToArray())))
                throw new NotFiniteNumberException(FormattableString.Invariant(
                    $"after step {Step} of epoch {Epoch + 1} a weight is no longer a number, at a learning rate of ")
                    + FormattableString.Invariant(
                    $"{_lastRate:0.0e-00} and a gradient norm of {_lastNorm:G4}"));
    }

    /// <summary>
    /// Ends a training that has diverged. A gradient beyond the range of fp16 is none: its step is left out, and the
    /// loss scale halved until it fits.
    /// </summary>
    private void CheckFinite(float loss, GradientClipping.Measurement gradient, float rate, int steps)
    {
        (_lastNorm, _lastRate) = (gradient.Norm, rate);
        bool scaleCanFall = Scaler.Current is { Scale: > 1 };
        if (float.IsFinite(loss) && (gradient.IsFinite || scaleCanFall))
            return;
        string what = float.IsFinite(loss) ? "the gradient is not finite" : $"the loss is {Name(loss)}";
        throw new NotFiniteNumberException(FormattableString.Invariant(
            $"at step {Step + 1} of {steps} in epoch {Epoch + 1} {what}, at a learning rate of {rate:0.0e-00} and a ")
            + $"gradient norm of {Name(gradient.Norm)}");

        static string Name(float value) => value.ToString("G4", System.Globalization.CultureInfo.InvariantCulture);
    }

    // The authors' restarts and CoOp's cosine move once an epoch, the others every step.
    private float RateAt(double epochs) => _schedule.At(
        settings.Schedule is ScheduleKind.CosineRestarts or ScheduleKind.LateCosine ? Math.Floor(epochs) : epochs);

    /// <summary>The optimizer that a stage's settings ask for.</summary>
    /// <param name="settings">Settings of the stage.</param>
    /// <param name="parameters">Parameters that it trains.</param>
    /// <param name="factorOf">Factor of the learning rate of each by its name; null for 1.</param>
    public static IOptimizer OptimizerOf(StageSettings settings,
        IReadOnlyList<(string Name, Tensor Tensor)> parameters, Func<string, float>? factorOf = null)
    {
        IOptimizer optimizer = settings.Optimizer == OptimizerKind.Sgd ? new Sgd(settings.Momentum)
            : new AdamW(settings.Beta1, settings.Beta2, settings.Epsilon,
                settings.Optimizer == OptimizerKind.AdamWHalf ? HalfWeights.Has : null);
        foreach (IGrouping<float, (string, Tensor)> group in parameters.GroupBy(entry =>
            factorOf?.Invoke(entry.Name) ?? 1))
            optimizer.AddGroup(group, settings.WeightDecay, group.Key);
        return optimizer;
    }

    // The next batch, whose pixels begin their way to the device while it still computes.
    private Batch? Next(IEnumerator<Batch> batches)
    {
        if (!batches.MoveNext())
            return null;
        batches.Current.BeginUpload(device);
        return batches.Current;
    }

    // After the update the step counts: it is ended before a cancellation is heard.
    private Batch? NextUnlessCanceled(IEnumerator<Batch> batches)
    {
        try
        {
            return Next(batches);
        }
        catch (OperationCanceledException)
        {
            return null;
        }
    }

    // Nothing here waits for the device: what it finds is read when the whole step has been queued.
    private void Queue(RankedBatch samples, Func<Tape, Batch, int, StepLoss> loss, CancellationToken cancellation)
    {
        if (Divided is not null)
        {
            int size = (settings.BatchSize + settings.Accumulate - 1) / settings.Accumulate;
            new GatheredStep(Divided, size).Run(device, samples, Epoch, Scaler.Scale, Keep, cancellation);
            (_gradients ??= new RankedGradients(device, Partial)).Sum();
            return;
        }
        using var tape = new Tape(device);
        StepLoss result = loss(tape, samples.Own, Epoch);
        Keep(result);
        tape.Backward(result.Total, Scaler.Scale);
    }

    private void Keep(StepLoss result)
    {
        device.Copy(result.Total.Data, _losses.Slice(0, 1));
        _hasParts = result.Parts is not null;
        if (result.Parts is { } parts)
            device.Copy(parts.Data, _losses.Slice(1, Losses - 1));
        if (result.Logits is { } logits)
            Answers?.Queue(logits);
    }

    private void Update(float rate)
    {
        _clipping.Measure(Optimizer.Parameters, Scaler.Scale);
        Optimizer.Step(rate, _clipping.Factor);
        Optimizer.ClearGradients();
        Average?.Update();
    }

    private StepSums Read(int images, int samples)
    {
        float[] losses = device.ToFloats(_losses);
        return new StepSums(losses[0], _hasParts ? losses[1] : null, _hasParts ? losses[2] : null, images)
        { Correct = Answers?.Take() ?? 0, Answered = Answers is null ? 0 : samples };
    }

    /// <summary>Losses and counts of a step.</summary>
    internal readonly record struct StepSums(float Loss, float? Fine, float? Margin, int Images)
    {
        public int Correct { get; init; }

        public int Answered { get; init; }
    }
}
