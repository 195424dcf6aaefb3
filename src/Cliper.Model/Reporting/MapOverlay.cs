using Cliper.Model.Images;
using Cliper.Model.Interpretation;

namespace Cliper.Model.Reporting;

/// <summary>A map that is drawn over what a model saw.</summary>
/// <param name="Caption">Text above it.</param>
/// <param name="Map">The map; null for the image alone.</param>
internal sealed record MapPanel(string Caption, ImageMap? Map);

/// <summary>Maps laid over an image in the colors of fire: dark for little, bright for much.</summary>
internal static class MapOverlay
{
    private const int Side = 288, Gap = 12, Header = 22, BarWidth = 14, BarText = 34;
    private const int White = 0xFFFFFF, Black = 0x222222;

    // Little is laid on thinly, so that the face stays to be seen.
    private const double LeastStrength = 0.3, MostStrength = 0.75;

    // Even steps of lightness from black over purple and orange to pale yellow.
    private static readonly (double R, double G, double B)[] Colors =
        [(0, 0, 4), (40, 11, 84), (101, 21, 110), (159, 42, 99), (212, 72, 66), (245, 125, 21), (250, 193, 39),
            (252, 255, 164)];

    /// <summary>Panels side by side, each an image with a map over it, and a bar of the colors.</summary>
    /// <param name="images">Images that the model saw, a row each, all squares of one side.</param>
    /// <param name="panels">The panels of each row.</param>
    public static RgbImage Draw(IReadOnlyList<RgbImage> images, IReadOnlyList<IReadOnlyList<MapPanel>> panels)
    {
        int columns = panels.Max(row => row.Count), width = Gap + columns * (Side + Gap) + BarWidth + BarText + Gap,
            height = images.Count * (Header + Side + Gap) + Gap;
        var picture = new RgbImage(width, height, new byte[3 * width * height]);
        PixelFont.Fill(picture, 0, 0, width, height, White);
        for (int row = 0; row < images.Count; row++)
        {
            int top = Gap + row * (Header + Side + Gap);
            for (int column = 0; column < panels[row].Count; column++)
            {
                MapPanel panel = panels[row][column];
                int left = Gap + column * (Side + Gap), square = PixelFont.WidthOf(panel.Caption) * 2 <= Side ? 2 : 1;
                PixelFont.Draw(picture, left, top + (square == 2 ? 2 : 6), panel.Caption, square, Black);
                Lay(picture, left, top + Header, images[row], panel.Map is null ? null : Stretched(panel.Map));
            }
            DrawBar(picture, width - Gap - BarText - BarWidth, top + Header);
        }
        return picture;
    }

    /// <summary>The image that a model saw, from its input.</summary>
    /// <param name="pixels">Normalized pixels, [3, side, side].</param>
    /// <param name="side">Rows and columns.</param>
    /// <param name="mean">Mean of each channel.</param>
    /// <param name="std">Deviation of each channel.</param>
    public static RgbImage Seen(ReadOnlySpan<float> pixels, int side, float[] mean, float[] std)
    {
        var bytes = new byte[3 * side * side];
        for (int channel = 0; channel < 3; channel++)
            for (int at = 0; at < side * side; at++)
                bytes[3 * at + channel] = (byte)Math.Clamp(Math.Round(
                    255 * (pixels[channel * side * side + at] * std[channel] + mean[channel])), 0, 255);
        return new RgbImage(side, side, bytes);
    }

    /// <summary>A color of the scale, for a value from 0 to 1.</summary>
    internal static (double R, double G, double B) ColorOf(double value)
    {
        double place = Math.Clamp(value, 0, 1) * (Colors.Length - 1);
        int low = Math.Min((int)place, Colors.Length - 2);
        double part = place - low;
        return (Mix(Colors[low].R, Colors[low + 1].R), Mix(Colors[low].G, Colors[low + 1].G),
            Mix(Colors[low].B, Colors[low + 1].B));

        double Mix(double one, double other) => one + part * (other - one);
    }

    /// <summary>The map with its least value at 0 and its largest at 1; a map of one value is 0 everywhere.</summary>
    private static ImageMap Stretched(ImageMap map)
    {
        float low = map.Values.Min(), high = map.Values.Max();
        return map with { Values = [.. map.Values.Select(value => high > low ? (value - low) / (high - low) : 0)] };
    }

    private static void Lay(RgbImage picture, int left, int top, RgbImage image, ImageMap? map)
    {
        for (int y = 0; y < Side; y++)
            for (int x = 0; x < Side; x++)
            {
                Span<byte> pixel = picture.Pixels.AsSpan(3 * ((top + y) * picture.Width + left + x), 3);
                double value = map is null ? 0 : Between(map.Values, map.Side, 1, 0, x, y);
                (double R, double G, double B) color = ColorOf(value);
                for (int channel = 0; channel < 3; channel++)
                {
                    double seen = Between(image.Pixels, image.Width, 3, channel, x, y);
                    double over = channel == 0 ? color.R : channel == 1 ? color.G : color.B;
                    pixel[channel] = (byte)Math.Round(map is null ? seen : seen
                        + (LeastStrength + (MostStrength - LeastStrength) * value) * (over - seen));
                }
            }
    }

    /// <summary>Bilinear interpolation of a square of values at a pixel of a panel.</summary>
    private static double Between<T>(T[] values, int side, int channels, int channel, int x, int y)
        where T : System.Numerics.INumber<T>
    {
        double column = Math.Clamp((x + 0.5) * side / Side - 0.5, 0, side - 1),
            row = Math.Clamp((y + 0.5) * side / Side - 0.5, 0, side - 1);
        int left = Math.Min((int)column, Math.Max(0, side - 2)), top = Math.Min((int)row, Math.Max(0, side - 2)),
            right = Math.Min(left + 1, side - 1), bottom = Math.Min(top + 1, side - 1);
        double across = column - left, down = row - top;
        return (1 - down) * ((1 - across) * At(top, left) + across * At(top, right))
            + down * ((1 - across) * At(bottom, left) + across * At(bottom, right));

        double At(int i, int j) => double.CreateChecked(values[(i * side + j) * channels + channel]);
    }

    private static void DrawBar(RgbImage picture, int left, int top)
    {
        for (int y = 0; y < Side; y++)
        {
            (double R, double G, double B) color = ColorOf(1 - (y + 0.5) / Side);
            PixelFont.Fill(picture, left, top + y, BarWidth, 1,
                (int)Math.Round(color.R) << 16 | (int)Math.Round(color.G) << 8 | (int)Math.Round(color.B));
        }
        PixelFont.Draw(picture, left + BarWidth + 4, top, "MOST", 1, Black);
        PixelFont.Draw(picture, left + BarWidth + 4, top + Side - PixelFont.Height, "LEAST", 1, Black);
    }
}
