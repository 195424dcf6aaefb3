using System.Text;
using Cliper.Kernels.Operations;
using Cliper.Model.Faces;
using Cliper.Model.Images;

namespace Cliper.Model.Tests.Data.Faces;

/// <summary>
/// The evaluator on tests/cascades/dark-square.xml, a cascade that can be followed by hand, and on OpenCV's own where
/// it is installed.
/// </summary>
public sealed class CascadeDetectorTests : TemporaryFolder
{
    private const string Sound = "dark-square.xml";

    internal static string Cascade => Path.Combine(SharedFiles.Root, "tests", "cascades", Sound);

    /// <summary>Gray values of dark squares on a bright picture.</summary>
    internal static RgbImage Picture(int width, int height, params PixelBox[] squares)
    {
        var pixels = new byte[3 * width * height];
        Array.Fill(pixels, (byte)210);
        foreach (PixelBox square in squares)
            for (int y = square.Y; y < square.Y + square.Height; y++)
                pixels.AsSpan(3 * (y * width + square.X), 3 * square.Width).Fill(40);
        return new RgbImage(width, height, pixels);
    }

    [TestCase(28, 28, 40)]
    [TestCase(60, 40, 24)]
    [TestCase(20, 70, 16)]
    public void ASquareIsFoundWhereItIs(int x, int y, int side)
    {
        PixelBox[] found = [.. CascadeDetector.Load(Cascade).Find(Picture(128, 112, new PixelBox(x, y, side, side)))
            .Select(face => face.Box)];

        // The square fills half of the window; windows pass in which it fills more than a third, and their mean is
        // told.
        Assert.That(found, Has.Length.EqualTo(1));
        Assert.That(found[0].Width / (double)side, Is.InRange(1.8, 3));
        Assert.That(found[0].X + found[0].Width / 2.0, Is.EqualTo(x + side / 2.0).Within(side / 8.0));
        Assert.That(found[0].Y + found[0].Height / 2.0, Is.EqualTo(y + side / 2.0).Within(side / 8.0));
    }

    [Test]
    public void TheLargestComesFirstAndLargePicturesAreReduced()
    {
        PixelBox[] found = [.. CascadeDetector.Load(Cascade).Find(Picture(1900, 1000, new PixelBox(150, 400, 200, 200),
            new PixelBox(1200, 300, 400, 400))).Select(face => face.Box)];
        Assert.That(found.Select(box => Math.Round(box.Width / 100.0)), Is.EqualTo(new[] { 8, 4 }));
        Assert.That(found[0].X + found[0].Width / 2, Is.EqualTo(1400).Within(50));
    }

    [Test]
    public void WhatIsNotThereIsNotFound()
    {
        var detector = CascadeDetector.Load(Cascade);
        RgbImage bright = Picture(128, 112, new PixelBox(40, 40, 30, 30));
        for (int i = 0; i < bright.Pixels.Length; i++)
            bright.Pixels[i] = (byte)(250 - bright.Pixels[i]);
        Assert.That(detector.Find(Picture(128, 112)), Is.Empty, "one color");
        Assert.That(detector.Find(bright), Is.Empty, "a bright square");
        // 128 wide, so that the second stage has to refuse it: all right of the square is dark.
        Assert.That(detector.Find(Picture(128, 112, new PixelBox(50, 0, 78, 112))), Is.Empty, "an edge");
        Assert.That(detector.Find(Picture(5, 5)), Is.Empty, "smaller than the window");
    }

