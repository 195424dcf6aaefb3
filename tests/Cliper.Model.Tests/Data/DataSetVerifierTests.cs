using Cliper.Model.DataSets;
using Cliper.Model.Images;

namespace Cliper.Model.Tests.Data;

public sealed class DataSetVerifierTests : TemporaryFolder
{
    [Test]
    public void WholeDataHasNoProblem()
    {
        WriteFolders();
        DataSetReport report = Run();
        Assert.That(report.Problems, Is.Empty);
        Assert.That(report.Format, Is.EqualTo("folder"));
        Assert.That(report.Splits.Select(split => (split.Name, split.Found, split.Expected)),
            Is.EqualTo(new[] { ("train", 6, (int?)null), ("test", 4, null) }));
        Assert.That(report.Splits[0].Classes.Select(entry => (entry.Name, entry.Found)),
            Is.EqualTo(new[] { ("happiness", 3), ("sadness", 3) }));
        Assert.That(report.Splits[0].Frames, Is.Null);
    }

    [Test]
    public void UnreadableImagesAndCopiesAreFound()
    {
        WriteFolders();
        File.WriteAllText(In("train/sad/bad.png"), "no picture");
        File.Copy(In("train/happy/0.png"), In("train/happy/again.png"));
        File.Copy(In("train/happy/1.png"), In("test/sad/leak.png"));
        RgbImage image = TestImages.Make(2, 40, 32);
        File.WriteAllBytes(In("test/happy/near.jpg"), SkiaImageCodec.Instance.Encode(image, ImageFormat.Jpeg));

        DataSetReport report = Run();

        Assert.That(report.Unreadable.Single(), Does.Contain("bad.png"));
        Assert.That(report.Copies.Single().Names, Is.EqualTo(new[] { "happy/0.png", "happy/again.png" }));
        DuplicateReport across = report.Across.Single();
        Assert.That(across.Pairs.Select(pair => (across.Train.Samples[pair.Train].Name,
            across.Other.Samples[pair.Other].Name, pair.Kind)),
            Is.EquivalentTo(new[] { ("happy/1.png", "sad/leak.png", DuplicateKind.Exact),
            ("happy/2.png", "happy/near.jpg", DuplicateKind.Near) }));
        Assert.That(report.Problems, Has.Count.EqualTo(3));
        Assert.That(report.Problems.Select(problem => problem.Remedy), Has.All.Not.Empty);
        Assert.That(Run(images: false).Problems, Is.Empty, "the quick check looks at no picture");
    }

    [Test]
    public void WhatIsListedAndNotThereIsCountedAgainstThePublishedNumbers()
    {
        string[] names = ["Happy", "Sad", "Neutral", "Angry", "Surprise", "Disgust", "Fear"];
        Directory.CreateDirectory(In("4_setups/All_scenes"));
        foreach (string split in new[] { "train", "test" })
        {
            File.WriteAllLines(In($"4_setups/All_scenes/{split}_All.csv"),
                names.Select(name => $"{split}/{name}/1 {name}").Append($"{split}/Sad/2 Sad"));
            foreach ((string name, int index) in names.Select((name, index) => (name, index)))
                for (int frame = 0; frame < 2 + 3 * index; frame++)
                    TestImages.Write(In($"2_ClipsforFaceCrop/{split}/{name}/1/{frame:D2}.png"),
                        TestImages.Make(split.Length * 1000 + 100 * index + frame));
        }

        DataSetReport report = DataSetVerifier.Run(Folder, "ferv39k", new DataSetOptions(), images: false);

        Assert.That(report.Missing, Has.Count.EqualTo(2).And.All.Contains("Sad/2"));
        Assert.That(report.Splits[0].Frames, Is.EqualTo((2, 11, 20)));
        Assert.That(report.Splits[0].ShortClips, Is.EqualTo(5), "2, 5, 8, 11 and 14 of 2 to 20 frames");
        Assert.That(report.Problems.Select(problem => problem.What),
            Has.Some.Contains("train: 7 samples, the published data set has 31088")
            .And.Some.Contains("test: 7 samples, the published data set has 7847").And.Some.Contains(
            "2 listed samples"));
    }

    // Totals as the data sets' own papers have them, or, of FER+, as its authors' program counts.
    [TestCase("rafdb", 1, 12271, 3068)]
    [TestCase("affectnet", 1, 283901, 3500)]
    [TestCase("dfew", 1, 9356, 2341)]
    [TestCase("dfew", 2, 9356, 2341)]
    [TestCase("dfew", 3, 9357, 2340)]
    [TestCase("dfew", 4, 9358, 2339)]
    [TestCase("dfew", 5, 9361, 2336)]
    [TestCase("ferv39k", 1, 31088, 7847)]
    [TestCase("afew", 1, 773, 383, 773, 381)]
    [TestCase("fer2013", 1, 28709, 3589, 3589)]
    [TestCase("ferplus", 1, 25060, 3199, 3153)]
    [TestCase("ckplus", 1, 327)]
    [TestCase("mafw", 1, 7333, 1839)]
    [TestCase("mafw", 2, 7335, 1837)]
    [TestCase("mafw", 3, 7339, 1833)]
    [TestCase("mafw", 4, 7340, 1832)]
    [TestCase("mafw", 5, 7341, 1831)]
    public void PublishedNumbersAddUp(string name, int fold, params int[] totals) =>
        Assert.That(ExpectedCounts.Of(name, new DataChoices { AffectNetClasses = 7 }, fold).Select(count =>
        count.Total), Is.EqualTo(totals));

