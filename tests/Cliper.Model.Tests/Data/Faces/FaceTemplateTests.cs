using System.Numerics;
using Cliper.Kernels.Cpu;
using Cliper.Kernels.Operations;
using Cliper.Model.Faces;
using Cliper.Model.Images;
using Cliper.Model.Inference;
using Cliper.Model.Samples;

namespace Cliper.Model.Tests.Data.Faces;

/// <summary>Where training pictures show their faces, and other faces placed there.</summary>
public sealed class FaceTemplateTests : TemporaryFolder
{
    private static readonly FaceTemplate Aligned = new(
        [new(0.3f, 0.4f), new(0.7f, 0.4f), new(0.5f, 0.6f), new(0.5f, 0.8f)], [0.02f, 0.02f, 0.02f, 0.02f],
        new(0.5f, 0.55f), 0.8f, 0, 3);

    private static readonly FaceTemplate Askew = Aligned with { AngleSpread = 12 };

    [Test]
    public void Place_TurnedFaceOfAlignedSet_PutsEveryPointWhereTheTemplateHasIt(
        [Values(0, 10, 30, -45, 120)] int degrees)
    {
        FaceSquare square = Aligned.Place(FaceAt(degrees));

        for (int i = 0; i < FaceTemplate.PointCount; i++)
        {
            (Complex actual, FacePoint expected) = (PlaceOf(square, FaceAt(degrees).Points[i]), Aligned.Points[i]);
            // The side is rounded to whole pixels, and without a turn the corner too: a pixel of about 100.
            Assert.That(actual.Real, Is.EqualTo(expected.X).Within(0.011), $"point {i}");
            Assert.That(actual.Imaginary, Is.EqualTo(expected.Y).Within(0.011), $"point {i}");
        }
    }

    [TestCase(15, false)]
    [TestCase(23, false)]
    [TestCase(25, true)]
    [TestCase(180, true)]
    public void Place_SetNotAligned_TurnsOnlyWhatIsFartherAskewThanTwoSpreads(int degrees, bool turned) =>
        Assert.That(Askew.Place(FaceAt(degrees)).Step,
            turned ? Is.Not.EqualTo(Complex.One) : Is.EqualTo(Complex.One));

    [Test]
    public void Place_WithoutATurn_KeepsTheSizeOfTheFace() =>
        Assert.That(Askew.Place(FaceAt(20)).Side, Is.EqualTo(Askew.Place(FaceAt(0)).Side));

    [Test]
    public void Place_BoxAlone_PutsTheBoxWhereTheTemplateHasIt()
    {
        FaceSquare square = Aligned.Place(new Face(new PixelBox(40, 50, 80, 80), 1, []));

        Assert.That(square, Is.EqualTo(new FaceSquare(new Complex(30, 35), 1, 100)));
    }

    [Test]
    public void Of_SquareOfWholePixels_CopiesThemAndGoesOnBeyondTheEdge()
    {
        var picture = new RgbImage(4, 3, [.. Enumerable.Range(0, 36).Select(value => (byte)value)]);

        RgbImage cut = new FaceSquare(new Complex(-1, 1), 1, 3).Of(picture);

        byte[][] rows = [.. cut.Pixels.Where((_, index) => index % 3 == 0).Chunk(3)];
        Assert.That(rows[0], Is.EqualTo(new byte[] { 12, 12, 15 }));
        Assert.That(rows[1], Is.EqualTo(new byte[] { 24, 24, 27 }));
        Assert.That(rows[2], Is.EqualTo(rows[1]));
    }

