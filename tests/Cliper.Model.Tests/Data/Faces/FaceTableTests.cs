using Cliper.Kernels.Operations;
using Cliper.Model.Faces;
using Cliper.Model.Images;
using Cliper.Model.Samples;

namespace Cliper.Model.Tests.Data.Faces;

public sealed class FaceTableTests : TemporaryFolder
{
    private string Write(string text)
    {
        File.WriteAllText(In("faces.csv"), text);
        return In("faces.csv");
    }

    [Test]
    public void RowsAreFacesOfTheirPicturesTheLargestFirst()
    {
        var table = FaceTable.Load(
            Write("score,file,X,y,width,height\n0.5,a.png,1,2,3,4\n0.9,sub/b.png,9.6,8,7,6\n\n1,a.png,-5,0,30,40\n"));

        Assert.That(table.Of(In("a.png")).Select(face => face.Box),
            Is.EqualTo(new[] { new PixelBox(-5, 0, 30, 40), new PixelBox(1, 2, 3, 4) }));
        Assert.That(table.Of(In("sub/b.png")).Single().Box, Is.EqualTo(new PixelBox(10, 8, 7, 6)));
        Assert.That(table.Of(In("c.png")), Is.Empty);
    }

    [Test]
    public void ItsFacesAreCutOutHoweverLargeTheyAre()
    {
        RgbImage picture = CascadeDetectorTests.Picture(96, 96);
        var crop = FaceCrop.Listed(FaceTable.Load(Write($"file,x,y,width,height\n{In("a.png")},4,4,90,88\n")),
            new FaceFraming(null));
        IReadOnlyList<Face> faces = crop.Faces(picture, In("a.png"))!;
        RgbImage cut = crop.FrameOf(new GeneratedFrame("a", () => picture), 96, 96, faces.Single())
            .Load(SkiaImageCodec.Instance);
        Assert.That((cut.Width, cut.Height), Is.EqualTo((90, 88)));
        Assert.That(crop.Faces(picture, In("b.png")), Is.Empty);
    }

    [TestCase("", "expected the columns file,x,y,width,height")]
    [TestCase("file,x,y,w,h\n", "the first line is 'file,x,y,w,h'")]
    [TestCase("file,x,y,width,height\na.png,1,2,3\n", "line 2 has 4 fields, expected 5")]
    [TestCase("file,x,y,width,height\na.png,1,2,3,4\na.png,1,2,three,4\n",
        "line 3 has 'three', expected a number of pixels")]
    [TestCase("file,x,y,width,height\na.png,1,2,nan,4\n", "line 2 has 'nan'")]
    [TestCase("file,x,y,width,height\na.png,1,2,0,4\n", "line 2 is a box of 0 x 4 pixels")]
    public void ADamagedTableIsNamed(string text, string message)
    {
        string path = Write(text);
        Assert.That(() => FaceTable.Load(path),
            Throws.TypeOf<InputException>().With.Message.StartsWith(path).And.Message.Contains(message));
    }
}
