namespace Cliper.Model.Stages;

/// <summary>Sums over the steps of an epoch; kept in checkpoints, so that a resumed epoch reports all of its steps.</summary>
/// <param name="Loss">Of the steps' losses.</param>
/// <param name="Fine">Of the fine-grained cross-entropies.</param>
/// <param name="Margin">Of the margin losses.</param>
/// <param name="HasParts">Whether the loss has those two parts.</param>
/// <param name="Steps">Steps.</param>
/// <param name="Skipped">Steps not taken because of a gradient that was not finite.</param>
/// <param name="Images">Pictures, every frame of a clip.</param>
/// <param name="Seconds">Time they took.</param>
/// <param name="Waited">Seconds of it spent waiting for data.</param>
public readonly record struct EpochSums(double Loss, double Fine, double Margin, bool HasParts, int Steps, int Skipped, long Images,
    double Seconds, double Waited)
{
    /// <summary>With one more step.</summary>
    internal EpochSums After(StageLoop.StepSums step, int microBatches, bool skipped, TimeSpan took, TimeSpan waited) => new(
        Loss + step.Loss / microBatches, Fine + (step.Fine ?? 0) / microBatches, Margin + (step.Margin ?? 0) / microBatches,
        HasParts || step.Fine is not null, Steps + 1, Skipped + (skipped ? 1 : 0), Images + step.Images, Seconds + took.TotalSeconds,
        Waited + waited.TotalSeconds);

    /// <summary>The epoch's means.</summary>
    internal EpochEvent ToEvent(string phase, int epoch, int epochs, int steps, float rate)
    {
        int taken = Math.Max(1, Steps);
        double seconds = Math.Max(Seconds, 1e-9);
        return new EpochEvent(phase, epoch, epochs, steps, (float)(Loss / taken), HasParts ? (float)(Fine / taken) : null,
            HasParts ? (float)(Margin / taken) : null, rate, Images / seconds, Waited / seconds, Seconds, Skipped, null, null, null);
    }
}
