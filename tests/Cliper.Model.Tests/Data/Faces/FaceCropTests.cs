using Cliper.Kernels.Operations;
using Cliper.Model.Faces;
using Cliper.Model.Images;

namespace Cliper.Model.Tests.Data.Faces;

public sealed class FaceCropTests
{
    private static FaceCrop Sought(float margin = 0) =>
        FaceCrop.Sought(CascadeDetector.Load(CascadeDetectorTests.Cascade), new FaceFraming(null, margin));

    [Test]
    public void TheLargestFaceIsCutOutWithItsMargin()
    {
        RgbImage picture = CascadeDetectorTests.Picture(256, 200, new PixelBox(40, 40, 16, 16),
            new PixelBox(150, 60, 30, 30));
        FaceCrop crop = Sought(margin: 0.25f);
        Face found = crop.Find(picture)!;
        PixelBox face = found.Box;
        Assert.That(face.X + face.Width / 2, Is.EqualTo(165).Within(4));
        RgbImage cut = crop.Cut(picture, found, "picture");
        Assert.That(cut.Width, Is.EqualTo(face.Width + 2 * MathF.Round(0.25f * face.Width)));
    }

    [Test]
    public void APictureThatIsAFaceStaysWhole()
    {
        // The window is 64 of 96 pixels a side: 0.44 of the area.
        RgbImage picture = CascadeDetectorTests.Picture(96, 96, new PixelBox(32, 32, 32, 32));
        Face? face = Sought().Find(picture);
        Assert.That(face, Is.Not.Null);
        Assert.That(Sought().Cut(picture, face, "picture"), Is.SameAs(picture));
        FaceCrop given = FaceCrop.Given(face!.Box, new FaceFraming(null));
        Assert.That(given.Cut(picture, face, "picture"), Is.Not.SameAs(picture), "a box by hand is always cut out");
    }

    [Test]
    public void WithoutAFaceThePictureStaysWhole()
    {
        RgbImage picture = CascadeDetectorTests.Picture(96, 96);
        Assert.That(Sought().Find(picture), Is.Null);
        Assert.That(Sought().Cut(picture, null, "picture"), Is.SameAs(picture));
        Assert.That(FaceCrop.None.Find(picture), Is.Null);
    }

    [Test]
    public void AVideoKeepsItsFace()
    {
        // Two faces; the one that was followed stays the one, also where it is the smaller, and through frames without
        // any.
        PixelBox left = new(40, 80, 30, 30), right = new(190, 80, 28, 28), rightGrown = new(180, 70, 44, 44);
        var track = new FaceTrack(Sought(), "video");
        Assert.That(track.Next(CascadeDetectorTests.Picture(280, 200)), Is.Null);
        PixelBox first = track.Next(CascadeDetectorTests.Picture(280, 200, left))!.Box;
        PixelBox? gone = track.Next(CascadeDetectorTests.Picture(280, 200))?.Box;
        PixelBox both = track.Next(CascadeDetectorTests.Picture(280, 200, left, rightGrown))!.Box;
        PixelBox other = track.Next(CascadeDetectorTests.Picture(280, 200, right))!.Box;
        Assert.That(gone, Is.EqualTo(first));
        Assert.That(both.X, Is.LessThan(100));
        Assert.That(other.X, Is.GreaterThan(150));
        Assert.That((track.Frames, track.Missing), Is.EqualTo((5, 2)));
    }
}