    [Test]
    public void PublishedNumbersOfAffectNet8AndOfVotes()
    {
        Assert.That(ExpectedCounts.Of("affectnet", new DataChoices(), 1).Select(count => count.Total),
            Is.EqualTo(new[] { 287651, 4000 }));
        Assert.That(ExpectedCounts.Of("ferplus", new DataChoices { FerPlus = FerPlusLabels.Soft }, 1).Select(count =>
            count.Total),
            Is.EqualTo(new[] { 27956, 3505, 3505 }));
    }

    [Test]
    public void OfTwoCopiesInUseTheNearestCounts()
    {
        // AFEW's faces as Former-DFER lists them; lists and files alone are looked at, so that the frames may be empty.
        string[] names = ["Anger", "Disgust", "Fear", "Happiness", "Neutral", "Sadness", "Surprise"];
        foreach ((string split, int[] counts) in new[] { ("train", new[] { 135, 74, 81, 150, 142, 117, 74 }),
            ("validation", [63, 40, 46, 62, 64, 61, 45]) })
            foreach ((string name, int count) in names.Zip(counts))
                for (int clip = 0; clip < count; clip++)
                    File.WriteAllBytes(
                        Path.Combine(Directory.CreateDirectory(In($"AFEW_Face/{split}/{name}/{clip:D3}")).FullName,
                        "1.png"), []);
        Assert.That(DataSetVerifier.Run(Folder, "afew", new DataSetOptions(), images: false).Problems, Is.Empty);

        Directory.Delete(In("AFEW_Face/validation/Fear/003"), recursive: true);
        Assert.That(DataSetVerifier.Run(Folder, "afew", new DataSetOptions(), images: false).Problems.Single().What,
            Is.EqualTo("validation: 380 samples, the published data set has 381 (fear 45 of 46)"));
    }

    [Test]
    public void EveryImageThatRafDbListsAndLacksIsNamed()
    {
        Directory.CreateDirectory(In("EmoLabel"));
        File.WriteAllLines(In("EmoLabel/list_patition_label.txt"),
            Enumerable.Range(1, 9).Select(i => $"train_{i:D5}.jpg {(i - 1) % 7 + 1}"));
        for (int i = 1; i <= 7; i++)
            TestImages.Write(In($"Image/aligned/train_{i:D5}_aligned.jpg"), TestImages.Make(i));

        Assert.That(DataSetVerifier.Run(Folder, "rafdb", new DataSetOptions(), images: false).Missing,
            Is.EqualTo(new[] { 8, 9 }.Select(i =>
            $"{In("EmoLabel/list_patition_label.txt")}:{i}: train_{i:D5}_aligned.jpg is not in "
                + $"{In("Image/aligned")}; unpack the pictures again, or remove the line")));
        Assert.That(() => DataSetRegistry.Open(Folder, "rafdb"),
            Throws.TypeOf<InputException>().With.Message.Contains("train_00008_aligned.jpg"));
    }

    [Test]
    public void PublishedNumbersOfTheRealTrainingSplit()
    {
        string archive = SharedFiles.OrIgnore("data/fer2013.tar.gz");
        using (var gzip = new System.IO.Compression.GZipStream(File.OpenRead(archive),
            System.IO.Compression.CompressionMode.Decompress))
            System.Formats.Tar.TarFile.ExtractToDirectory(gzip, Folder, overwriteFiles: false);
        DataSetReport report = DataSetVerifier.Run(Folder, "fer2013", new DataSetOptions(), images: false);
        Assert.That(report.Problems.Single().What, Does.StartWith("test: 0 samples, the published data set has 3589"),
            "training and validation are whole, the test split is kept elsewhere");
    }

    [Test]
    public void EveryFileThatAListNamesAndThatIsNotThereIsNamed()
    {
        foreach (string name in new[] { "a", "b" })
            TestImages.Write(In($"{name}.png"), TestImages.Make(name[0]));
        TestImages.Write(In("clip/1.png"), TestImages.Make(9));
        File.WriteAllLines(In("list.txt"), ["a.png happy", "b.png sad", "c.png sad", "clip 3 happy"]);

        Assert.That(DataSetVerifier.Run(In("list.txt"), "list", new DataSetOptions(), images: false).Missing,
            Is.EqualTo(new[]
        {
            $"{In("list.txt")}:3: {In("c.png")} does not exist; correct the line, the image root or the rewriting of "
                + "paths",
            $"{In("list.txt")}:4: {In("clip")} has 1 frames, expected 3; unpack the clip again, or correct the line",
        }));
        // Nothing is there: the root is wrong, which no list of files would say.
        Assert.That(() => DataSetVerifier.Run(In("list.txt"), "list",
            new DataSetOptions { ImageRoot = In("elsewhere") }, images: false),
            Throws.TypeOf<InputException>().With.Message.Contains("list.txt:1").And.Message.Contains("the image root"));
    }

    private DataSetReport Run(bool images = true) => DataSetVerifier.Run(Folder, "auto", new DataSetOptions(), images,
        threads: 1);

    private void WriteFolders()
    {
        int seed = 0;
        foreach ((string split, int count) in new[] { ("train", 3), ("test", 2) })
            foreach (string name in new[] { "happy", "sad" })
                for (int i = 0; i < count; i++)
                    TestImages.Write(In($"{split}/{name}/{i}.png"), TestImages.Make(seed++, 40, 32));
    }
}
