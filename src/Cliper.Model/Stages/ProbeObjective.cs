using System.Numerics.Tensors;

namespace Cliper.Model.Stages;

/// <summary>
/// Objective of the linear probe (scikit-learn's logistic regression): F = |W|² / 2 + C sum over i of
/// CE(W x_i + b, y_i); the bias is not regularized. Sums run in double over blocks of samples in a fixed order, so that
/// the number of threads changes no bit.
/// </summary>
/// <param name="features">x, [N, D].</param>
/// <param name="labels">y, [N].</param>
/// <param name="classes">K.</param>
/// <param name="shift">Subtracted from every x, [D]; null for nothing.</param>
internal sealed class ProbeObjective(float[] features, int[] labels, int classes, double[]? shift = null)
{
    private const int MostBlocks = 64, SamplesPerBlock = 256;

    /// <summary>Number of samples, N.</summary>
    public int Samples => labels.Length;

    /// <summary>Width of a feature, D.</summary>
    public int Width { get; } = labels.Length == 0 ? 0 : features.Length / labels.Length;

    /// <summary>Numbers of W and b together, K D + K.</summary>
    public int Parameters => classes * (Width + 1);

    /// <summary>Mean of the features, [D].</summary>
    public double[] Mean()
    {
        var mean = new double[Width];
        for (int i = 0; i < features.Length; i++)
            mean[i % Width] += features[i] / (double)Samples;
        return mean;
    }

    /// <summary>
    /// The same objective of features around zero. The bias is free, so its minimum has the same W, and a bias that
    /// <see cref="Uncenter"/> moves; it is far better conditioned.
    /// </summary>
    /// <param name="mean">The features' mean.</param>
    public ProbeObjective Centered(double[] mean) => new(features, labels, classes, mean);

    /// <summary>W and b for the features as they are.</summary>
    /// <param name="point">W and b for the features without their mean.</param>
    /// <param name="mean">The mean.</param>
    public double[] Uncenter(double[] point, double[] mean)
    {
        var moved = (double[])point.Clone();
        for (int k = 0; k < classes; k++)
            moved[classes * Width + k] -= TensorPrimitives.Dot<double>(point.AsSpan(k * Width, Width), mean);
        return moved;
    }

    /// <summary>The objective and its gradient.</summary>
    /// <param name="c">Factor C of the cross-entropies.</param>
    /// <param name="point">W, row-major, and then b.</param>
    /// <param name="gradient">Gradient of the same layout.</param>
    public double Evaluate(double c, double[] point, double[] gradient)
    {
        int blocks = Math.Clamp(Samples / SamplesPerBlock, 1, MostBlocks);
        var sums = new double[blocks];
        var gradients = new double[blocks][];
        Parallel.For(0, blocks, block => sums[block] = Block(point, gradients[block] = new double[Parameters],
            (int)((long)Samples * block / blocks), (int)((long)Samples * (block + 1) / blocks)));
        Span<double> weight = point.AsSpan(0, classes * Width);
        double value = TensorPrimitives.SumOfSquares<double>(weight) / 2;
        Array.Clear(gradient);
        weight.CopyTo(gradient);
        for (int block = 0; block < blocks; block++)
        {
            value += c * sums[block];
            TensorPrimitives.MultiplyAdd<double>(gradients[block], c, gradient, gradient);
        }
        return value;
    }

    /// <summary>Share of samples whose best class is right; ties go to the lowest index.</summary>
    /// <param name="point">W and b.</param>
    public double Accuracy(double[] point)
    {
        int right = 0;
        double[] x = new double[Width], scores = new double[classes];
        for (int i = 0; i < Samples; i++)
        {
            Score(point, i, x, scores);
            right += TensorPrimitives.IndexOfMax<double>(scores) == labels[i] ? 1 : 0;
        }
        return (double)right / Math.Max(1, Samples);
    }

    // Cross-entropies of some samples, and the sums of (p - e_y) x and p - e_y.
    private double Block(double[] point, double[] gradient, int begin, int end)
    {
        double[] x = new double[Width], scores = new double[classes];
        double total = 0;
        for (int i = begin; i < end; i++)
        {
            Score(point, i, x, scores);
            double largest = TensorPrimitives.Max<double>(scores), label = scores[labels[i]];
            TensorPrimitives.Add(scores, -largest, scores);
            TensorPrimitives.Exp<double>(scores, scores);
            double sum = TensorPrimitives.Sum<double>(scores);
            total += Math.Log(sum) + largest - label;
            for (int k = 0; k < classes; k++)
            {
                double share = scores[k] / sum - (k == labels[i] ? 1 : 0);
                Span<double> row = gradient.AsSpan(k * Width, Width);
                TensorPrimitives.MultiplyAdd(x, share, row, row);
                gradient[classes * Width + k] += share;
            }
        }
        return total;
    }

    private void Score(double[] point, int sample, double[] x, double[] scores)
    {
        ReadOnlySpan<float> row = features.AsSpan(sample * Width, Width);
        for (int i = 0; i < x.Length; i++)
            x[i] = shift is null ? row[i] : row[i] - shift[i];
        for (int k = 0; k < classes; k++)
            scores[k] = TensorPrimitives.Dot<double>(point.AsSpan(k * Width, Width), x) + point[classes * Width + k];
    }
}
