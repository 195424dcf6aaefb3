using System.Globalization;
using System.Text;
using Cliper.Model.Images;
using Cliper.Model.Inference;

namespace Cliper.Model.Reporting;

/// <summary>Probabilities of the classes over the time of a video, as an image or as SVG.</summary>
public static class TimelinePlot
{
    private const int Width = 960, Height = 400, Left = 56, Right = 150, Top = 16, Bottom = 40;
    private const int White = 0xFFFFFF, Black = 0x222222, Gray = 0xDDDDDD;
    private const int Ticks = 4;

    // Told apart by people who see few colors, too (Okabe and Ito 2008), then what is left.
    private static readonly int[] Palette =
        [0xD55E00, 0x0072B2, 0x009E73, 0xE69F00, 0x999999, 0x56B4E9, 0xCC79A7, 0x000000, 0x8C564B, 0x7F7F00, 0x5F3FBF];

    /// <summary>Color of a class, 0xRRGGBB.</summary>
    internal static int ColorOf(int label) => Palette[label % Palette.Length];

    /// <summary>The plot as SVG, for a file of its own.</summary>
    /// <param name="rows">Rows by rising time, at least one.</param>
    /// <param name="classes">Class names.</param>
    public static string Svg(IReadOnlyList<TimelineRow> rows, IReadOnlyList<string> classes)
    {
        var svg = new StringBuilder();
        svg.Append(CultureInfo.InvariantCulture,
            $"<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {Width} {Height}\"");
        svg.Append(" font-family=\"sans-serif\" font-size=\"13\">\n");
        svg.Append(CultureInfo.InvariantCulture, $"<rect width=\"{Width}\" height=\"{Height}\" fill=\"#fff\"/>\n");
        for (int tick = 0; tick <= Ticks; tick++)
        {
            double share = tick / (double)Ticks, time = rows[^1].End * share;
            svg.Append(CultureInfo.InvariantCulture,
                $"<line x1=\"{Left}\" x2=\"{Width - Right}\" y1=\"{Y(share):0.#}\"");
            svg.Append(CultureInfo.InvariantCulture, $" y2=\"{Y(share):0.#}\" stroke=\"#ddd\"/>\n");
            svg.Append(CultureInfo.InvariantCulture,
                $"<text x=\"{Left - 6}\" y=\"{Y(share) + 4:0.#}\" text-anchor=\"end\">{100 * share:0} %</text>\n");
            svg.Append(CultureInfo.InvariantCulture,
                $"<text x=\"{X(time, rows):0.#}\" y=\"{Height - 14}\" text-anchor=\"middle\">{time:0.0} s</text>\n");
        }
        for (int label = 0; label < classes.Count; label++)
        {
            string points = string.Join(' ', Points(rows, label).Select(point =>
                string.Create(CultureInfo.InvariantCulture, $"{point.X:0.#},{point.Y:0.#}")));
            svg.Append(CultureInfo.InvariantCulture,
                $"<polyline fill=\"none\" stroke=\"#{ColorOf(label):x6}\" stroke-width=\"2\" points=\"{points}\"/>\n");
            svg.Append(CultureInfo.InvariantCulture,
                $"<text x=\"{Width - Right + 24}\" y=\"{LegendY(label) + 10}\">");
            svg.Append(CultureInfo.InvariantCulture,
                $"{System.Net.WebUtility.HtmlEncode(classes[label])}</text>\n");
            svg.Append(CultureInfo.InvariantCulture,
                $"<rect x=\"{Width - Right + 8}\" y=\"{LegendY(label)}\"");
            svg.Append(CultureInfo.InvariantCulture, $" width=\"10\" height=\"10\" fill=\"#{ColorOf(label):x6}\"/>\n");
        }
        return svg.Append("</svg>\n").ToString();
    }

    /// <summary>The plot as an image.</summary>
    /// <inheritdoc cref="Svg"/>
    public static RgbImage Picture(IReadOnlyList<TimelineRow> rows, IReadOnlyList<string> classes)
    {
        var image = new RgbImage(Width, Height, new byte[3 * Width * Height]);
        PixelFont.Fill(image, 0, 0, Width, Height, White);
        for (int tick = 0; tick <= Ticks; tick++)
        {
            double share = tick / (double)Ticks, time = rows[^1].End * share;
            PixelFont.Fill(image, Left, (int)Y(share), Width - Left - Right, 1, Gray);
            string percent = string.Create(CultureInfo.InvariantCulture, $"{100 * share:0} %");
            string seconds = string.Create(CultureInfo.InvariantCulture, $"{time:0.0} S");
            PixelFont.Draw(image, Left - 6 - PixelFont.WidthOf(percent), (int)Y(share) - 3, percent, 1, Black);
            PixelFont.Draw(image, (int)X(time, rows) - PixelFont.WidthOf(seconds) / 2, Height - 24, seconds, 1, Black);
        }
        for (int label = 0; label < classes.Count; label++)
        {
            Line(image, [.. Points(rows, label)], ColorOf(label));
            PixelFont.Fill(image, Width - Right + 8, LegendY(label), 10, 10, ColorOf(label));
            PixelFont.Draw(image, Width - Right + 24, LegendY(label) + 2, classes[label], 1, Black);
        }
        return image;
    }

    /// <summary>
    /// The probability at the middle of each window that has an answer; a single row becomes a level line.
    /// </summary>
    private static IEnumerable<(double X, double Y)> Points(IReadOnlyList<TimelineRow> rows, int label) =>
        rows.Where(row => row.Prediction is not null).SelectMany(row => (rows.Count == 1
            ? new[] { row.Start, row.End } : [(row.Start + row.End) / 2])
            .Select(time => (X(time, rows), Y(row.Prediction!.Probabilities[label]))));

    private static double X(double time, IReadOnlyList<TimelineRow> rows) =>
        Left + time / rows[^1].End * (Width - Left - Right);

    private static double Y(double share) => Top + (1 - share) * (Height - Top - Bottom);

    private static int LegendY(int label) => Top + 18 * label;

    /// <summary>A line of two pixels' thickness: every column from the height where it enters to where it
    /// leaves.</summary>
    private static void Line(RgbImage image, (double X, double Y)[] points, int color)
    {
        for (int i = 1; i < points.Length; i++)
        {
            (double x0, double y0) = points[i - 1];
            (double x1, double y1) = points[i];
            for (int x = (int)x0; x <= (int)x1; x++)
            {
                double from = At(x), to = At(x + 1);
                PixelFont.Fill(image, x, (int)Math.Min(from, to), 1, (int)Math.Abs(to - from) + 2, color);
            }

            double At(double x) => x1 <= x0 ? y1 : y0 + (y1 - y0) * Math.Clamp((x - x0) / (x1 - x0), 0, 1);
        }
    }
}
