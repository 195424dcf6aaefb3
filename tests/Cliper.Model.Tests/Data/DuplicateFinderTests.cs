using Cliper.Kernels.Operations;
using Cliper.Model.DataSets;
using Cliper.Model.Images;
using Cliper.Model.Samples;

namespace Cliper.Model.Tests.Data;

public sealed class DuplicateFinderTests
{
    [Test]
    public void CopiesAreFoundAndOthersAreNot()
    {
        // Samples 0..7 of training; the other split has 3 as it is, 5 recompressed, 6 darker and mirrored, and two
        // strangers.
        RgbImage Image(int i) => TestImages.Make(100 + i, 64, 64);
        DataSplit train = Split("train", [.. Enumerable.Range(0, 8).Select(Image)]);
        byte[] jpeg = SkiaImageCodec.Instance.Encode(Image(5), ImageFormat.Jpeg, 70), mirrored = [.. Image(6).Pixels];
        ColorJitter.Brightness(mirrored, 0.8f);
        Flip.Horizontal(mirrored, 64, 3);
        DataSplit test = Split("test", Image(50), Image(3), SkiaImageCodec.Instance.Decode(jpeg, "jpeg"),
            new RgbImage(64, 64, mirrored), Image(51));

        DuplicateReport report = DuplicateFinder.Find(train, test);

        Assert.That(report.Pairs.Select(pair => (pair.Train, pair.Other, pair.Kind, pair.Mirrored)), Is.EqualTo(new[]
        {
            (3, 1, DuplicateKind.Exact, false), (5, 2, DuplicateKind.Near, false), (6, 3, DuplicateKind.Near, true),
        }));
        Assert.That((report.ExactSamples, report.NearSamples, report.TrainSamples), Is.EqualTo((1, 2, 3)));
        Assert.That(report.Cleaned().Samples.Select(sample => sample.Name),
            Is.EqualTo(new[] { "0", "1", "2", "4", "7" }));
        Assert.That(report.ToString(), Does.Contain("1 of 5 samples"));
        Assert.That(report.Contradictions, Is.EqualTo(2), "labels alternate");
    }

    [Test]
    public void ImagesOfOneColorAndUnreadableOnesAreLikeNone()
    {
        RgbImage Flat(byte value) => new(8, 8, [.. Enumerable.Repeat(value, 192)]);
        DataSplit train = Split("train", Flat(10), Flat(20));
        DataSplit test = new("test", ["a", "b"], [new Sample("x", 0, [new GeneratedFrame("x", () => Flat(30))]),
            new Sample("y", 0, [new FileFrame("/nowhere.png")])]);
        DuplicateReport report = DuplicateFinder.Find(train, test);
        Assert.That(report.Pairs, Is.Empty);
        Assert.That(report.Unreadable, Is.EqualTo(1));
        Assert.That(() => DuplicateFinder.Find(train, test, 0), Throws.TypeOf<SettingsException>());
    }

    private static DataSplit Split(string name, params RgbImage[] images) =>
        new(name, ["a", "b"],
        [.. images.Select((image, i) => new Sample($"{i}", i % 2, [new GeneratedFrame($"{name} {i}", () => image)]))]);
}
