namespace Cliper.Model.Checkpoints;

/// <summary>Sums over the steps of an epoch; kept in checkpoints, so that a resumed epoch reports all of its
/// steps.</summary>
/// <param name="Loss">Sum of the steps' losses.</param>
/// <param name="Fine">Sum of the fine-grained cross-entropies.</param>
/// <param name="Margin">Sum of the margin losses.</param>
/// <param name="HasParts">Whether the loss has those two parts.</param>
/// <param name="Steps">Number of steps.</param>
/// <param name="Skipped">Number of steps not taken because of a gradient that was not finite.</param>
/// <param name="Images">Number of images, every frame of a clip.</param>
/// <param name="Seconds">Time they took.</param>
/// <param name="Waited">Seconds of it spent waiting for data.</param>
internal readonly record struct EpochSums(double Loss, double Fine, double Margin, bool HasParts, int Steps,
    int Skipped, long Images,
    double Seconds, double Waited)
{
    /// <summary>Number of samples that got the right answer; 0 where the loss has no classes.</summary>
    public long Correct { get; init; }

    /// <summary>Number of samples that were counted for it.</summary>
    public long Answered { get; init; }
}