    [TestCase("<height>8", "<height>2000", "a window of")]
    [TestCase("HAAR", "LBP", "no cascade of boosted Haar features")]
    [TestCase("2 2 4 4 2.25", "2 2 7 4 2.25", "the rectangle '2 2 7 4 2.25'")]
    [TestCase("2 2 4 4 2.25", "2 2 4 4", "the rectangle")]
    [TestCase("2 2 4 4 2.25", "2 2 4 4 1e99", "'1e99', expected a number")]
    [TestCase("0 -1 0 -0.55", "0 -1 2 -0.55", "by feature 2, which is not there")]
    [TestCase("0 -1 0 -0.55", "0 -2 0 -0.55", "leads to 0, -2")]
    [TestCase("0 -1 0 -0.55", "0 -1 0", "a tree of 3 numbers")]
    [TestCase("0 1 1 -0.5 -1 -2 1 0.5", "0 1 1 -0.5 1 -2 1 0.5", "leads to 1, -2")]
    [TestCase("<rects>", "<tilted>1</tilted><rects>", "tilted features")]
    [TestCase("<stages>", "<other>", "no XML file")]
    [TestCase("<stageThreshold>0.5", "<stageThreshold>", "a stage without a threshold")]
    [TestCase("<?xml version=\"1.0\"?>", "<!DOCTYPE a [<!ENTITY b \"c\">]>", "no XML file")]
    public void ADamagedCascadeIsNamed(string what, string instead, string message)
    {
        string path = In(Sound);
        string text = File.ReadAllText(Cascade);
        int at = text.IndexOf(what, StringComparison.Ordinal);
        File.WriteAllText(path, text[..at] + instead + text[(at + what.Length)..]);
        Assert.That(() => CascadeDetector.Load(path), Throws.TypeOf<InputException>().With.Message.StartsWith(path)
            .And.Message.Contains(message).And.Message.Not.Contains("\n"));
    }

    [Test]
    public void AMissingCascadeIsNamed() =>
        Assert.That(() => CascadeDetector.Load(In("none.xml")),
        Throws.TypeOf<InputException>().With.Message.Contains("none.xml"));

    [Test]
    public void CascadeFuzz()
    {
        byte[] whole = File.ReadAllBytes(Cascade);
        RgbImage picture = Picture(24, 24, new PixelBox(8, 8, 8, 8));
        int refused = 0, rounds = Fuzzing.Rounds(1000);
        string path = In(Sound);
        for (int round = 0; round < rounds; round++)
        {
            File.WriteAllBytes(path, Fuzzing.Mutate(whole, whole.Length, new Random(round)));
            try
            {
                CascadeDetector.Load(path).Find(picture);
            }
            catch (InputException refusal)
            {
                refused++;
                Assert.That(refusal.Message, Does.StartWith(path).And.Not.Contain("\n"));
            }
        }
        Assert.That(refused, Is.InRange(rounds / 10, rounds - 10));
    }

    // Finds of OpenCV 4.6 with haarcascade_frontalface_alt2.xml in the photographs, reduced to 640 pixels: the
    // largest face.
    [TestCase("angry.jpg", 132, 501, 936)]
    [TestCase("group.jpeg", 918, 296, 166)]
    [TestCase("happy-baby.jpeg", 466, 136, 284)]
    [TestCase("neutral.jpeg", 218, 316, 563)]
    [TestCase("sad-baby.jpeg", 320, 40, 774)]
    public void FacesAreFoundWhereOpenCvFindsThem(string name, int x, int y, int side)
    {
        string path = SharedFiles.OrIgnore($"data/photos/{name}");
        PixelBox face = CascadeDetector.Load(InstalledOrIgnore())
            .Find(SkiaImageCodec.Instance.Decode(File.ReadAllBytes(path), path))[0].Box;
        double common = Math.Max(0, Math.Min(face.X + face.Width, x + side) - Math.Max(face.X, x))
            * (double)Math.Max(0, Math.Min(face.Y + face.Height, y + side) - Math.Max(face.Y, y));
        // Other filters reduce the pictures; 0.5 is what counts as the same face in benchmarks of detectors.
        Assert.That(common / ((double)side * side + (double)face.Width * face.Height - common),
            Is.GreaterThan(0.75), $"{face}");
    }

    private static string InstalledOrIgnore()
    {
        if (CascadeDetector.Installed is { } installed)
            return installed;
        const string Needed = "needs OpenCV's cascades (Debian: opencv-data)";
        if (Environment.GetEnvironmentVariable("CI") is { Length: > 0 })
            Assert.Fail(Needed);
        Assert.Ignore(Needed);
        return "";
    }
}
