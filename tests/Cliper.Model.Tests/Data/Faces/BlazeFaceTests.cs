using System.Text.Json;
using Cliper.Kernels.Operations;
using Cliper.Model.Checkpoints;
using Cliper.Model.Faces;
using Cliper.Model.Images;
using Cliper.Model.Tests.Golden;
using Cliper.Model.Weights;

namespace Cliper.Model.Tests.Data.Faces;

/// <summary>The face detector against the same network in TensorFlow.js, and on photographs.</summary>
public sealed class BlazeFaceTests : TemporaryFolder
{
    // The overlap that counts as the same face in benchmarks of detectors.
    private const double SameFace = 0.5;

    private static readonly BlazeFace Detector = new();

    [OneTimeTearDown]
    public void EndDetector() => Detector.Dispose();

    [Test]
    [Category("Golden")]
    public void OutputsAreThoseOfTensorFlow()
    {
        using var golden = new SafeTensors(Path.Combine(SharedFiles.Root, "tests", "golden", "blazeface.safetensors"));
        using var weights = new SafeTensors(ShippedModels.FaceDetector);
        using var network = new BlazeFaceNetwork(weights);
        golden.ReadFloats("input", network.Input);

        network.Run();

        Assert.That(network.HeadCells, Is.EqualTo(new[] { 16, 8 }));
        // Scores reach 621 and boxes 121, with sums that cancel in between: fp32 in another order leaves a millionth of
        // the largest.
        foreach ((string name, float[] actual) in new[]
        {
            ("output.Identity", network.Scores(0).ToArray()), ("output.Identity_1", network.Scores(1).ToArray()),
            ("output.Identity_2", network.Boxes(0).ToArray()), ("output.Identity_3", network.Boxes(1).ToArray()),
        })
            GoldenSet.AssertRelativelyClose(actual, golden.ReadFloats(name), 2e-6, name);
    }

    [Test]
    public void EveryFaceOfTheLondonSetIsFoundAndNothingElse()
    {
        int pictures = 0;
        foreach ((string name, RgbImage image) in LondonFaces.All())
        {
            IReadOnlyList<Face> expected = Expected("london")[name], found = Detector.Find(image);
            AssertSameFaces(found, expected, name);
            pictures++;
        }
        Assert.That(pictures, Is.EqualTo(204));
    }

    [TestCase("angry.jpg", 1)]
    [TestCase("group.jpeg", 5)]
    [TestCase("happy-baby.jpeg", 1)]
    [TestCase("neutral.jpeg", 1)]
    [TestCase("sad-baby.jpeg", 1)]
    [TestCase("surprised.jpeg", 1)]
    public void EveryFaceOfAPhotographIsFoundAndNothingElse(string name, int faces)
    {
        string path = SharedFiles.OrIgnore($"data/photos/{name}");
        IReadOnlyList<Face> found = Detector.Find(SkiaImageCodec.Instance.Decode(File.ReadAllBytes(path), path));
        Assert.That(found, Has.Count.EqualTo(faces));
        AssertSameFaces(found, Expected("photos")[name], name);
    }

    [Test]
    public void TurnedFacesAreFoundAndTheirEyesTellTheAngle([Values(0, 15, 30, 45)] int degrees)
    {
        (string Name, RgbImage Image)[] some = LondonFaces.Some();
        var errors = new List<double>();
        foreach ((string name, RgbImage image) in some)
        {
            IReadOnlyList<Face> found = Detector.Find(LondonFaces.Turned(image, degrees));
            Assert.That(found, Has.Count.EqualTo(1), name);
            (FacePoint right, FacePoint left) = (found[0].Points[0], found[0].Points[1]);
            double angle = Math.Atan2(left.Y - right.Y, left.X - right.X) * 180 / Math.PI;
            errors.Add(angle - degrees);
        }
        Assert.That(some, Has.Length.EqualTo(21));
        errors.Sort();
        TestContext.Out.WriteLine($"{degrees} degrees: median off by {errors[10]:F1}, worst {errors.Max(Math.Abs):F1}");
        // People hold their heads a little askew too: by up to 8 degrees in these pictures.
        Assert.That(errors[10], Is.EqualTo(0).Within(2));
        Assert.That(errors, Has.All.InRange(-10, 10));
    }

    [Test]
    public void SmallFacesOfALargePictureAreFound()
    {
        // Faces of about 35 pixels in 1400 x 1000: 6 of the network's 256 when it looks at all of it, 35 in a tile.
        const int Across = 14, Down = 10, Each = 100;
        RgbImage[] people = [.. LondonFaces.All().Select(picture => picture.Image).Take(Across * Down)];
        var pixels = new byte[3 * Across * Each * Down * Each];
        for (int i = 0; i < people.Length; i++)
        {
            var small = new byte[3 * Each * Each];
            Resize.Forward<Bilinear>(people[i].Pixels, people[i].Width, people[i].Height, 3, Each, Each, small);
            for (int y = 0; y < Each; y++)
                small.AsSpan(3 * y * Each, 3 * Each)
                    .CopyTo(pixels.AsSpan(3 * ((i / Across * Each + y) * Across * Each + i % Across * Each)));
        }
        var crowd = new RgbImage(Across * Each, Down * Each, pixels);

        using BlazeFace withTiles = new(smallestFace: 32), withoutTiles = new(smallestFace: crowd.Width);
        IReadOnlyList<Face> found = withTiles.Find(crowd);

        TestContext.Out.WriteLine(
            $"{found.Count} of {people.Length}, {withoutTiles.Find(crowd).Count} without tiles; widths "
            + $"{found.Min(face => face.Box.Width)} to {found.Max(face => face.Box.Width)}");
        Assert.That(found, Has.Count.GreaterThanOrEqualTo(0.95 * people.Length));
        Assert.That(found.Select(face => (face.Box.Y + face.Box.Height / 2) / Each * Across
            + (face.Box.X + face.Box.Width / 2) / Each),
            Is.Unique, "at most one face in each of the small pictures");
        Assert.That(withoutTiles.Find(crowd), Has.Count.LessThan(people.Length / 2));
    }

