namespace Cliper.Model.Interpretation;

/// <summary>
/// t-SNE, exact (van der Maaten and Hinton 2008, JMLR 9): points in the plane whose neighbors are those of the given
/// vectors. The same vectors give the same bits. Distances of far groups, and their sizes, mean nothing.
/// </summary>
internal sealed class TSne
{
    private const int Steps = 1000, ExaggeratedSteps = 250;
    private const double Exaggeration = 12, EarlyMomentum = 0.5, LateMomentum = 0.8, LeastGain = 0.01;
    private const double Floor = 1e-12, FirstDeviation = 1e-4, EntropyTolerance = 1e-5;
    private const int MostTries = 50;

    private readonly int _count;
    private readonly double[] _shares;

    private TSne(int count, double[] shares) => (_count, _shares) = (count, shares);

    /// <summary>Kullback-Leibler divergence of the last step.</summary>
    public double Divergence { get; private set; }

    /// <summary>The points, [count][2].</summary>
    public double[] Points { get; private set; } = [];

    /// <summary>Places vectors in the plane.</summary>
    /// <param name="rows">Vectors, [count, width].</param>
    /// <param name="width">Numbers of a vector.</param>
    /// <param name="perplexity">About how many neighbors count; at most a third of the others.</param>
    /// <param name="cancellation">Ends it with an <see cref="OperationCanceledException"/> between two steps.</param>
    /// <exception cref="ArgumentException">There are fewer than four vectors.</exception>
    public static TSne Of(ReadOnlySpan<float> rows, int width, double perplexity = 30,
        CancellationToken cancellation = default)
    {
        int count = rows.Length / width;
        if (count < 4)
            throw new ArgumentException($"{count} vectors, expected at least 4", nameof(rows));
        var map = new TSne(count, Shares(Distances(rows, width), count, Math.Min(perplexity, (count - 1) / 3.0)));
        map.Points = PrincipalAxes.Project(rows, width, axes: 2);
        Scale(map.Points);
        map.Descend(cancellation);
        return map;
    }

    /// <summary>Squared distances, [count, count].</summary>
    internal static double[] Distances(ReadOnlySpan<float> rows, int width)
    {
        int count = rows.Length / width;
        var distances = new double[count * count];
        for (int i = 0; i < count; i++)
            for (int j = 0; j < i; j++)
            {
                double sum = 0;
                for (int d = 0; d < width; d++)
                {
                    double difference = (double)rows[i * width + d] - rows[j * width + d];
                    sum += difference * difference;
                }
                distances[i * count + j] = distances[j * count + i] = sum;
            }
        return distances;
    }

    /// <summary>
    /// The symmetric shares p of all pairs, which add up to 1: Gaussians about each vector, so wide that their entropy
    /// is log2 of the perplexity, found by bisection.
    /// </summary>
    /// <param name="distances">Squared distances, [count, count].</param>
    /// <param name="count">Vectors.</param>
    /// <param name="perplexity">Neighbors wanted.</param>
    internal static double[] Shares(double[] distances, int count, double perplexity)
    {
        var conditional = new double[count * count];
        for (int i = 0; i < count; i++)
            Row(distances.AsSpan(i * count, count), conditional.AsSpan(i * count, count), i, Math.Log2(perplexity));
        var shares = new double[count * count];
        for (int i = 0; i < count; i++)
            for (int j = 0; j < count; j++)
                shares[i * count + j] = i == j ? 0
                    : Math.Max(Floor, (conditional[i * count + j] + conditional[j * count + i]) / (2.0 * count));
        return shares;
    }