    // Eyes are two fifths of the side apart, as in CK+ at 48 x 48.
    [Test]
    public void Find_CropThatItsFaceFills_IsFoundByTheDetector()
    {
        using var detector = new BlazeFace();
        int found = 0;
        foreach ((string name, RgbImage image) in LondonFaces.Some())
        {
            RgbImage cut = Aligned.Place(detector.Find(image)[0]).Of(image);
            var small = new byte[3 * 48 * 48];
            Resize.Forward<Bilinear>(cut.Pixels, cut.Width, cut.Height, 3, 48, 48, small);
            IReadOnlyList<Face> faces = detector.Find(new RgbImage(48, 48, small));
            found += faces.Count == 1 && Math.Abs(faces[0].Points[0].X - 48 * Aligned.Points[0].X) < 6
                && Math.Abs(faces[0].Points[0].Y - 48 * Aligned.Points[0].Y) < 6 ? 1 : 0;
        }
        TestContext.Out.WriteLine($"{found} of 21 found");
        Assert.That(found, Is.GreaterThanOrEqualTo(19));
    }

    [Test]
    public void Find_PicturesCutByATemplate_MeasuresThatTemplate()
    {
        using var detector = new BlazeFace();
        FaceTemplate wanted = FaceTemplate.Usual with { AngleSpread = 3 };
        Sample[] cut = [.. LondonFaces.Some().Select(picture => SampleOf(picture.Name,
            wanted.Place(detector.Find(LondonFaces.Turned(picture.Image, 20))[0])
                .Of(LondonFaces.Turned(picture.Image, 20))))];

        TrainingFaces faces = TrainingFaces.Find(cut, detector, default);

        TestContext.Out.WriteLine($"{faces}, spread {string.Join(' ', faces.Template!.Spread)}");
        Assert.That((faces.Looked, faces.Found), Is.EqualTo((21, 21)));
        Assert.That(faces.Template.IsAligned);
        Assert.That(faces.Template.Angle, Is.EqualTo(0).Within(2));
        // The points of the detector are off by 0.05 of the distance of the eyes, which is 0.26 here; faces differ.
        foreach ((FacePoint actual, FacePoint expected) in faces.Template.Points.Zip(wanted.Points))
        {
            Assert.That(actual.X, Is.EqualTo(expected.X).Within(0.03));
            Assert.That(actual.Y, Is.EqualTo(expected.Y).Within(0.03));
        }
    }

    [Test]
    public void Find_BoxesOfAnotherDetector_MeasuresThemBesideTheSamePoints()
    {
        using var detector = new BlazeFace();
        Sample[] pictures = [.. LondonFaces.Some().Select(picture => SampleOf(picture.Name,
            FaceTemplate.Usual.Place(detector.Find(picture.Image)[0]).Of(picture.Image)))];

        FaceTemplate own = TrainingFaces.Find(pictures, detector, default).Template!;
        FaceTemplate other = TrainingFaces.Find(pictures, detector, default, new TwiceAsLarge(detector)).Template!;
        TrainingFaces none = TrainingFaces.Find(pictures, detector, default, new Elsewhere());

        Assert.That(other.Points, Is.EqualTo(own.Points));
        Assert.That(other.Side, Is.EqualTo(2 * own.Side).Within(0.02 * own.Side), "boxes are whole pixels");
        Assert.That(other.Center.X, Is.EqualTo(own.Center.X).Within(0.01));
        Assert.That(none.Found, Is.Zero, "a box that holds no nose is another face's");
    }

    private sealed class TwiceAsLarge(IFaceDetector network) : IFaceDetector
    {
        public IReadOnlyList<Face> Find(RgbImage image) =>
            [.. network.Find(image).Select(face => new Face(face.Box.Widened(0.5f), 1, []))];
    }

    private sealed class Elsewhere : IFaceDetector
    {
        public IReadOnlyList<Face> Find(RgbImage image) => [new Face(new PixelBox(0, 0, 4, 4), 1, [])];
    }

    [Test]
    public void Find_PicturesWithoutFaces_EndsEarlyWithoutATemplate()
    {
        using var detector = new BlazeFace();
        Sample[] empty = [.. Enumerable.Range(0, 300).Select(i => SampleOf($"{i}", new RgbImage(8, 8, new byte[192])))];

        TrainingFaces faces = TrainingFaces.Find(empty, detector, default);

        Assert.That((faces.Looked, faces.Found, faces.Template), Is.EqualTo((60, 0, (FaceTemplate?)null)));
        Assert.That(faces.ToString(), Does.Contain("0 of 60").And.Contain("too few"));
    }

