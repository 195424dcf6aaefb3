using Cliper.Model.Checkpoints;

namespace Cliper.Model.Stages;

/// <summary>Adds up the steps of an epoch, and reports their means.</summary>
internal static class EpochSummary
{
    /// <summary>The sums with one more step.</summary>
    public static EpochSums After(this EpochSums sums, StageLoop.StepSums step, bool skipped,
        TimeSpan took, TimeSpan waited) => new(
        sums.Loss + step.Loss, sums.Fine + (step.Fine ?? 0),
        sums.Margin + (step.Margin ?? 0), sums.HasParts || step.Fine is not null, sums.Steps + 1,
        sums.Skipped + (skipped ? 1 : 0), sums.Images + step.Images, sums.Seconds + took.TotalSeconds,
        sums.Waited + waited.TotalSeconds)
        { Correct = sums.Correct + step.Correct, Answered = sums.Answered + step.Answered };

    /// <summary>The epoch's means.</summary>
    public static EpochEvent ToEvent(this EpochSums sums, TrainingStage stage, int epoch, int epochs, int steps,
        float rate)
    {
        int taken = Math.Max(1, sums.Steps);
        double seconds = Math.Max(sums.Seconds, 1e-9);
        return new EpochEvent(stage, epoch, epochs, steps, (float)(sums.Loss / taken),
            sums.HasParts ? (float)(sums.Fine / taken) : null,
            sums.HasParts ? (float)(sums.Margin / taken) : null, rate,
            sums.Images / seconds, sums.Waited / seconds, sums.Seconds, sums.Skipped, null, null, null)
        { Accuracy = sums.Answered > 0 ? (double)sums.Correct / sums.Answered : null };
    }
}
