using System.Globalization;
using System.Net;
using System.Text;
using Cliper.Model.Images;

namespace Cliper.Model.Reporting;

/// <summary>Where a text stands about its point.</summary>
internal enum TextAnchor
{
    /// <summary>Right of it.</summary>
    Start,

    /// <summary>In its middle.</summary>
    Middle,

    /// <summary>Left of it.</summary>
    End,
}

/// <summary>
/// A drawing of a few kinds of marks, as SVG that follows light and dark, and as an image with the same marks on white.
/// </summary>
/// <param name="width">Columns.</param>
/// <param name="height">Rows.</param>
internal sealed class Figure(int width, int height)
{
    /// <summary>Pixels of the image to one of the drawing.</summary>
    private const int Scale = 2;

    private const int White = 0xFFFFFF, Black = 0x222222, Gray = 0xDDDDDD;

    // The page's own colors hold in a page; a file of its own has these.
    private const string Style = ".page{fill:#fff}text{fill:#222}.rule{stroke:#ddd}.edge{stroke:#fff}"
        + "@media(prefers-color-scheme:dark){.page{fill:#1d2125}text{fill:#e8e6e1}.rule{stroke:#444b52}"
        + ".edge{stroke:#1d2125}}";

    private readonly StringBuilder _svg = new();
    private readonly List<Action<RgbImage>> _marks = [];

    /// <summary>Columns.</summary>
    public int Width => width;

    /// <summary>Rows.</summary>
    public int Height => height;

    /// <summary>Draws a thin straight line of the grid.</summary>
    public void Rule(double x1, double y1, double x2, double y2)
    {
        Append($"<line class=\"rule\" x1=\"{x1:0.#}\" y1=\"{y1:0.#}\" x2=\"{x2:0.#}\" y2=\"{y2:0.#}\"/>\n");
        _marks.Add(image => Stroke(image, (x1, y1), (x2, y2), 0.6, Gray));
    }

    /// <summary>Draws a curve.</summary>
    /// <param name="points">Its points.</param>
    /// <param name="color">0xRRGGBB.</param>
    public void Curve(IReadOnlyList<(double X, double Y)> points, int color)
    {
        if (points.Count == 0)
            return;
        string path = string.Join(' ', points.Select(point =>
            string.Create(CultureInfo.InvariantCulture, $"{point.X:0.#},{point.Y:0.#}")));
        Append($"<polyline fill=\"none\" stroke=\"#{color:x6}\" stroke-width=\"2\" points=\"{path}\"/>\n");
        _marks.Add(image =>
        {
            for (int i = 1; i < points.Count; i++)
                Stroke(image, points[i - 1], points[i], 2, color);
        });
    }

    /// <summary>Draws a filled circle, or a ring.</summary>
    /// <param name="at">Its center.</param>
    /// <param name="radius">Its radius.</param>
    /// <param name="color">0xRRGGBB.</param>
    /// <param name="hollow">Whether it is a ring.</param>
    /// <param name="title">Text that a pointer shows; may be empty.</param>
    public void Dot((double X, double Y) at, double radius, int color, bool hollow = false, string title = "")
    {
        string paint = hollow ? $"fill=\"none\" stroke=\"#{color:x6}\" stroke-width=\"1.4\""
            : $"class=\"edge\" fill=\"#{color:x6}\" stroke-width=\"0.5\"";
        Append($"<circle cx=\"{at.X:0.#}\" cy=\"{at.Y:0.#}\" r=\"{radius:0.#}\" {paint}>{Title(title)}</circle>\n");
        _marks.Add(image => Paint(image, at, radius + 1, (x, y) =>
        {
            double away = Math.Sqrt(x * x + y * y);
            double inside = Math.Clamp((radius - away) * Scale + 0.5, 0, 1);
            return hollow ? Math.Min(inside, Math.Clamp((away - radius + 1.4) * Scale + 0.5, 0, 1)) : inside;
        }, color));
    }

    /// <summary>Draws a square on its corner.</summary>
    /// <param name="at">Its center.</param>
    /// <param name="radius">Half its diagonal.</param>
    /// <param name="color">0xRRGGBB.</param>
    public void Diamond((double X, double Y) at, double radius, int color)
    {
        Append($"<path class=\"edge\" stroke-width=\"1.5\" fill=\"#{color:x6}\" d=\"M{at.X - radius:0.#} {at.Y:0.#} ");
        Append($"L{at.X:0.#} {at.Y - radius:0.#} L{at.X + radius:0.#} {at.Y:0.#} ");
        Append($"L{at.X:0.#} {at.Y + radius:0.#} Z\"/>\n");
        _marks.Add(image => Paint(image, at, radius + 2, (x, y) =>
            Math.Clamp((radius + 1.5 - Math.Abs(x) - Math.Abs(y)) * Scale, 0, 1), White));
        _marks.Add(image => Paint(image, at, radius + 1, (x, y) =>
            Math.Clamp((radius - Math.Abs(x) - Math.Abs(y)) * Scale + 0.5, 0, 1), color));
    }

