using Cliper.Kernels.Operations;

namespace Cliper.References;

/// <summary>
/// Each patch of images [images, channels, height, width] times the weight [features, channels, patch, patch].
/// </summary>
internal static class PatchEmbeddingReference
{
    /// <summary>Computes y [images, patches, features].</summary>
    public static void Forward(double[] images, double[] weight, double[] y, PatchEmbedding.Sizes sizes)
    {
        Array.Clear(y);
        ForEach(sizes, (token, element, pixel) => y[token] += weight[element] * images[pixel]);
    }

    /// <summary>Adds to dimages, unless it is null, and to dweight.</summary>
    public static void Backward((double[] Images, double[] Weight) operands, double[] dy, double[]? dimages,
        double[] dweight, PatchEmbedding.Sizes sizes) => ForEach(sizes, (token, element, pixel) =>
        {
            dweight[element] += dy[token] * operands.Images[pixel];
            if (dimages is not null)
                dimages[pixel] += dy[token] * operands.Weight[element];
        });

    // Calls back with (element of y, element of the weight, element of the images) for all products.
    private static void ForEach(PatchEmbedding.Sizes sizes, Action<int, int, int> action)
    {
        int p = sizes.Patch, across = sizes.Width / p;
        for (int n = 0; n < sizes.Images; n++)
            for (int t = 0; t < sizes.Patches; t++)
                for (int f = 0; f < sizes.Features; f++)
                    for (int u = 0; u < sizes.Pixels; u++)
                    {
                        int channel = u / (p * p), row = t / across * p + u / p % p, column = t % across * p + u % p;
                        int pixel = ((n * sizes.Channels + channel) * sizes.Height + row) * sizes.Width + column;
                        action((n * sizes.Patches + t) * sizes.Features + f, f * sizes.Pixels + u, pixel);
                    }
    }
}
