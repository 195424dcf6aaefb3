namespace Cliper.Model.Prompts;

/// <summary>A model's answer for one image or video clip.</summary>
/// <param name="Class">Index of the most probable class.</param>
/// <param name="Probabilities">Probability of each class; they sum to 1.</param>
/// <param name="Subclass">Index of the nearest descriptor of that class, 0 to M - 1.</param>
public sealed record Prediction(int Class, float[] Probabilities, int Subclass)
{
    /// <summary>Index of the nearest descriptor of each class, 0 to M - 1.</summary>
    public IReadOnlyList<int> Nearest { get; init; } = [];

    /// <summary>The scores that it was made of, K * M, class by class.</summary>
    internal float[] Logits { get; init; } = [];

    /// <summary>
    /// CLIPER's prediction: the mean of a class's logits over its descriptors, softmax over the classes. Ties go to the
    /// lowest index.
    /// </summary>
    /// <param name="logits">One row of K * M logits, class by class.</param>
    /// <param name="subclasses">Descriptors a class, M.</param>
    /// <param name="temperature">Divisor of the means before the softmax, see
    /// <see cref="CliperModel.AnswerTemperature"/>.</param>
    /// <exception cref="InputException">A logit is no number, as those of damaged weights are.</exception>
    public static Prediction FromLogits(ReadOnlySpan<float> logits, int subclasses, float temperature = 1)
    {
        foreach (float logit in logits)
            if (!float.IsFinite(logit))
                throw new InputException($"the model's score of an image is {logit.ToString(
                    System.Globalization.CultureInfo.InvariantCulture)}, not a finite number: its weights are damaged, "
                    + "or its training has diverged; use another checkpoint");
        float[] probabilities = Means(logits, subclasses);
        int best = IndexOfMax(probabilities);
        double total = 0;
        float largest = probabilities[best];
        foreach (ref float value in probabilities.AsSpan())
            total += value = MathF.Exp((value - largest) / temperature);
        foreach (ref float value in probabilities.AsSpan())
            value = (float)(value / total);
        var nearest = new int[probabilities.Length];
        for (int k = 0; k < nearest.Length; k++)
            nearest[k] = IndexOfMax(logits.Slice(k * subclasses, subclasses));
        return new Prediction(best, probabilities, nearest[best]) { Nearest = nearest, Logits = [.. logits] };
    }

    /// <summary>The class of the answer alone.</summary>
    /// <param name="logits">One row of K * M logits, class by class.</param>
    /// <param name="subclasses">Descriptors a class, M.</param>
    internal static int ClassOf(ReadOnlySpan<float> logits, int subclasses) => IndexOfMax(Means(logits, subclasses));

    private static float[] Means(ReadOnlySpan<float> logits, int subclasses)
    {
        var means = new float[logits.Length / subclasses];
        for (int k = 0; k < means.Length; k++)
        {
            float sum = 0;
            foreach (float logit in logits.Slice(k * subclasses, subclasses))
                sum += logit;
            means[k] = sum / subclasses;
        }
        return means;
    }

    private static int IndexOfMax(ReadOnlySpan<float> values)
    {
        int best = 0;
        for (int i = 1; i < values.Length; i++)
            if (values[i] > values[best])
                best = i;
        return best;
    }
}
