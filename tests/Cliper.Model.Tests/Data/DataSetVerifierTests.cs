using Cliper.Model.Data;

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
        Assert.That(report.Splits[0].Classes.Select(entry => (entry.Name, entry.Found)), Is.EqualTo(new[] { ("happiness", 3), ("sadness", 3) }));
        Assert.That(report.Splits[0].Frames, Is.Null);
    }

    [Test]
    public void UnreadablePicturesAndCopiesAreFound()
    {
        WriteFolders();
        File.WriteAllText(In("train/sad/bad.png"), "no picture");
        File.Copy(In("train/happy/0.png"), In("train/happy/again.png"));
        File.Copy(In("train/happy/1.png"), In("test/sad/leak.png"));
        RgbImage image = TestPictures.Make(2, 40, 32);
        File.WriteAllBytes(In("test/happy/near.jpg"), SkiaImageCodec.Instance.Encode(image, ImageFormat.Jpeg));

        DataSetReport report = Run();

        Assert.That(report.Unreadable.Single(), Does.Contain("bad.png"));
        Assert.That(report.Copies.Single().Names, Is.EqualTo(new[] { "happy/0.png", "happy/again.png" }));
        DuplicateReport across = report.Across.Single();
        Assert.That(across.Pairs.Select(pair => (across.Train.Samples[pair.Train].Name, across.Other.Samples[pair.Other].Name, pair.Kind)),
            Is.EquivalentTo(new[] { ("happy/1.png", "sad/leak.png", DuplicateKind.Exact), ("happy/2.png", "happy/near.jpg", DuplicateKind.Near) }));
        Assert.That(report.Problems, Has.Count.EqualTo(3));
        Assert.That(report.Problems.Select(problem => problem.Remedy), Has.All.Not.Empty);
        Assert.That(Run(pictures: false).Problems, Is.Empty, "the quick check looks at no picture");
    }

    [Test]
    public void WhatIsListedAndNotThereIsCountedAgainstThePublishedNumbers()
    {
        string[] names = ["Happy", "Sad", "Neutral", "Angry", "Surprise", "Disgust", "Fear"];
        Directory.CreateDirectory(In("4_setups/All_scenes"));
        foreach (string split in new[] { "train", "test" })
        {
            File.WriteAllLines(In($"4_setups/All_scenes/{split}_All.csv"), names.Select(name => $"{split}/{name}/1 {name}").Append($"{split}/Sad/2 Sad"));
            foreach ((string name, int index) in names.Select((name, index) => (name, index)))
                for (int frame = 0; frame < 2 + 3 * index; frame++)
                    TestPictures.Write(In($"2_ClipsforFaceCrop/{split}/{name}/1/{frame:D2}.png"), TestPictures.Make(split.Length * 1000 + 100 * index + frame));
        }

        DataSetReport report = DataSetVerifier.Run(Folder, "ferv39k", new DataSetOptions(), pictures: false);

        Assert.That(report.Missing, Has.Count.EqualTo(2).And.All.Contains("Sad/2"));
        Assert.That(report.Splits[0].Frames, Is.EqualTo((2, 11, 20)));
        Assert.That(report.Splits[0].ShortClips, Is.EqualTo(5), "2, 5, 8, 11 and 14 of 2 to 20 frames");
        Assert.That(report.Problems.Select(problem => problem.What), Has.Some.Contains("train: 7 samples, the published data set has 31088")
            .And.Some.Contains("test: 7 samples, the published data set has 7847").And.Some.Contains("2 listed samples"));
    }

    [Test]
    public void PublishedNumbersAddUp([Values("rafdb", "affectnet", "dfew", "ferv39k", "afew", "fer2013", "ckplus", "mafw")] string name)
    {
        // Totals as the data sets' own papers have them.
        Dictionary<string, int[]> totals = new()
        {
            ["rafdb"] = [12271, 3068],
            ["affectnet"] = [283901, 3500],
            ["dfew"] = [9356, 2341],
            ["ferv39k"] = [31088, 7847],
            ["afew"] = [773, 383],
            ["fer2013"] = [28709, 3589, 3589],
            ["ckplus"] = [327],
            ["mafw"] = [9172],
        };
        Assert.That(ExpectedCounts.Of(name, new DataChoices { AffectNetClasses = 7 }, 1).Select(count => count.Total), Is.EqualTo(totals[name]));
    }

    [Test]
    public void PublishedNumbersOfTheRealTrainingSplit()
    {
        string archive = SharedFiles.OrIgnore("data/fer2013.tar.gz");
        using (var gzip = new System.IO.Compression.GZipStream(File.OpenRead(archive), System.IO.Compression.CompressionMode.Decompress))
            System.Formats.Tar.TarFile.ExtractToDirectory(gzip, Folder, overwriteFiles: false);
        DataSetReport report = DataSetVerifier.Run(Folder, "fer2013", new DataSetOptions(), pictures: false);
        Assert.That(report.Problems.Single().What, Does.StartWith("test: 0 samples, the published data set has 3589"),
            "training and validation are whole, the test split is kept elsewhere");
    }

    private DataSetReport Run(bool pictures = true) => DataSetVerifier.Run(Folder, "auto", new DataSetOptions(), pictures, threads: 1);

    private void WriteFolders()
    {
        int seed = 0;
        foreach ((string split, int count) in new[] { ("train", 3), ("test", 2) })
            foreach (string name in new[] { "happy", "sad" })
                for (int i = 0; i < count; i++)
                    TestPictures.Write(In($"{split}/{name}/{i}.png"), TestPictures.Make(seed++, 40, 32));
    }
}
