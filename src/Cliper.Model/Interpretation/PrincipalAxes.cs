using Cliper.Kernels.Operations;

namespace Cliper.Model.Interpretation;

/// <summary>Principal components, the few first, by subspace iteration on the covariance.</summary>
internal static class PrincipalAxes
{
    private const int Rounds = 200;

    // Distinct from the steps that weights are drawn in.
    private const uint FirstAxes = 0x50434121;

    /// <summary>The coordinates of vectors along the axes of largest variance, the mean at zero.</summary>
    /// <param name="rows">Vectors, [count, width].</param>
    /// <param name="width">Numbers of a vector.</param>
    /// <param name="axes">Axes wanted.</param>
    /// <returns>[count, axes]; an axis has that sign by which its largest number is positive.</returns>
    public static double[] Project(ReadOnlySpan<float> rows, int width, int axes)
    {
        int count = rows.Length / width;
        double[] centered = Centered(rows, width), covariance = Covariance(centered, width);
        double[] basis = Basis(covariance, width, axes);
        var coordinates = new double[count * axes];
        for (int row = 0; row < count; row++)
            for (int axis = 0; axis < axes; axis++)
            {
                double sum = 0;
                for (int d = 0; d < width; d++)
                    sum += centered[row * width + d] * basis[axis * width + d];
                coordinates[row * axes + axis] = sum;
            }
        return coordinates;
    }

    private static double[] Centered(ReadOnlySpan<float> rows, int width)
    {
        int count = rows.Length / width;
        var centered = new double[rows.Length];
        for (int d = 0; d < width; d++)
        {
            double mean = 0;
            for (int row = 0; row < count; row++)
                mean += rows[row * width + d];
            mean /= count;
            for (int row = 0; row < count; row++)
                centered[row * width + d] = rows[row * width + d] - mean;
        }
        return centered;
    }

    private static double[] Covariance(double[] centered, int width)
    {
        var covariance = new double[width * width];
        for (int row = 0; row < centered.Length; row += width)
            for (int i = 0; i < width; i++)
                for (int j = 0; j <= i; j++)
                    covariance[i * width + j] += centered[row + i] * centered[row + j];
        for (int i = 0; i < width; i++)
            for (int j = i + 1; j < width; j++)
                covariance[i * width + j] = covariance[j * width + i];
        return covariance;
    }

    private static double[] Basis(double[] covariance, int width, int axes)
    {
        var basis = new double[axes * width];
        var random = new RandomStream(0, RandomPurpose.Initialization, FirstAxes);
        foreach (ref double value in basis.AsSpan())
            value = random.NextNormal();
        var next = new double[axes * width];
        for (int round = 0; round < Rounds; round++)
        {
            for (int axis = 0; axis < axes; axis++)
                for (int i = 0; i < width; i++)
                {
                    double sum = 0;
                    for (int j = 0; j < width; j++)
                        sum += covariance[i * width + j] * basis[axis * width + j];
                    next[axis * width + i] = sum;
                }
            (basis, next) = (next, basis);
            for (int axis = 0; axis < axes; axis++)
                Orthonormalize(basis, axis, width);
        }
        for (int axis = 0; axis < axes; axis++)
            TurnPositive(basis.AsSpan(axis * width, width));
        return basis;
    }

    /// <summary>Gram-Schmidt: takes the axes before from an axis, and makes its length 1.</summary>
    private static void Orthonormalize(double[] basis, int axis, int width)
    {
        Span<double> own = basis.AsSpan(axis * width, width);
        for (int other = 0; other < axis; other++)
        {
            ReadOnlySpan<double> before = basis.AsSpan(other * width, width);
            double dot = 0;
            for (int d = 0; d < width; d++)
                dot += own[d] * before[d];
            for (int d = 0; d < width; d++)
                own[d] -= dot * before[d];
        }
        double length = 0;
        foreach (double value in own)
            length += value * value;
        length = Math.Sqrt(length);
        foreach (ref double value in own)
            value = length > 0 ? value / length : 0;
    }

    private static void TurnPositive(Span<double> axis)
    {
        int largest = 0;
        for (int d = 1; d < axis.Length; d++)
            if (Math.Abs(axis[d]) > Math.Abs(axis[largest]))
                largest = d;
        if (axis[largest] < 0)
            foreach (ref double value in axis)
                value = -value;
    }
}
