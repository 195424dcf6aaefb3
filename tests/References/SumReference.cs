namespace Cliper.References;

/// <summary>The sum of all elements, and the sum of the products of two arrays.</summary>
internal static class SumReference
{
    /// <summary>Adds the sum of x to y[0].</summary>
    public static void Forward(double[] x, double[] y) => y[0] += x.Sum();

    /// <summary>Adds the sum of a b to y[0].</summary>
    public static void Products(double[] a, double[] b, double[] y) => y[0] += a.Zip(b, (l, r) => l * r).Sum();

    /// <summary>Adds dy[0], the gradient by the sum, to every element of dx.</summary>
    public static void Backward(double[] dy, double[] dx)
    {
        for (int i = 0; i < dx.Length; i++)
            dx[i] += dy[0];
    }
}
