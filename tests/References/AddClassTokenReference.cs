namespace Cliper.References;

/// <summary>The class token goes before the patches of every sample, and positions are added to all.</summary>
internal static class AddClassTokenReference
{
    /// <summary>
    /// Computes y [samples, patches + 1, width] of x [samples, patches, width], token [width] and positions
    /// [patches + 1, width].
    /// </summary>
    public static void Forward(double[] x, double[] token, double[] positions, double[] y)
    {
        int width = token.Length, tokens = positions.Length / width;
        for (int i = 0; i < y.Length; i++)
            y[i] = (i / width % tokens == 0 ? token[i % width] : x[Patch(i, width, tokens)])
                + positions[i % positions.Length];
    }

    /// <summary>Adds to dx, dtoken and dpositions, in the shapes of <see cref="Forward"/>.</summary>
    public static void Backward(double[] dy, double[] dx, double[] dtoken, double[] dpositions)
    {
        int width = dtoken.Length, tokens = dpositions.Length / width;
        for (int i = 0; i < dy.Length; i++)
        {
            dpositions[i % dpositions.Length] += dy[i];
            if (i / width % tokens == 0)
                dtoken[i % width] += dy[i];
            else
                dx[Patch(i, width, tokens)] += dy[i];
        }
    }

    // The element of x that stands at element i of y.
    private static int Patch(int i, int width, int tokens)
    {
        int sample = i / (tokens * width), token = i / width % tokens;
        return (sample * (tokens - 1) + token - 1) * width + i % width;
    }
}
