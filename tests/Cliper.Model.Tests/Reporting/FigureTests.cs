using Cliper.Model.Images;
using Cliper.Model.Interpretation;
using Cliper.Model.Reporting;

namespace Cliper.Model.Tests.Reporting;

public sealed class FigureTests
{
    [Test]
    public void AFigure_IsDrawnAndWritten()
    {
        var figure = new Figure(40, 20);
        figure.Dot((10, 10), 4, 0xD55E00, title: "<a & b>");
        figure.Text((20, 12), "1 < 2");

        RgbImage picture = figure.Picture();
        string alone = figure.Svg(alone: true);

        Assert.That((picture.Width, picture.Height), Is.EqualTo((80, 40)));
        Assert.That(Pixel(picture, 20, 20), Is.EqualTo((0xD5, 0x5E, 0x00)));
        Assert.That(Pixel(picture, 0, 0), Is.EqualTo((255, 255, 255)));
        Assert.That(alone, Does.Contain("1 &lt; 2").And.Contain("&lt;a &amp; b&gt;"));
        Assert.That(alone, Does.Contain("prefers-color-scheme"));
        Assert.That(figure.Svg(alone: false), Does.Not.Contain("<style"), "a page has a style of its own");
    }

    [Test]
    public void DescriptorsOnOneAnother_ShareALabel()
    {
        var plane = new FeaturePlane([new PlanePoint("a", 0, 0, true, -1, -1), new PlanePoint("b", 1, 0, false, 1, 1),
            new PlanePoint(null, 0, 0, true, 0, 0), new PlanePoint(null, 0, 1, true, 0.001, 0),
            new PlanePoint(null, 1, 0, true, 0.9, -0.9)], 0.5);

        string svg = ExplainFigures.Plane(plane, ["joy", "fear"]).Svg(alone: true);

        Assert.That(svg, Does.Contain(">1 2</text>").And.Contain(">1</text>").And.Contain("b: fear, descriptor 1"));
    }

    [Test]
    public void ColorsOfAMap_GoFromDarkToBright()
    {
        double[] lightness = [.. Enumerable.Range(0, 11).Select(step => MapOverlay.ColorOf(step / 10.0))
            .Select(color => 0.2126 * color.R + 0.7152 * color.G + 0.0722 * color.B)];

        Assert.That(lightness, Is.Ordered.Ascending);
        Assert.That(MapOverlay.ColorOf(0), Is.EqualTo((0.0, 0.0, 4.0)));
    }

    [Test]
    public void AMap_IsBrightestWhereItIsLargest()
    {
        var gray = new RgbImage(2, 2, [.. Enumerable.Repeat((byte)100, 12)]);

        RgbImage drawn = MapOverlay.Draw([gray], [[new MapPanel("seen", null),
            new MapPanel("map", new ImageMap(2, [0, 0, 0, 1]))]]);
        RgbImage flat = MapOverlay.Draw([gray], [[new MapPanel("map", new ImageMap(2, [3, 3, 3, 3]))]]);

        int left = 2 * 12 + 288, top = 12 + 22;
        Assert.That(Pixel(drawn, 12 + 100, top + 100), Is.EqualTo((100, 100, 100)));
        Assert.That(Sum(Pixel(drawn, left + 280, top + 280)),
            Is.GreaterThan(Sum(Pixel(drawn, left + 5, top + 5)) + 200));
        Assert.That(Pixel(flat, 12 + 5, top + 5), Is.EqualTo(Pixel(flat, 12 + 280, top + 280)));

        static int Sum((int R, int G, int B) pixel) => pixel.R + pixel.G + pixel.B;
    }

    private static (int R, int G, int B) Pixel(RgbImage image, int x, int y)
    {
        int at = 3 * (y * image.Width + x);
        return (image.Pixels[at], image.Pixels[at + 1], image.Pixels[at + 2]);
    }
}
