using System.Numerics;
using Cliper.Model.Images;

namespace Cliper.Model.Faces;

/// <summary>
/// A square of a picture, possibly turned, possibly beyond the picture's edges: pixel (i, j) of the square is the
/// picture at Corner + (i + j * imaginary unit) * Step, where the real part runs right and the imaginary part down.
/// </summary>
/// <param name="Corner">Center of the square's first pixel, in pixels of the picture, whose own first pixel has its
/// center at 0.</param>
/// <param name="Step">From one pixel of the square to its right neighbor: of length 1, so that no detail is lost and
/// none skipped.</param>
/// <param name="Side">Rows and columns.</param>
internal readonly record struct FaceSquare(Complex Corner, Complex Step, int Side)
{
    /// <summary>
    /// The pixels, bilinear between those of the picture. Beyond an edge its last pixels go on: the pictures that
    /// models learn from seldom have a border of one color.
    /// </summary>
    public RgbImage Of(RgbImage image)
    {
        var pixels = new byte[3 * Side * Side];
        for (int j = 0; j < Side; j++)
            for (int i = 0; i < Side; i++)
                Sample(image, Corner + new Complex(i, j) * Step, pixels.AsSpan(3 * (j * Side + i), 3));
        return new RgbImage(Side, Side, pixels);
    }

    private static void Sample(RgbImage image, Complex place, Span<byte> target)
    {
        double x = Math.Clamp(place.Real, 0, image.Width - 1), y = Math.Clamp(place.Imaginary, 0, image.Height - 1);
        int left = (int)x, top = (int)y, right = Math.Min(left + 1, image.Width - 1),
            bottom = Math.Min(top + 1, image.Height - 1);
        double across = x - left, down = y - top;
        for (int channel = 0; channel < 3; channel++)
        {
            double upper = At(left, top) * (1 - across) + At(right, top) * across;
            double lower = At(left, bottom) * (1 - across) + At(right, bottom) * across;
            target[channel] = (byte)(upper * (1 - down) + lower * down + 0.5);

            double At(int column, int row) => image.Pixels[3 * (row * image.Width + column) + channel];
        }
    }
}