    /// <summary>Fills a rectangle.</summary>
    public void Box(double x, double y, double boxWidth, double boxHeight, int color)
    {
        Append($"<rect x=\"{x:0.#}\" y=\"{y:0.#}\" width=\"{boxWidth:0.#}\" height=\"{boxHeight:0.#}\" ");
        Append($"fill=\"#{color:x6}\"/>\n");
        _marks.Add(image => PixelFont.Fill(image, (int)(x * Scale), (int)(y * Scale), (int)(boxWidth * Scale),
            (int)(boxHeight * Scale), color));
    }

    /// <summary>Writes a text.</summary>
    /// <param name="at">Its lower left, lower middle or lower right.</param>
    /// <param name="text">The text.</param>
    /// <param name="anchor">Where it stands about the point.</param>
    public void Text((double X, double Y) at, string text, TextAnchor anchor = TextAnchor.Start)
    {
        string place = anchor switch
        {
            TextAnchor.Middle => " text-anchor=\"middle\"",
            TextAnchor.End => " text-anchor=\"end\"",
            _ => "",
        };
        Append($"<text x=\"{at.X:0.#}\" y=\"{at.Y:0.#}\"{place}>{WebUtility.HtmlEncode(text)}</text>\n");
        _marks.Add(image =>
        {
            int length = PixelFont.WidthOf(text) * Scale;
            int left = (int)(at.X * Scale) - (anchor == TextAnchor.Middle ? length / 2
                : anchor == TextAnchor.End ? length : 0);
            PixelFont.Draw(image, left, (int)(at.Y * Scale) - PixelFont.Height * Scale, text, Scale, Black);
        });
    }

    /// <summary>The drawing as SVG.</summary>
    /// <param name="alone">Whether it is a file of its own; else part of a page, whose style it takes.</param>
    public string Svg(bool alone) => string.Create(CultureInfo.InvariantCulture,
        $"""
        <svg class="figure" xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="system-ui, sans-serif" font-size="12">
        {(alone ? $"<style>{Style}</style>" : "")}<rect class="page" width="{width}" height="{height}"/>
        {_svg}</svg>

        """);

    /// <summary>The drawing as an image.</summary>
    public RgbImage Picture()
    {
        var image = new RgbImage(width * Scale, height * Scale, new byte[3 * width * height * Scale * Scale]);
        PixelFont.Fill(image, 0, 0, image.Width, image.Height, White);
        foreach (Action<RgbImage> mark in _marks)
            mark(image);
        return image;
    }

    private void Append(FormattableString text) => _svg.Append(text.ToString(CultureInfo.InvariantCulture));

    private static string Title(string text) =>
        text.Length == 0 ? "" : $"<title>{WebUtility.HtmlEncode(text)}</title>";

    /// <summary>A line with soft edges.</summary>
    private static void Stroke(RgbImage image, (double X, double Y) from, (double X, double Y) to, double thickness,
        int color)
    {
        double dx = to.X - from.X, dy = to.Y - from.Y, length = Math.Sqrt(dx * dx + dy * dy);
        (double, double) middle = ((from.X + to.X) / 2, (from.Y + to.Y) / 2);
        Paint(image, middle, length / 2 + thickness, (x, y) =>
        {
            double along = length == 0 ? 0 : Math.Clamp((x * dx + y * dy) / length, -length / 2, length / 2);
            double part = length == 0 ? 0 : along / length, awayX = x - part * dx, awayY = y - part * dy;
            return Math.Clamp((thickness / 2 - Math.Sqrt(awayX * awayX + awayY * awayY)) * Scale + 0.5, 0, 1);
        }, color);
    }

    /// <summary>Lays a color over the pixels about a point, by how much each is covered.</summary>
    private static void Paint(RgbImage image, (double X, double Y) at, double radius,
        Func<double, double, double> coverage, int color)
    {
        for (int py = Math.Max(0, (int)((at.Y - radius) * Scale)); py <= Math.Min(image.Height - 1,
            (int)((at.Y + radius) * Scale)); py++)
            for (int px = Math.Max(0, (int)((at.X - radius) * Scale)); px <= Math.Min(image.Width - 1,
                (int)((at.X + radius) * Scale)); px++)
            {
                double share = coverage((px + 0.5) / Scale - at.X, (py + 0.5) / Scale - at.Y);
                if (share <= 0)
                    continue;
                Span<byte> pixel = image.Pixels.AsSpan(3 * (py * image.Width + px), 3);
                for (int channel = 0; channel < 3; channel++)
                    pixel[channel] = (byte)Math.Round(pixel[channel]
                        + share * ((color >> (16 - 8 * channel) & 255) - pixel[channel]));
            }
    }
}
