using System.Globalization;
using Cliper.Model.DataSets;
using Cliper.Model.Samples;

namespace Cliper.Model.Tests.Data;

/// <summary>Splits that the program makes: by subject where names carry one, and by class.</summary>
public sealed class StratifiedSplitTests : TemporaryFolder
{
    [Test]
    public void FramesOfCk48_AreSplitBySubject([Values(0, 4)] int folds)
    {
        foreach (string name in new[] { "anger", "happy", "sadness" })
            for (int subject = 0; subject < 8; subject++)
                for (int frame = 0; frame < 3; frame++)
                    Write($"{name}/S{10 + subject:D3}_004_{15 + frame:D8}.png");
        DataSetSplits sets = DataSetRegistry.Open(Folder, options: new() { Folds = folds, TestFraction = 0.25 });
        Assert.That(sets.Train.Samples.Select(sample => sample.Group).Intersect(
            sets.Test!.Samples.Select(sample => sample.Group)), Is.Empty);
        Assert.That(sets.Test.CountByClass(), Is.EqualTo(new[] { 6, 6, 6 }));
        Assert.That(sets.Notes, Has.Some.Contains("split by subject, 8 of them"));
    }

    [TestCase("KA.AN{0}.39", "KB.AN{0}.40", true)]
    [TestCase("AF01ANS", "AM02HAHL", true)]
    [TestCase("im_{0}", "im_1{0}", false)]
    [TestCase("100{0}_IEO_ANG_HI", "101{0}_IEO_HAP_HI", true)]
    [TestCase("Training_{0}123", "PublicTest_{0}", false)]
    [TestCase("{0}_7", "1{0}_7", false)]
    [TestCase("fer000000{0}", "fer000001{0}", false)]
    public void ASubjectIsFoundWhereNamesCarryOneAndNowhereElse(string first, string second, bool expected)
    {
        RawSample[] samples =
        [
            .. new[] { "happy", "sad" }.SelectMany(label => Enumerable.Range(1, 4).SelectMany(i =>
                new[] { first, second }.Select(name => new RawSample(
                    $"{label}{i}/{string.Format(CultureInfo.InvariantCulture, name, i)}.png", label, [], "")))),
        ];
        Assert.That(Subjects.Find(samples, 2) is not null, Is.EqualTo(expected));
    }

    [Test]
    public void AClassOfOneSample_StaysInTrainingWhateverTheSeed_AndIsNamed([Range(1, 6)] int seed,
        [Values(0, 5)] int folds)
    {
        Images("angry", 10);
        Images("happy", 1);
        Images("sad", 10);
        DataSetSplits sets = DataSetRegistry.Open(Folder, options: new() { Seed = (ulong)seed, Folds = folds });
        Assert.That(sets.Train.CountByClass(), Is.EqualTo(new[] { 8, 1, 8 }));
        Assert.That(sets.Test!.CountByClass(), Is.EqualTo(new[] { 2, 0, 2 }));
        Assert.That(sets.Warnings.Single(), Is.EqualTo(
            "the test split has no samples of happiness: the class has 1 sample, which stay in training"));
    }

    [Test]
    public void FoldsHaveTheSameShareOfEachClass_AndEverySampleOnce()
    {
        DataSplit split = Split(("angry", 40, 0), ("happy", 3, 0), ("sad", 22, 0));
        DataSplit[] held = [.. Enumerable.Range(1, 5).Select(fold => split.Fold(5, fold, 3).Held)];
        Assert.That(held.SelectMany(fold => fold.Samples).Select(sample => sample.Name),
            Is.Unique.And.Exactly(65).Items);
        Assert.That(held.Select(fold => fold.CountByClass()[0]), Is.All.EqualTo(8));
        Assert.That(held.Select(fold => fold.CountByClass()[1]), Is.EqualTo(new[] { 1, 1, 1, 0, 0 }));
        Assert.That(held.Select(fold => fold.CountByClass()[2]), Is.All.InRange(4, 5));
        Assert.That(held.Select(fold => fold.Samples.Count), Is.All.EqualTo(13));
    }

    [Test]
    public void WholeSubjectsAreStratifiedToo()
    {
        // Ten subjects show anger, four of these fear as well: each of two folds gets five and two.
        DataSplit split = Split(("angry", 10, 3), ("fear", 4, 2));
        foreach (int fold in new[] { 1, 2 })
            Assert.That(split.Fold(2, fold, 1).Held.CountByClass(), Is.EqualTo(new[] { 15, 4 }));
        Assert.That(split.HoldOut(0.5, 1).Held.CountByClass(), Is.EqualTo(new[] { 15, 4 }));
    }

    [Test]
    public void TheOnlySubjectOfAClass_StaysInTraining()
    {
        DataSplit split = Split(("angry", 6, 2), ("fear", 1, 3));
        for (ulong seed = 0; seed < 10; seed++)
            for (int fold = 1; fold <= 3; fold++)
                Assert.That(split.Fold(3, fold, seed).Kept.CountByClass()[1], Is.EqualTo(3));
    }

    /// <summary>Classes of subjects with some samples each; no groups where a subject has none.</summary>
    private static DataSplit Split(params (string Name, int Subjects, int Each)[] classes) => new("train",
        [.. classes.Select(entry => entry.Name)],
        [.. classes.SelectMany((entry, label) => Enumerable.Range(0, entry.Subjects).SelectMany(subject =>
            Enumerable.Range(0, Math.Max(1, entry.Each)).Select(i => new Sample($"{entry.Name} {subject} {i}", label,
                [new GeneratedFrame("x", () => TestImages.Make(0))], entry.Each == 0 ? null : $"S{subject}"))))]);

    private void Images(string folder, int count)
    {
        for (int i = 0; i < count; i++)
            Write($"{folder}/{i}.png");
    }

    private void Write(string name) => TestImages.Write(In(name), TestImages.Make(1));
}
