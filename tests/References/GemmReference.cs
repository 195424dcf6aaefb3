namespace Cliper.References;

/// <summary>c = scale a b, each element one sum of products.</summary>
internal static class GemmReference
{
    /// <summary>A matrix: where it begins in an array, and how far apart rows and columns are.</summary>
    public readonly record struct View(double[] Values, int RowStride, int ColumnStride, int Offset = 0)
    {
        /// <summary>A matrix whose rows lie one after the other, or whose columns do where it is transposed.</summary>
        public static View Of(double[] values, int rows, int columns, bool transposed = false) =>
            transposed ? new(values, 1, rows) : new(values, columns, 1);
    }

    /// <summary>Adds scale a [m, k] b [k, n] to c [m, n].</summary>
    public static void Run(View a, View b, View c, (int M, int N, int K) sizes, double scale = 1)
    {
        double[] right = b.Values, sums = c.Values;
        for (int i = 0; i < sizes.M; i++)
            for (int k = 0; k < sizes.K; k++)
            {
                double x = scale * a.Values[a.Offset + i * a.RowStride + k * a.ColumnStride];
                int from = b.Offset + k * b.RowStride, to = c.Offset + i * c.RowStride;
                for (int j = 0; j < sizes.N; j++, from += b.ColumnStride, to += c.ColumnStride)
                    sums[to] += x * right[from];
            }
    }

    /// <summary>The product [m, n] of a [m, k] and b [k, n], each of which may lie transposed.</summary>
    public static double[] Product(float[] a, float[] b, (int M, int N, int K) sizes, bool transposeA = false,
        bool transposeB = false)
    {
        var c = new double[sizes.M * sizes.N];
        Run(View.Of(Doubles.Of(a), sizes.M, sizes.K, transposeA), View.Of(Doubles.Of(b), sizes.K, sizes.N, transposeB),
            View.Of(c, sizes.M, sizes.N), sizes);
        return c;
    }
}