    [Test]
    public void Find_FacesAnywhere_HasNoTemplate()
    {
        // Each picture stands in another corner of one twice as large.
        using var detector = new BlazeFace();
        Sample[] wide = [.. LondonFaces.Some().Select((picture, index) => SampleOf(picture.Name,
            new FaceSquare(new Complex(-(index % 2) * picture.Image.Width, -(index / 2 % 2) * picture.Image.Height), 1,
                2 * picture.Image.Height).Of(picture.Image)))];

        TrainingFaces faces = TrainingFaces.Find(wide, detector, default);

        Assert.That(faces.Found, Is.GreaterThan(faces.Looked / 2));
        Assert.That(faces.Template, Is.Null);
        Assert.That(faces.ToString(), Does.Contain("too different"));
    }

    // A model that has learned to tell turned faces apart is not needed: any model's answers change with what it sees.
    [Test]
    public void Predict_FaceTurnedBy30Degrees_GetsItsUprightAnswer()
    {
        using var device = new CpuDevice();
        using var detector = new BlazeFace();
        using Predictor predictor = Predictor.Load(ShippedModels.Cliper, device);
        (string Name, RgbImage Image)[] people = LondonFaces.Some();

        (double placed, int samePlaced) = Change(new FaceFraming(Aligned));
        (double cut, int sameCut) = Change(new FaceFraming(null));

        TestContext.Out.WriteLine($"change of the probabilities: {placed:F3}, without a template {cut:F3}; same answer "
            + $"for {samePlaced} and {sameCut} of {people.Length}");
        Assert.That(placed, Is.LessThan(cut / 2));
        Assert.That(samePlaced, Is.GreaterThan(sameCut));

        // Half the sum of the changes of a face's probabilities, 0 to 1, its mean over the faces; faces whose answer
        // stays.
        (double, int) Change(FaceFraming framing)
        {
            float[][] upright = Answers(framing, 0), turned = Answers(framing, 30);
            (float[] Upright, float[] Turned)[] pairs = [.. upright.Zip(turned)];
            return (pairs.Average(pair => pair.Upright.Zip(pair.Turned, (p, q) => Math.Abs(p - q)).Sum() / 2),
                pairs.Count(pair => Array.IndexOf(pair.Upright, pair.Upright.Max())
                    == Array.IndexOf(pair.Turned, pair.Turned.Max())));
        }

        float[][] Answers(FaceFraming framing, int degrees)
        {
            Sample[] samples = [.. people.Select(picture => SampleOf(picture.Name,
                LondonFaces.Turned(picture.Image, degrees)))];
            return [.. predictor.Predict(samples, FaceCrop.Sought(detector, framing, onlyLargest: true), strict: true,
                (_, _) => { }, default).Select(answer => answer.Predictions.Single().Probabilities)];
        }
    }

    private static Sample SampleOf(string name, RgbImage image) =>
        new(name, 0, [new GeneratedFrame(name, () => image)]);

    /// <summary>The template's face, 100 pixels large, turned clockwise.</summary>
    private static Face FaceAt(int degrees)
    {
        Complex turn = Complex.FromPolarCoordinates(100, degrees * Math.PI / 180);
        return new Face(new PixelBox(200, 300, 80, 80), 1, [.. Aligned.Points.Select(point =>
        {
            Complex place = new Complex(250, 350) + new Complex(point.X - 0.5, point.Y - 0.5) * turn;
            return new FacePoint((float)place.Real, (float)place.Imaginary);
        })]);
    }

    /// <summary>Where a point of the picture is in the square, as a part of its side.</summary>
    private static Complex PlaceOf(FaceSquare square, FacePoint point) =>
        ((new Complex(point.X - 0.5, point.Y - 0.5) - square.Corner) / square.Step + new Complex(0.5, 0.5))
        / square.Side;
}
