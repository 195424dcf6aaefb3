namespace Cliper.Model.Metrics;

/// <summary>
/// Counts of (true class, predicted class) and the scores that follow from them. WAR, weighted average recall, is the
/// share of samples predicted right (accuracy); UAR, unweighted average recall, is the mean of the classes' recalls.
/// Scores are fractions in [0, 1]; a score whose denominator is zero is null, never a silent 0. Not thread-safe.
/// </summary>
public sealed class ConfusionMatrix
{
    private readonly long[] _counts;

    /// <summary>An empty matrix.</summary>
    /// <param name="classes">Names by class index; at least one.</param>
    /// <exception cref="ArgumentException">There are no classes.</exception>
    public ConfusionMatrix(IReadOnlyList<string> classes)
    {
        ArgumentOutOfRangeException.ThrowIfZero(classes.Count, nameof(classes));
        Classes = [.. classes];
        _counts = new long[classes.Count * classes.Count];
    }

    /// <summary>The matrix of raw counts, rows by true class, as <see cref="ToRows"/> gives them.</summary>
    /// <param name="classes">Names by class index; at least one.</param>
    /// <param name="rows">One row a class, of one count a class.</param>
    public static ConfusionMatrix FromRows(IReadOnlyList<string> classes, long[][] rows)
    {
        var matrix = new ConfusionMatrix(classes);
        for (int actual = 0; actual < rows.Length; actual++)
            for (int predicted = 0; predicted < rows[actual].Length; predicted++)
                matrix.Add(actual, predicted, rows[actual][predicted]);
        return matrix;
    }

    /// <summary>Names by class index.</summary>
    public IReadOnlyList<string> Classes { get; }

    /// <summary>
    /// How many samples of class <paramref name="actual"/> were predicted as <paramref name="predicted"/>.
    /// </summary>
    public long this[int actual, int predicted] => _counts[Index(actual, predicted)];

    /// <summary>Samples counted.</summary>
    public long Samples { get; private set; }

    /// <summary>Samples predicted right.</summary>
    public long Correct
    {
        get
        {
            long correct = 0;
            for (int index = 0; index < Classes.Count; index++)
                correct += this[index, index];
            return correct;
        }
    }

    /// <summary>Accuracy: correct / samples; null without samples.</summary>
    public double? War => Ratio(Correct, Samples);

    /// <summary>Mean recall over the classes that have samples; null without samples.</summary>
    public double? Uar
    {
        get
        {
            double sum = 0;
            int present = 0;
            for (int index = 0; index < Classes.Count; index++)
            {
                if (Ratio(this[index, index], ActualCount(index)) is not { } recall)
                    continue;
                sum += recall;
                present++;
            }
            return present == 0 ? null : sum / present;
        }
    }

    /// <summary>Mean F1 over the classes for which it is defined; null when there is none.</summary>
    public double? MacroF1
    {
        get
        {
            double[] defined = [.. Enumerable.Range(0, Classes.Count).Select(Score).Where(s => s.F1 != null)
                .Select(s => s.F1!.Value)];
            return defined.Length == 0 ? null : defined.Average();
        }
    }

    /// <summary>Counts one sample.</summary>
    /// <exception cref="ArgumentOutOfRangeException">A class index is outside the list of classes.</exception>
    public void Add(int actual, int predicted) => Add(actual, predicted, 1);

    /// <summary>Counts <paramref name="samples"/> samples of one cell.</summary>
    /// <exception cref="ArgumentOutOfRangeException">A class index is outside the list, or the count is
    /// negative.</exception>
    public void Add(int actual, int predicted, long samples)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(samples);
        _counts[Index(actual, predicted)] += samples;
        Samples += samples;
    }

    /// <summary>
    /// Adds the counts of another matrix of the same classes, such as another fold or another thread's part.
    /// </summary>
    /// <exception cref="ArgumentException">The classes differ.</exception>
    public void Add(ConfusionMatrix other)
    {
        if (!Classes.SequenceEqual(other.Classes))
            throw new ArgumentException(
                $"classes differ: {string.Join(", ", Classes)} and {string.Join(", ", other.Classes)}", nameof(other));
        for (int index = 0; index < _counts.Length; index++)
            _counts[index] += other._counts[index];
        Samples += other.Samples;
    }

    /// <summary>Samples whose true class this is.</summary>
    public long ActualCount(int index)
    {
        long sum = 0;
        for (int predicted = 0; predicted < Classes.Count; predicted++)
            sum += this[index, predicted];
        return sum;
    }

    /// <summary>Samples predicted as this class.</summary>
    public long PredictedCount(int index)
    {
        long sum = 0;
        for (int actual = 0; actual < Classes.Count; actual++)
            sum += this[actual, index];
        return sum;
    }

    /// <summary>Scores of one class.</summary>
    public ClassScore Score(int index)
    {
        long right = this[index, index];
        long actual = ActualCount(index);
        long predicted = PredictedCount(index);
        return new ClassScore(Classes[index], actual, Ratio(right, actual), Ratio(right, predicted),
            Ratio(2 * right, actual + predicted));
    }

    /// <summary>The raw counts, rows by true class.</summary>
    public long[][] ToRows()
    {
        var rows = new long[Classes.Count][];
        for (int actual = 0; actual < rows.Length; actual++)
            rows[actual] = _counts.AsSpan(actual * Classes.Count, Classes.Count).ToArray();
        return rows;
    }

    private int Index(int actual, int predicted)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(actual);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(actual, Classes.Count);
        ArgumentOutOfRangeException.ThrowIfNegative(predicted);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(predicted, Classes.Count);
        return (actual * Classes.Count) + predicted;
    }

    private static double? Ratio(long part, long whole) => whole == 0 ? null : (double)part / whole;
}

/// <summary>Scores of one class, fractions in [0, 1].</summary>
/// <param name="Name">The class.</param>
/// <param name="Samples">Samples whose true class this is.</param>
/// <param name="Recall">Share of its samples that were predicted as it; null when it has none.</param>
/// <param name="Precision">Share of the predictions of it that are right; null when it was never predicted.</param>
/// <param name="F1">Harmonic mean of the two, 2 right / (samples + predictions); null when both are zero.</param>
public sealed record ClassScore(string Name, long Samples, double? Recall, double? Precision, double? F1);
