namespace Cliper.Model.Metrics;

/// <summary>An answer and the truth.</summary>
/// <param name="Probabilities">Probability of each class.</param>
/// <param name="Label">Index of the true class.</param>
public readonly record struct LabeledAnswer(IReadOnlyList<float> Probabilities, int Label);

/// <summary>Whether probabilities mean shares, and the temperature that makes them so (Guo et al. 2017, arXiv
/// 1706.04599).</summary>
public static class Calibration
{
    /// <summary>Bins of the calibration error.</summary>
    public const int Bins = 15;

    private const double LowestTemperature = 0.05, HighestTemperature = 20;

    /// <summary>Logarithm of the smallest normal number: a probability that has become 0 counts as this.</summary>
    private const double LeastLogarithm = -87;

    /// <summary>
    /// Expected calibration error, 0 to 1: answers fall into <see cref="Bins"/> equal intervals by the probability of
    /// their class; the mean over the answers of |share that is right - mean probability| of their interval. Null
    /// without an answer.
    /// </summary>
    public static double? ErrorOf(IReadOnlyCollection<LabeledAnswer> answers)
    {
        var count = new int[Bins];
        double[] right = new double[Bins], sure = new double[Bins];
        foreach ((IReadOnlyList<float> probabilities, int label) in answers)
        {
            float largest = probabilities.Max();
            int bin = Math.Min((int)(largest * Bins), Bins - 1);
            count[bin]++;
            sure[bin] += largest;
            // Ties go to the lowest index, as in a prediction.
            right[bin] += probabilities.TakeWhile(value => value < largest).Count() == label ? 1 : 0;
        }
        return answers.Count == 0 ? null
            : Enumerable.Range(0, Bins).Sum(bin => Math.Abs(right[bin] - sure[bin])) / answers.Count;
    }

    /// <summary>
    /// The temperature of least negative log-likelihood. The likelihood is convex in the temperature's inverse, so a
    /// golden-section search between 0.05 and 20 finds it.
    /// </summary>
    /// <param name="answers">Answers at temperature 1, at least one.</param>
    public static float Fit(IReadOnlyCollection<LabeledAnswer> answers)
    {
        ArgumentOutOfRangeException.ThrowIfZero(answers.Count);
        // Logits are logarithms of probabilities, up to a constant that the softmax removes.
        (double[] Logits, int Label)[] rows = [.. answers.Select(answer =>
            (answer.Probabilities.Select(value => Math.Max(LeastLogarithm, Math.Log(value))).ToArray(), answer.Label))];
        const double Ratio = 0.6180339887498949;
        double low = Math.Log(LowestTemperature), high = Math.Log(HighestTemperature);
        double left = high - Ratio * (high - low), right = low + Ratio * (high - low);
        double atLeft = Loss(rows, left), atRight = Loss(rows, right);
        while (high - low > 1e-4)
            if (atLeft <= atRight)
            {
                (high, right, atRight) = (right, left, atLeft);
                atLeft = Loss(rows, left = high - Ratio * (high - low));
            }
            else
            {
                (low, left, atLeft) = (left, right, atRight);
                atRight = Loss(rows, right = low + Ratio * (high - low));
            }
        return (float)Math.Exp((low + high) / 2);
    }

    /// <summary>The probabilities that an answer at temperature 1 has at another one.</summary>
    public static float[] AtTemperature(IReadOnlyList<float> probabilities, float temperature)
    {
        double[] powers = [.. probabilities.Select(value => Math.Pow(value, 1.0 / temperature))];
        double sum = powers.Sum();
        return [.. powers.Select(power => (float)(power / sum))];
    }

    private static double Loss((double[] Logits, int Label)[] rows, double logTemperature)
    {
        double temperature = Math.Exp(logTemperature), sum = 0;
        foreach ((double[] logits, int label) in rows)
        {
            double largest = logits.Max();
            sum += Math.Log(logits.Sum(value => Math.Exp((value - largest) / temperature)))
                - (logits[label] - largest) / temperature;
        }
        return sum / rows.Length;
    }
}
