using Cliper.Kernels.Operations;

namespace Cliper.References;

/// <summary>Bilinear sampling where the map puts each pixel; beyond the edge the edge goes on.</summary>
internal static class AffineWarpReference
{
    /// <summary>
    /// Largest distance of a byte: positions have 8 fractional bits of weight, off by at most 2^-9 along each axis,
    /// times a step of 255, and one rounding.
    /// </summary>
    public const double Bound = 2 * 255.0 / 512 + 0.5 + 0.01;

    /// <summary>The pixels [height, width, channels] before they are rounded to bytes.</summary>
    public static double[] Forward(byte[] source, int width, int height, int channels, AffineMap map)
    {
        var target = new double[source.Length];
        for (int i = 0; i < target.Length; i++)
        {
            int column = i / channels % width, row = i / channels / width;
            double x = Math.Clamp(map.A * column + map.B * row + map.C, 0, width - 1),
                y = Math.Clamp(map.D * column + map.E * row + map.F, 0, height - 1);
            int left = (int)x, top = (int)y, right = Math.Min(left + 1, width - 1),
                below = Math.Min(top + 1, height - 1);
            double upper = At(left, top) * (1 - x + left) + At(right, top) * (x - left),
                lower = At(left, below) * (1 - x + left) + At(right, below) * (x - left);
            target[i] = upper * (1 - y + top) + lower * (y - top);

            double At(int px, int py) => source[(py * width + px) * channels + i % channels];
        }
        return target;
    }
}
