using Cliper.Kernels.Operations;

namespace Cliper.References;

/// <summary>The convolution of each channel with its own taps, weight [taps, channels].</summary>
internal static class DepthwiseConvolutionReference
{
    /// <summary>Adds the sums to y [pixels, channels].</summary>
    public static void Forward(double[] x, double[] weight, double[] y, SlidingWindow window) =>
        ForEach(window, (at, tap, input) => y[at] += weight[tap] * x[input]);

    /// <summary>Adds the gradient by the input to dx.</summary>
    public static void BackwardInput(double[] weight, double[] dy, double[] dx, SlidingWindow window) =>
        ForEach(window, (at, tap, input) => dx[input] += weight[tap] * dy[at]);

    /// <summary>Adds the gradient by the weight to dweight.</summary>
    public static void BackwardWeight(double[] x, double[] dy, double[] dweight, SlidingWindow window) =>
        ForEach(window, (at, tap, input) => dweight[tap] += dy[at] * x[input]);

    private static void ForEach(SlidingWindow window, Action<long, int, long> action)
    {
        int channels = window.Input.Channels;
        ConvolutionReference.ForEach(window, (pixel, tap, input) =>
            action(pixel * channels + tap % channels, tap, input));
    }
}
