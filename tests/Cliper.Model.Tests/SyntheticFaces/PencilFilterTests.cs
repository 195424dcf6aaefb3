using Cliper.Model.Images;
using Cliper.Model.SyntheticFaces;

namespace Cliper.Model.Tests.SyntheticFaces;

public class PencilFilterTests
{
    private const int Size = 48;

    /// <summary>Images made from brightness by a function of column and row.</summary>
    private static RgbImage Image(Func<int, int, int> brightness) => new(Size, Size,
        [.. Enumerable.Range(0, Size * Size).SelectMany(i => Enumerable.Repeat((byte)brightness(i % Size, i / Size),
        3))]);

    [TestCase(0)]
    [TestCase(90)]
    [TestCase(255)]
    public void ASurfaceIsPaperWhateverItsBrightness(int brightness) =>
        Assert.That(PencilFilter.Of(Image((_, _) => brightness)).Pixels, Is.All.EqualTo(245));

    [Test]
    public void StrokesFollowTheFormula()
    {
        // A column of 60 in 180: in the middle the square of 2 * 4 + 1 pixels to a side has one such column.
        byte[] sketch = PencilFilter.Of(Image((x, _) => x == 24 ? 60 : 180)).Pixels;
        double mean = (8 * 180 + 60) / 9.0, share = (60 + 8) / (mean + 8);
        int at = 3 * (24 * Size + 24);
        Assert.That(sketch.AsSpan(at, 3).ToArray(), Is.All.EqualTo((byte)(245 * (1 - 1.5 * (1 - share)))));
        Assert.That(sketch[at + 3 * 6], Is.EqualTo(245), "out of reach of the stroke");
    }

    [Test]
    public void LightAndColorLeaveNoTrace()
    {
        RgbImage image = FaceImage.Render(FaceParameters.Random(3, 5), Size);
        byte[] sketch = PencilFilter.Of(image).Pixels;
        Assert.That(Enumerable.Range(0, Size * Size).All(i => sketch[3 * i] == sketch[3 * i + 1]
            && sketch[3 * i] == sketch[3 * i + 2]));
        // In half the light shares of brightness are the same but for the floor and the rounding to bytes.
        byte[] dark =
            PencilFilter.Of(new RgbImage(Size, Size, [.. image.Pixels.Select(value => (byte)(value / 2))])).Pixels;
        Assert.That(sketch.Zip(dark).Average(pair => Math.Abs(pair.First - pair.Second)), Is.LessThan(8));
    }

    [Test]
    public void ASketchedSetShowsTheSameFaces()
    {
        var rendered = new SyntheticFacesData("test", 1, 7, Size);
        var sketched = new SyntheticFacesData("test", 1, 7, Size, FaceStyle.Pencil);
        for (int index = 0; index < 7; index++)
        {
            Assert.That(sketched.Face(index), Is.EqualTo(rendered.Face(index)));
            Assert.That(sketched.Render(index).Pixels, Is.EqualTo(PencilFilter.Of(rendered.Render(index)).Pixels));
        }
        // A cache of pixels must tell them apart.
        Assert.That(sketched.ToSplit().Samples[0].Frames[0].Identity,
            Is.Not.EqualTo(rendered.ToSplit().Samples[0].Frames[0].Identity));
    }
}
