using Cliper.Model.Settings;
using Cliper.Model.Stages;

namespace Cliper.Model.Tests.Stages;

/// <summary>Facts on the optimum of the linear probe, and the search for it.</summary>
public sealed class LinearProbeTests
{
    private const int Classes = 3, Width = 5, Samples = 60;

    // Class 0 has half the samples.
    private static readonly int[] Labels =
        [.. Enumerable.Range(0, Samples).Select(i => i % 4 is 0 or 1 ? 0 : i % 4 - 1)];

    private static readonly float[] Features = MakeFeatures();

    [TestCase(1e-6)]
    [TestCase(1)]
    [TestCase(1e4)]
    public void Solve_AnyStrength_EndsAtAMinimum(double c)
    {
        LinearProbe.Solution solution = Solve(Labels, c);
        double[] point = solution.Found.Point, gradient = new double[point.Length];
        var objective = new ProbeObjective(Features, Labels, Classes);
        double least = objective.Evaluate(c, point, gradient);

        Assert.That(solution.Found.IsConverged);
        Assert.That(gradient.Max(Math.Abs), Is.LessThanOrEqualTo(1e-6 * c * Samples));
        for (int i = 0; i < point.Length; i++)
            foreach (double step in new[] { -1e-2, 1e-2 })
            {
                var moved = (double[])point.Clone();
                moved[i] += step;
                Assert.That(objective.Evaluate(c, moved, gradient), Is.GreaterThan(least), $"parameter {i}");
            }
        for (int column = 0; column < Width; column++)
            Assert.That(Enumerable.Range(0, Classes).Sum(k => point[k * Width + column]),
                Is.EqualTo(0).Within(Classes * 1e-6 * c * Samples), "the columns of W sum to zero");
    }

    [Test]
    public void Solve_NoStrength_PredictsTheMostFrequentClass()
    {
        double[] point = Solve(Labels, 1e-9).Found.Point;

        Assert.That(new ProbeObjective(Features, Labels, Classes).Accuracy(point), Is.EqualTo(0.5));
    }

    [Test]
    public void Solve_ClassesInAnotherOrder_PermutesTheSolution()
    {
        int[] order = [2, 0, 1];
        double[] straight = Solve(Labels, 1).Found.Point,
            permuted = Solve([.. Labels.Select(label => order[label])], 1).Found.Point;

        for (int k = 0; k < Classes; k++)
            for (int column = 0; column < Width; column++)
                Assert.That(permuted[order[k] * Width + column], Is.EqualTo(straight[k * Width + column]).Within(1e-4));
    }

    [Test]
    public void Minimize_Rosenbrock_IsFoundInSomeDozenSteps()
    {
        var search = new Lbfgs((x, gradient) =>
        {
            double a = 1 - x[0], b = x[1] - x[0] * x[0];
            (gradient[0], gradient[1]) = (-2 * a - 400 * x[0] * b, 200 * b);
            return a * a + 100 * b * b;
        });
        Lbfgs.Outcome found = search.Minimize([-1.2, 1], 1e-8, 100, default);

        Assert.That(found.IsConverged);
        Assert.That(found.Iterations, Is.LessThan(60));
        Assert.That(found.Point, Is.EqualTo(new[] { 1.0, 1.0 }).Within(1e-6));
    }

    [Test]
    public void Minimize_TooFewIterations_SaysSo()
    {
        LinearProbe.Solution solution = LinearProbe.Solve(new ProbeObjective(Features, Labels, Classes), 1e4,
            new ProbeSettings { MaxIterations = 2 }, default);

        Assert.That(solution.Found.IsConverged, Is.False);
        Assert.That(solution.Found.Iterations, Is.EqualTo(2));
    }

    private static LinearProbe.Solution Solve(int[] labels, double c) =>
        LinearProbe.Solve(new ProbeObjective(Features, labels, Classes), c, new ProbeSettings(), default);

    private static float[] MakeFeatures()
    {
        var random = new Random(7);
        return [.. Enumerable.Range(0, Samples * Width).Select(i =>
            random.NextSingle() + (i % Width == Labels[i / Width] ? 0.6f : 0))];
    }
}
