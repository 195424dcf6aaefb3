namespace Cliper.References;

/// <summary>y = a + b, element by element.</summary>
internal static class AddReference
{
    /// <summary>Computes y.</summary>
    public static void Forward(double[] a, double[] b, double[] y)
    {
        for (int i = 0; i < a.Length; i++)
            y[i] = a[i] + b[i];
    }

    /// <summary>Adds dy to the gradient dx of either operand.</summary>
    public static void Backward(double[] dy, double[] dx)
    {
        for (int i = 0; i < dy.Length; i++)
            dx[i] += dy[i];
    }
}
