namespace Cliper.References;

/// <summary>The mean of the frames of each sample: x [samples, frames, width], y [samples, width].</summary>
internal static class MeanReference
{
    /// <summary>Computes y.</summary>
    public static void Forward(double[] x, double[] y, int frames, int width)
    {
        Array.Clear(y);
        for (int i = 0; i < x.Length; i++)
            y[Feature(i, frames, width)] += x[i] / frames;
    }

    /// <summary>Adds dy / frames to each frame of dx.</summary>
    public static void Backward(double[] dy, double[] dx, int frames, int width)
    {
        for (int i = 0; i < dx.Length; i++)
            dx[i] += dy[Feature(i, frames, width)] / frames;
    }

    private static int Feature(int i, int frames, int width) => i / (frames * width) * width + i % width;
}
