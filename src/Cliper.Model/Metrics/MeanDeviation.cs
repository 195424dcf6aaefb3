namespace Cliper.Model.Metrics;

/// <summary>A score over several folds.</summary>
/// <param name="Mean">Arithmetic mean; null when a fold has no such score, or there are no folds.</param>
/// <param name="Deviation">Standard deviation of a sample (n - 1 in the divisor); null for fewer than two
/// folds.</param>
public readonly record struct MeanDeviation(double? Mean, double? Deviation)
{
    /// <summary>Mean and deviation of <paramref name="scores"/>.</summary>
    public static MeanDeviation Of(IEnumerable<double?> scores)
    {
        double?[] all = [.. scores];
        if (all.Length == 0 || all.Any(score => score is null))
            return default;
        double mean = all.Average()!.Value;
        return new MeanDeviation(mean, all.Length < 2 ? null
            : Math.Sqrt(all.Sum(score => (score!.Value - mean) * (score.Value - mean)) / (all.Length - 1)));
    }
}
