using Cliper.Kernels.Operations;

namespace Cliper.References;

/// <summary>The largest of two by two pixels of each channel, NaN where one of them is.</summary>
internal static class MaxPoolReference
{
    /// <summary>Computes y [images, height / 2, width / 2, channels].</summary>
    public static void Forward(double[] x, double[] y, FeatureMap input)
    {
        for (int i = 0; i < y.Length; i++)
            y[i] = Four(input, i).Select(at => x[at]).Aggregate((a, b) => Math.Max(a, b));
    }

    /// <summary>Adds dy to the first of the four that is the largest, or to the first of all where y is NaN.</summary>
    public static void Backward(double[] x, double[] y, double[] dy, double[] dx, FeatureMap input)
    {
        for (int i = 0; i < y.Length; i++)
        {
            int[] four = Four(input, i);
            dx[double.IsNaN(y[i]) ? four[0] : four.First(at => x[at] == y[i])] += dy[i];
        }
    }

    // The places of an output element's four inputs.
    private static int[] Four(FeatureMap input, int element)
    {
        FeatureMap output = MaxPool.Output(input);
        int c = element % input.Channels, pixel = element / input.Channels, j = pixel % output.Width,
            i = pixel / output.Width % output.Height, n = pixel / output.Width / output.Height;
        return [.. new[] { (0, 0), (0, 1), (1, 0), (1, 1) }.Select(place =>
            ((n * input.Height + 2 * i + place.Item1) * input.Width + 2 * j + place.Item2) * input.Channels + c)];
    }
}
