using System.Numerics.Tensors;

namespace Cliper.Model.Stages;

/// <summary>
/// L-BFGS (Nocedal and Wright 2006, algorithms 7.4 and 7.5) with a line search that meets the strong Wolfe conditions
/// (algorithms 3.5 and 3.6), in double precision on the host.
/// </summary>
/// <param name="function">Value at a point; writes the gradient into its second argument.</param>
/// <param name="memory">Pairs of steps and changes of the gradient that are kept.</param>
internal sealed class Lbfgs(Func<double[], double[], double> function, int memory = 10)
{
    private const double SufficientDecrease = 1e-4, Curvature = 0.9, Rounding = 1e-14;
    private const int MostTries = 40;

    private readonly List<(double[] Step, double[] Change, double Inverse)> _pairs = [];

    /// <summary>The end of a search.</summary>
    /// <param name="Point">Where it ended.</param>
    /// <param name="Value">The function there.</param>
    /// <param name="Gradient">Largest entry of the gradient there.</param>
    /// <param name="Iterations">Steps taken.</param>
    /// <param name="IsConverged">Whether the gradient is below the tolerance.</param>
    public sealed record Outcome(double[] Point, double Value, double Gradient, int Iterations, bool IsConverged);

    /// <summary>Looks for the minimum.</summary>
    /// <param name="start">First point; it is not changed.</param>
    /// <param name="tolerance">Largest entry of the gradient at which it ends.</param>
    /// <param name="maxIterations">Most steps.</param>
    /// <param name="cancellation">Ends it between two steps.</param>
    public Outcome Minimize(double[] start, double tolerance, int maxIterations, CancellationToken cancellation)
    {
        double[] x = (double[])start.Clone(), gradient = new double[x.Length];
        double value = function(x, gradient);
        int iterations = 0;
        for (; iterations < maxIterations && Largest(gradient) > tolerance; iterations++)
        {
            cancellation.ThrowIfCancellationRequested();
            double[] direction = Direction(gradient);
            double slope = TensorPrimitives.Dot<double>(direction, gradient);
            // The first step has no curvature to go by: it moves the point by at most 1.
            double length = _pairs.Count > 0 ? 1 : Math.Min(1, 1 / TensorPrimitives.Norm<double>(gradient));
            if (Search(x, value, slope, direction, length) is not { } found)
                break;
            Remember(x, gradient, found);
            (x, value, gradient) = (found.Point, found.Value, found.Gradient);
        }
        double largest = Largest(gradient);
        return new Outcome(x, value, largest, iterations, largest <= tolerance);
    }

    private static double Largest(double[] values) => Math.Abs(TensorPrimitives.MaxMagnitude<double>(values));

    /// <summary>The two-loop recursion: minus the approximate inverse Hessian times the gradient.</summary>
    private double[] Direction(double[] gradient)
    {
        var q = (double[])gradient.Clone();
        var factors = new double[_pairs.Count];
        for (int i = _pairs.Count - 1; i >= 0; i--)
        {
            factors[i] = _pairs[i].Inverse * TensorPrimitives.Dot<double>(_pairs[i].Step, q);
            TensorPrimitives.MultiplyAdd<double>(_pairs[i].Change, -factors[i], q, q);
        }
        if (_pairs.Count > 0)
        {
            (_, double[] change, double inverse) = _pairs[^1];
            TensorPrimitives.Multiply(q, 1 / (inverse * TensorPrimitives.Dot<double>(change, change)), q);
        }
        for (int i = 0; i < _pairs.Count; i++)
        {
            double beta = _pairs[i].Inverse * TensorPrimitives.Dot<double>(_pairs[i].Change, q);
            TensorPrimitives.MultiplyAdd<double>(_pairs[i].Step, factors[i] - beta, q, q);
        }
        TensorPrimitives.Negate<double>(q, q);
        return q;
    }

    private void Remember(double[] x, double[] gradient, Trial found)
    {
        double[] step = new double[x.Length], change = new double[x.Length];
        TensorPrimitives.Subtract<double>(found.Point, x, step);
        TensorPrimitives.Subtract<double>(found.Gradient, gradient, change);
        double product = TensorPrimitives.Dot<double>(step, change);
        if (!(product > 0))
            return;
        if (_pairs.Count == memory)
            _pairs.RemoveAt(0);
        _pairs.Add((step, change, 1 / product));
    }

    private sealed record Trial(double Length, double[] Point, double[] Gradient, double Value, double Slope);

    /// <summary>A step that meets the strong Wolfe conditions; null where rounding leaves none.</summary>
    private Trial? Search(double[] x, double value, double slope, double[] direction, double first)
    {
        if (!(slope < 0))
            return null;
        Trial previous = new(0, x, [], value, slope);
        double length = first;
        for (int i = 0; i < MostTries; i++, length *= 2)
        {
            Trial trial = Try(x, direction, length);
            if (IsAtRounding(trial))
                return trial;
            if (!IsLower(trial) || (i > 0 && trial.Value >= previous.Value))
                return Zoom(previous, trial);
            if (Math.Abs(trial.Slope) <= -Curvature * slope)
                return trial;
            if (trial.Slope >= 0)
                return Zoom(trial, previous);
            previous = trial;
        }
        return null;

        bool IsLower(Trial trial) => trial.Value <= value + SufficientDecrease * trial.Length * slope;

        // So near the minimum that values differ by their rounding alone the slopes decide (Hager and Zhang 2005, the
        // approximate Wolfe conditions).
        bool IsAtRounding(Trial trial) => Math.Abs(trial.Value - value) <= Rounding * Math.Abs(value)
            && trial.Slope >= Curvature * slope && trial.Slope <= (2 * SufficientDecrease - 1) * slope;

        // Between a low end, which decreases enough, and another one there is a step that meets both conditions.
        Trial? Zoom(Trial low, Trial high)
        {
            for (int i = 0; i < MostTries; i++)
            {
                Trial trial = Try(x, direction, Between(low, high));
                if (IsAtRounding(trial))
                    return trial;
                if (!IsLower(trial) || trial.Value >= low.Value)
                {
                    high = trial;
                    continue;
                }
                if (Math.Abs(trial.Slope) <= -Curvature * slope)
                    return trial;
                if (trial.Slope * (high.Length - low.Length) >= 0)
                    high = low;
                low = trial;
            }
            return low.Length > 0 ? low : null;
        }
    }

    /// <summary>The minimum of the parabola through two values and the slope at the low one, kept off the
    /// ends.</summary>
    private static double Between(Trial low, Trial high)
    {
        double width = high.Length - low.Length;
        double bend = high.Value - low.Value - low.Slope * width;
        double at = bend > 0 ? -low.Slope * width / (2 * bend) : 0.5;
        return low.Length + width * Math.Clamp(double.IsFinite(at) ? at : 0.5, 0.1, 0.9);
    }

    private Trial Try(double[] x, double[] direction, double length)
    {
        double[] point = new double[x.Length], gradient = new double[x.Length];
        TensorPrimitives.MultiplyAdd<double>(direction, length, x, point);
        double value = function(point, gradient);
        return new Trial(length, point, gradient, value, TensorPrimitives.Dot<double>(direction, gradient));
    }
}