    [Test]
    public void NothingIsFoundWhereThereIsNoFace([Values(200, 256, 1100)] int side)
    {
        foreach ((string name, Func<int, int, int, double> value) in Patterns(side))
        {
            var pixels = new byte[3 * side * side];
            for (int i = 0; i < pixels.Length; i++)
                pixels[i] = (byte)Math.Clamp(127.5 + 127.5 * value(i / 3 % side, i / 3 / side, i % 3), 0, 255);
            Assert.That(Detector.Find(new RgbImage(side, side, pixels)), Is.Empty, name);
        }
    }

    /// <summary>
    /// Pictures from -1 to 1 of x, y and color: flat ones, noise of several sizes, stripes, checks, disks, rings and
    /// waves.
    /// </summary>
    private static IEnumerable<(string, Func<int, int, int, double>)> Patterns(int side)
    {
        yield return ("black", (_, _, _) => -1);
        yield return ("gray", (_, _, _) => 0);
        yield return ("a slope", (x, y, c) => 2.0 * (c == 1 ? x : y) / side - 1);
        foreach (int size in new[] { 1, 4, 16, 50 })
        {
            int seed = size;
            float[] noise = [.. Enumerable.Range(0, 3 * (side / size + 1) * (side / size + 1)).Select(_ => 0f)];
            var random = new Random(seed);
            for (int i = 0; i < noise.Length; i++)
                noise[i] = 2 * random.NextSingle() - 1;
            yield return ($"noise of {size} pixels", (x, y, c) =>
                noise[3 * (y / size * (side / size + 1) + x / size) + c]);
            yield return ($"stripes of {size} pixels", (x, _, c) => x / size % 2 == 0 ? 0.8 : c * 0.3 - 0.5);
            yield return ($"checks of {size} pixels", (x, y, c) => (x / size + y / size) % 2 == 0 ? 0.9
                : c * 0.2 - 0.9);
            // Longer waves are spots that lie as eyes and mouths do: the network takes three of them for a face (0.79).
            if (size < side / 50)
                yield return ($"waves of {size} pixels", (x, y, c) => Math.Sin(x / (double)size + c)
                    * Math.Cos(y / (double)size));
        }
        foreach (double radius in new[] { 0.1, 0.25, 0.45 })
        {
            yield return ($"a disk of {radius}", (x, y, c) => Distance(x, y) < radius ? new[] { 0.8, 0.5, 0.3 }[c]
                : -0.3);
            yield return ($"a ring of {radius}", (x, y, _) => Math.Abs(Distance(x, y) - radius) < 0.03 ? 1 : -0.8);
        }

        double Distance(int x, int y) => Math.Sqrt((x - side / 2.0) * (x - side / 2.0) + (y - side / 2.0)
            * (y - side / 2.0)) / side;
    }

    private static void AssertSameFaces(IReadOnlyList<Face> found, IReadOnlyList<Face> expected, string name)
    {
        Assert.That(found, Has.Count.EqualTo(expected.Count), name);
        foreach (Face face in expected)
        {
            Face same = found.MaxBy(other => Overlap(other.Box, face.Box))!;
            Assert.That(Overlap(same.Box, face.Box), Is.GreaterThan(SameFace), $"{name}: {face.Box}");
            double worst = same.Points.Zip(face.Points, (a, b) => Math.Max(Math.Abs(a.X - b.X), Math.Abs(a.Y - b.Y)))
                .Max() / face.Box.Width;
            TestContext.Out.WriteLine(
                $"{name}: IoU {Overlap(same.Box, face.Box):F2}, points {worst:F3} of the width, score "
                + $"{same.Score:F3} {face.Score:F3}");
        }
    }

    private static double Overlap(PixelBox a, PixelBox b)
    {
        double across = Math.Min(a.X + a.Width, b.X + b.Width) - Math.Max(a.X, b.X),
            down = Math.Min(a.Y + a.Height, b.Y + b.Height) - Math.Max(a.Y, b.Y);
        double common = Math.Max(0, across) * Math.Max(0, down);
        return common / ((double)a.Width * a.Height + (double)b.Width * b.Height - common);
    }

    /// <summary>The faces that the same network finds in TensorFlow.js.</summary>
    private static Dictionary<string, IReadOnlyList<Face>> Expected(string set) => File.ReadLines(
        SharedFiles.OrIgnore($"faces/{set}.blazeface.jsonl")).Select(line => JsonDocument.Parse(line).RootElement)
        .ToDictionary(
        picture => picture.GetProperty("file").GetString()!, picture =>
        (IReadOnlyList<Face>)[.. picture.GetProperty("faces").EnumerateArray().Select(face =>
        {
            int[] box = [.. face.GetProperty("b").EnumerateArray().Select(value => value.GetInt32())];
            return new Face(new PixelBox(box[0], box[1], box[2], box[3]), face.GetProperty("p").GetSingle(),
                [.. face.GetProperty("k").EnumerateArray().Select(point => new FacePoint(point[0].GetSingle(),
                point[1].GetSingle()))]);
        })]);
}
