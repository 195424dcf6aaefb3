using Cliper.Model.Loading;
using Cliper.Model.Prompts;
using Cliper.Model.Samples;
using Cliper.Model.Settings;

namespace Cliper.Model.Stages;

/// <summary>
/// The linear probe of CLIP's paper (Radford et al. 2021, arXiv 2103.00020, appendix A.3): logistic regression on the
/// features of the frozen image tower, by L-BFGS. C is chosen on a held-out part of the training split, and the whole
/// split is fitted with it.
/// </summary>
/// <param name="settings">Settings of the run.</param>
/// <param name="head">The head that gets the solution.</param>
/// <param name="progress">Told what was chosen.</param>
internal sealed class LinearProbe(TrainSettings settings, LinearHead head, IProgress<TrainEvent> progress)
{
    // Strengths are powers of ten in steps of an eighth; the search begins at every sixteenth.
    private const int PerDecade = 8, Largest = 6 * PerDecade, FirstStep = 2 * PerDecade;

    /// <summary>A solution for one C.</summary>
    /// <param name="C">The factor.</param>
    /// <param name="Found">Where L-BFGS ended.</param>
    internal sealed record Solution(double C, Lbfgs.Outcome Found);

    /// <summary>Fits the head to a split.</summary>
    /// <param name="split">The training split.</param>
    /// <param name="table">Its features.</param>
    /// <param name="cancellation">Ends it between two steps.</param>
    public void Fit(DataSplit split, FeatureTable table, CancellationToken cancellation)
    {
        double c = settings.Probe.C;
        if (c == 0)
            c = Choose(split, table, cancellation);
        Solution solution = Solve(Objective(split, table, _ => true), c, settings.Probe, cancellation);
        (int classes, int width) = (head.Classes, table.Width);
        double[] point = solution.Found.Point;
        // The loss is the same for a common shift of the biases; reported is the one whose mean is zero.
        double mean = point.AsSpan(classes * width).ToArray().Average();
        head.Set([.. point.Take(classes * width).Select(value => (float)value)],
            [.. point.Skip(classes * width).Select(value => (float)(value - mean))]);
        progress.Report(new MessageEvent(FormattableString.Invariant(
            $"linear probe with C = {c:G4} (lambda = {1 / c:G4}): {solution.Found.Iterations} iterations of L-BFGS, ")
            + (solution.Found.IsConverged ? "converged"
                : FormattableString.Invariant($"not converged, largest gradient {solution.Found.Gradient:G3}")),
            Warning: !solution.Found.IsConverged));
    }

    /// <summary>The minimum for one C, from zero.</summary>
    internal static Solution Solve(ProbeObjective objective, double c, ProbeSettings settings,
        CancellationToken cancellation)
    {
        double[] mean = objective.Mean();
        ProbeObjective centered = objective.Centered(mean);
        // By the features as they are, the gradient by W is that around zero plus the bias's times the mean.
        double tolerance = settings.Tolerance * c * objective.Samples / (1 + mean.Max(Math.Abs));
        Lbfgs.Outcome found = new Lbfgs((point, gradient) => centered.Evaluate(c, point, gradient)).Minimize(
            new double[objective.Parameters], tolerance, settings.MaxIterations, cancellation);
        return new Solution(c, found with { Point = objective.Uncenter(found.Point, mean) });
    }

    // Halves the steps about the best strength, from two decades to an eighth; of equal ones the smallest is best.
    private double Choose(DataSplit split, FeatureTable table, CancellationToken cancellation)
    {
        (_, DataSplit held) = split.HoldOut(settings.Probe.ValidationFraction, settings.Seed);
        HashSet<string> names = [.. held.Samples.Select(sample => sample.Name)];
        ProbeObjective train = Objective(split, table, sample => !names.Contains(sample.Name)),
            validation = Objective(split, table, sample => names.Contains(sample.Name));
        var accuracies = new SortedDictionary<int, double>();
        for (int exponent = -Largest; exponent <= Largest; exponent += FirstStep)
            Measure(exponent);
        for (int step = FirstStep / 2; step >= 1; step /= 2)
        {
            int peak = Best();
            Measure(peak - step);
            Measure(peak + step);
        }
        double c = CAt(Best());
        progress.Report(new MessageEvent(FormattableString.Invariant(
            $"C = {c:G4} chosen of {accuracies.Count} from 1e-6 to 1e6: {accuracies[Best()]:P1} of ")
            + FormattableString.Invariant($"{validation.Samples} held-out training samples are right")));
        return c;

        int Best() => accuracies.MaxBy(entry => entry.Value).Key;

        void Measure(int exponent)
        {
            if (Math.Abs(exponent) > Largest || accuracies.ContainsKey(exponent))
                return;
            Solution solution = Solve(train, CAt(exponent), settings.Probe, cancellation);
            accuracies[exponent] = validation.Accuracy(solution.Found.Point);
            progress.Report(new WorkEvent(FormattableString.Invariant($"linear probe, C = {solution.C:G3}"),
                Math.Min(1, accuracies.Count / 15d)));
        }
    }

    private static double CAt(int exponent) => Math.Pow(10, (double)exponent / PerDecade);

    private ProbeObjective Objective(DataSplit split, FeatureTable table, Func<Sample, bool> wanted)
    {
        int[] indices = [.. Enumerable.Range(0, split.Samples.Count).Where(index => table.IsThere[index]
            && wanted(split.Samples[index]))];
        float[] rows = table.Rows(indices);
        if (settings.Head.Normalize)
            for (int i = 0; i < indices.Length; i++)
            {
                Span<float> row = rows.AsSpan(i * table.Width, table.Width);
                System.Numerics.Tensors.TensorPrimitives.Divide(row,
                    System.Numerics.Tensors.TensorPrimitives.Norm<float>(row), row);
            }
        return new ProbeObjective(rows, [.. indices.Select(index => split.Samples[index].Label)], head.Classes);
    }
}
