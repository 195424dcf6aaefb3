namespace Cliper.References;

/// <summary>The product with one number; its gradient is the same operation on dy.</summary>
internal static class ScaleReference
{
    /// <summary>Adds factor x to y.</summary>
    public static void Forward(double[] x, float factor, double[] y)
    {
        for (int i = 0; i < x.Length; i++)
            y[i] += factor * x[i];
    }
}
