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
    public void AFaceOfAVideoKeepsItsIdentity()
    {
        // Two faces; each stays who it is where it moves, where the other one grows past it, and through frames without
        // any.
        PixelBox left = new(40, 80, 30, 30), leftMoved = new(46, 82, 30, 30), right = new(190, 80, 28, 28),
            rightGrown = new(180, 70, 44, 44);
        var tracker = new FaceTracker(Sought());
        Assert.That(tracker.Next(CascadeDetectorTests.Picture(280, 200), "video"), Is.Empty);
        Assert.That(Ids(left), Is.EqualTo(new[] { (0, true) }));
        Assert.That(tracker.Next(CascadeDetectorTests.Picture(280, 200), "video"), Is.Empty);
        Assert.That(Ids(leftMoved, right), Is.EquivalentTo(new[] { (0, true), (1, false) }));
        Assert.That(Ids(left, rightGrown), Is.EquivalentTo(new[] { (0, true), (1, false) }));
        Assert.That(Ids(right), Is.EqualTo(new[] { (1, false) }));
        Assert.That((tracker.Frames, tracker.Missing), Is.EqualTo((6, 2)));

        (int, bool)[] Ids(params PixelBox[] faces) => [.. tracker
            .Next(CascadeDetectorTests.Picture(280, 200, faces), "video")
            .Select(found => (found.Id, found.Face!.Box.X + found.Face.Box.Width / 2 < 140))];
    }

    [Test]
    public void WithoutADetectorAllOfAFrameIsFollowed() =>
        Assert.That(new FaceTracker(FaceCrop.None).Next(CascadeDetectorTests.Picture(96, 96), "video"),
            Is.EqualTo(new[] { (0, (Face?)null) }));
}
