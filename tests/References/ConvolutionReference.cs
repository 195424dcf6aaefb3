using Cliper.Kernels.Operations;

namespace Cliper.References;

/// <summary>
/// Each output pixel's features are sums over the window of weight [features, elements] times x; pixels outside the
/// input count as zeros.
/// </summary>
internal static class ConvolutionReference
{
    /// <summary>
    /// Calls back with (output pixel, element of the window, element of the input) for all that lie on inputs.
    /// </summary>
    public static void ForEach(SlidingWindow window, Action<long, int, long> action)
    {
        (FeatureMap input, WindowAxis down, WindowAxis across) = window;
        FeatureMap output = window.Output(1);
        for (int n = 0; n < input.Images; n++)
            for (int i = 0; i < output.Height; i++)
                for (int j = 0; j < output.Width; j++)
                    for (int k = 0; k < down.Kernel; k++)
                        for (int l = 0; l < across.Kernel; l++)
                        {
                            int row = i * down.Stride - down.Before + k, column = j * across.Stride - across.Before + l;
                            if (row < 0 || row >= input.Height || column < 0 || column >= input.Width)
                                continue;
                            for (int c = 0; c < input.Channels; c++)
                                action(((long)n * output.Height + i) * output.Width + j, (k * across.Kernel + l)
                                    * input.Channels + c,
                                    (((long)n * input.Height + row) * input.Width + column) * input.Channels + c);
                        }
    }

    /// <summary>Adds the sums to y [pixels, features].</summary>
    public static void Forward(double[] x, double[] weight, double[] y, SlidingWindow window, int features) =>
        ForEach(window, (pixel, element, input) =>
        {
            for (int f = 0; f < features; f++)
                y[pixel * features + f] += weight[(long)f * window.Elements + element] * x[input];
        });

    /// <summary>Adds the gradient by the input to dx.</summary>
    public static void BackwardInput(double[] weight, double[] dy, double[] dx, SlidingWindow window, int features) =>
        ForEach(window, (pixel, element, input) =>
        {
            for (int f = 0; f < features; f++)
                dx[input] += weight[(long)f * window.Elements + element] * dy[pixel * features + f];
        });

    /// <summary>Adds the gradient by the weight to dweight.</summary>
    public static void BackwardWeight(double[] x, double[] dy, double[] dweight, SlidingWindow window, int features) =>
        ForEach(window, (pixel, element, input) =>
        {
            for (int f = 0; f < features; f++)
                dweight[(long)f * window.Elements + element] += dy[pixel * features + f] * x[input];
        });
}
