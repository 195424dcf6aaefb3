using Cliper.Kernels.Operations;

namespace Cliper.References;

/// <summary>The means of windows of size times size pixels without overlap; pixels left over do not count.</summary>
internal static class AveragePoolReference
{
    /// <summary>Computes y [images, height / size, width / size, channels].</summary>
    public static void Forward(double[] x, double[] y, FeatureMap input, int size)
    {
        Array.Clear(y);
        for (int i = 0; i < x.Length; i++)
            if (Window(i, input, size) is int window)
                y[window] += x[i] / (size * size);
    }

    /// <summary>Adds a window's gradient over its number of pixels to each of them in dx.</summary>
    public static void Backward(double[] dy, double[] dx, FeatureMap input, int size)
    {
        for (int i = 0; i < dx.Length; i++)
            if (Window(i, input, size) is int window)
                dx[i] += dy[window] / (size * size);
    }

    // The output element of an input's, or null.
    private static int? Window(int i, FeatureMap input, int size)
    {
        int height = input.Height / size, width = input.Width / size;
        int c = i % input.Channels, pixel = i / input.Channels, column = pixel % input.Width / size,
            row = pixel / input.Width % input.Height / size, image = pixel / input.Width / input.Height;
        return row >= height || column >= width ? null
            : ((image * height + row) * width + column) * input.Channels + c;
    }
}
