namespace Cliper.References;

/// <summary>y = a b, element by element; b may be one number for all.</summary>
internal static class MultiplyReference
{
    /// <summary>Computes y.</summary>
    public static void Forward(double[] a, double[] b, double[] y)
    {
        for (int i = 0; i < a.Length; i++)
            y[i] = a[i] * b[b.Length == 1 ? 0 : i];
    }

    /// <summary>Adds dy b to da and dy a to db, summed over all elements where b is one number.</summary>
    public static void Backward(double[] a, double[] b, double[] dy, double[] da, double[] db)
    {
        for (int i = 0; i < a.Length; i++)
        {
            int other = b.Length == 1 ? 0 : i;
            da[i] += dy[i] * b[other];
            db[other] += dy[i] * a[i];
        }
    }
}
