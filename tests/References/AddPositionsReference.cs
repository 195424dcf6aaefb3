namespace Cliper.References;

/// <summary>The positions [tokens, width] are added to the tokens of every sample.</summary>
internal static class AddPositionsReference
{
    /// <summary>Computes y [samples, tokens, width] of x in the same shape.</summary>
    public static void Forward(double[] x, double[] positions, double[] y)
    {
        for (int i = 0; i < x.Length; i++)
            y[i] = x[i] + positions[i % positions.Length];
    }

    /// <summary>Adds the sum of dy over the samples to dpositions.</summary>
    public static void Backward(double[] dy, double[] dpositions)
    {
        for (int i = 0; i < dy.Length; i++)
            dpositions[i % dpositions.Length] += dy[i];
    }
}