    private static void Row(ReadOnlySpan<double> distances, Span<double> shares, int self, double entropy)
    {
        // Without the smallest distance the largest weight is 1, whatever the width.
        double nearest = double.PositiveInfinity, low = 0, high = double.PositiveInfinity, beta = 1;
        for (int j = 0; j < distances.Length; j++)
            if (j != self)
                nearest = Math.Min(nearest, distances[j]);
        for (int attempt = 0; attempt < MostTries; attempt++)
        {
            double sum = 0, weighted = 0;
            for (int j = 0; j < distances.Length; j++)
            {
                double away = distances[j] - nearest, weight = j == self ? 0 : Math.Exp(-beta * away);
                shares[j] = weight;
                sum += weight;
                weighted += weight * away;
            }
            for (int j = 0; j < shares.Length; j++)
                shares[j] /= sum;
            double found = Math.Log2(sum) + beta * weighted / sum / Math.Log(2);
            if (Math.Abs(found - entropy) <= EntropyTolerance)
                return;
            if (found > entropy)
                (low, beta) = (beta, double.IsInfinity(high) ? beta * 2 : (beta + high) / 2);
            else
                (high, beta) = (beta, (beta + low) / 2);
        }
    }

    private void Descend(CancellationToken cancellation)
    {
        double rate = Math.Max(_count / 48.0, 50);
        var gradient = new double[2 * _count];
        var velocity = new double[2 * _count];
        double[] gains = [.. Enumerable.Repeat(1.0, 2 * _count)];
        var closeness = new double[_count * _count];
        for (int step = 0; step < Steps; step++)
        {
            cancellation.ThrowIfCancellationRequested();
            bool isEarly = step < ExaggeratedSteps;
            double momentum = isEarly ? EarlyMomentum : LateMomentum;
            Divergence = Gradient(gradient, closeness, isEarly ? Exaggeration : 1);
            for (int i = 0; i < gradient.Length; i++)
            {
                gains[i] = Math.Max(LeastGain,
                    Math.Sign(gradient[i]) != Math.Sign(velocity[i]) ? gains[i] + 0.2 : gains[i] * 0.8);
                velocity[i] = momentum * velocity[i] - rate * gains[i] * gradient[i];
                Points[i] += velocity[i];
            }
            Center(Points);
        }
    }

    /// <summary>
    /// dC/dy_i = 4 sum_j (p_ij - q_ij) (y_i - y_j) / (1 + |y_i - y_j|²), and the divergence C without the
    /// exaggeration.
    /// </summary>
    private double Gradient(double[] gradient, double[] closeness, double exaggeration)
    {
        double total = 0;
        for (int i = 0; i < _count; i++)
            for (int j = 0; j < i; j++)
            {
                double x = Points[2 * i] - Points[2 * j], y = Points[2 * i + 1] - Points[2 * j + 1];
                double close = 1 / (1 + x * x + y * y);
                closeness[i * _count + j] = close;
                total += 2 * close;
            }
        Array.Clear(gradient);
        double divergence = 0;
        for (int i = 0; i < _count; i++)
            for (int j = 0; j < i; j++)
            {
                double close = closeness[i * _count + j], share = _shares[i * _count + j];
                double model = Math.Max(Floor, close / total);
                divergence += 2 * share * Math.Log(share / model);
                double pull = 4 * (exaggeration * share - model) * close;
                double x = pull * (Points[2 * i] - Points[2 * j]), y = pull * (Points[2 * i + 1] - Points[2 * j + 1]);
                gradient[2 * i] += x;
                gradient[2 * i + 1] += y;
                gradient[2 * j] -= x;
                gradient[2 * j + 1] -= y;
            }
        return divergence;
    }

    /// <summary>Moves the mean to zero and gives the first axis a standard deviation of 1e-4.</summary>
    private static void Scale(double[] points)
    {
        Center(points);
        double sum = 0;
        for (int i = 0; i < points.Length; i += 2)
            sum += points[i] * points[i];
        double deviation = Math.Sqrt(sum / (points.Length / 2));
        for (int i = 0; i < points.Length; i++)
            points[i] *= deviation > 0 ? FirstDeviation / deviation : 0;
    }

    private static void Center(double[] points)
    {
        for (int axis = 0; axis < 2; axis++)
        {
            double mean = 0;
            for (int i = axis; i < points.Length; i += 2)
                mean += points[i];
            mean /= points.Length / 2;
            for (int i = axis; i < points.Length; i += 2)
                points[i] -= mean;
        }
    }
}
