using Cliper.Model.DataSets;
using Cliper.Model.Runs;
using Cliper.Model.Samples;
using Cliper.Model.Stages;

namespace Cliper.Model.Tests.Data;

[FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
public sealed class ImagePrintsTests
{
    private int _decoded;

    [Test]
    public void ARunDecodesEachImageOnceForAllSplits([Values] bool drop)
    {
        // Sample 3 of training stands in validation, 5 in test: the second search is of fewer samples than the first.
        DataSplit train = Split("train", Enumerable.Range(0, 8)), validation = Split("validation", [3, 20]),
            test = Split("test", [5, 21, 22]);

        DataSplit left = RunData.WithoutCopies(train, [validation, test], drop, new Progress<TrainEvent>(), null,
            default);

        Assert.That(_decoded, Is.EqualTo(8 + 2 + 3));
        Assert.That(left.Samples.Select(sample => sample.Name), Is.EqualTo(drop ? ["0", "1", "2", "4", "6", "7"]
            : train.Samples.Select(sample => sample.Name)));
    }

    [Test]
    public void SearchesWithPrintsFindWhatSearchesWithoutFind()
    {
        DataSplit train = Split("train", [0, 1, 2, 2]), test = Split("test", [2, 9]);
        var prints = new ImagePrints();

        Assert.That(DuplicateFinder.ExactWithin(train, prints: prints), Is.EqualTo(DuplicateFinder.ExactWithin(train)));
        Assert.That(DuplicateFinder.Find(train, test, prints: prints).Pairs,
            Is.EqualTo(DuplicateFinder.Find(train, test).Pairs));
    }

    [Test]
    public void AnUnreadableImageIsCountedBySecondSearchesToo()
    {
        var train = new DataSplit("train", ["a", "b"], [new Sample("0", 0, [new FileFrame("/nowhere.png")]),
            .. Split("train", [1]).Samples]);
        var prints = new ImagePrints();

        Assert.That(DuplicateFinder.Find(train, Split("test", [4]), prints: prints).Unreadable, Is.EqualTo(1));
        Assert.That(DuplicateFinder.Find(train, Split("validation", [5]), prints: prints).Unreadable, Is.EqualTo(1));
    }

    private DataSplit Split(string name, IEnumerable<int> images) =>
        new(name, ["a", "b"],
        [.. images.Select((image, i) => new Sample($"{i}", i % 2, [new GeneratedFrame($"{name} {i}", () =>
        {
            Interlocked.Increment(ref _decoded);
            return TestImages.Make(100 + image, 64, 64);
        })]))]);
}
