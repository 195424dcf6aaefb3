namespace Cliper.References;

/// <summary>The mean of each sample's pixels goes before them, and positions are added to all.</summary>
internal static class AddMeanTokenReference
{
    /// <summary>
    /// Computes y [samples, pixels + 1, width] of x [samples, pixels, width] and positions [pixels + 1, width].
    /// </summary>
    public static void Forward(double[] x, double[] positions, double[] y, int pixels, int width)
    {
        for (int i = 0; i < y.Length; i++)
            y[i] = positions[i % positions.Length];
        for (int i = 0; i < x.Length; i++)
        {
            (int mean, int own) = Places(i, pixels, width);
            y[mean] += x[i] / pixels;
            y[own] += x[i];
        }
    }

    /// <summary>Adds to dx and dpositions, in the shapes of <see cref="Forward"/>.</summary>
    public static void Backward(double[] dy, double[] dx, double[] dpositions, int pixels, int width)
    {
        for (int i = 0; i < dx.Length; i++)
        {
            (int mean, int own) = Places(i, pixels, width);
            dx[i] += dy[own] + dy[mean] / pixels;
        }
        for (int i = 0; i < dy.Length; i++)
            dpositions[i % dpositions.Length] += dy[i];
    }

    // The two elements of y that an element of x goes to.
    private static (int Mean, int Own) Places(int i, int pixels, int width)
    {
        int mean = i / (pixels * width) * (pixels + 1) * width + i % width;
        return (mean, mean + (i / width % pixels + 1) * width);
    }
}
