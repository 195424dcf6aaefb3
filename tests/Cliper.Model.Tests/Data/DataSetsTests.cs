using System.IO.Compression;
using System.Text.RegularExpressions;
using Cliper.Model.DataSets;
using Cliper.Model.Images;
using Cliper.Model.Samples;
using Cliper.Model.Settings;

namespace Cliper.Model.Tests.Data;

public sealed class DataSetsTests : TemporaryFolder
{
    [Test]
    public void SplitFoldersOfClassesByAnyOfTheirNames()
    {
        Images("train/Happy", 3);
        Images("train/angry", 2);
        Images("val/happiness", 1);
        Images("val/Anger", 1);
        Images("test/happy", 2);
        File.WriteAllText(In("train/angry/Thumbs.db"), "no picture");

        DataSetSplits sets = DataSetRegistry.Open(Folder);

        Assert.That(sets.Train.Classes, Is.EqualTo(new[] { "anger", "happiness" }));
        Assert.That(sets.Train.CountByClass(), Is.EqualTo(new[] { 2, 3 }));
        Assert.That(sets.Validation!.CountByClass(), Is.EqualTo(new[] { 1, 1 }));
        Assert.That(sets.Test!.CountByClass(), Is.EqualTo(new[] { 0, 2 }));
        Assert.That(sets["validation"], Is.SameAs(sets.Validation));
        Assert.That(sets.Train.IsVideo, Is.False);
    }

    [Test]
    public void ClassFoldersAlonePartByTheSeed()
    {
        Images("happy", 10);
        Images("sad", 20);

        DataSetSplits first = DataSetRegistry.Open(Folder, options: new()
        {
            Seed = 1,
            TestFraction = 0.2,
            ValidationFraction = 0.25
        });
        DataSetSplits again = DataSetRegistry.Open(Folder, options: new()
        {
            Seed = 1,
            TestFraction = 0.2,
            ValidationFraction = 0.25
        });
        DataSetSplits other = DataSetRegistry.Open(Folder, options: new() { Seed = 2, TestFraction = 0.2 });
        DataSetSplits whole = DataSetRegistry.Open(Folder, options: new() { TestFraction = 0 });

        Assert.That(first.Test!.CountByClass(), Is.EqualTo(new[] { 2, 4 }));
        Assert.That(first.Validation!.CountByClass(), Is.EqualTo(new[] { 2, 4 }));
        Assert.That(first.All.SelectMany(split => split.Samples).Select(sample => sample.Name),
            Is.Unique.And.Exactly(30).Items);
        Assert.That(Names(again.Test!), Is.EqualTo(Names(first.Test!)));
        Assert.That(Names(other.Test!), Is.Not.EqualTo(Names(first.Test!)));
        Assert.That(whole.Train.Samples, Has.Count.EqualTo(30));
        Assert.That(whole.Test, Is.Null);
    }

    [Test]
    public void RafDbAsItsAuthorsPackIt()
    {
        Directory.CreateDirectory(In("EmoLabel"));
        string[] lines = [.. Enumerable.Range(1, 7).SelectMany(label => new[] { $"train_{label:D5}.jpg {label}",
            $"test_{label:D4}.jpg {label} 0" })];
        File.WriteAllLines(In("EmoLabel/list_patition_label.txt"), lines);
        foreach (string line in lines)
            TestImages.Write(In($"Image/aligned/{line.Split('.')[0]}_aligned.jpg"), TestImages.Make(1));

        DataSetSplits sets = DataSetRegistry.Open(Folder);

        Assert.That(sets.Train.Classes, Is.EqualTo(new[] { "anger", "disgust", "fear", "happiness", "neutral",
            "sadness", "surprise" }));
        Assert.That(sets.Train.Samples.Select(sample => sets.Train.Classes[sample.Label]),
            Is.EqualTo(new[] { "surprise", "fear", "disgust", "happiness", "sadness", "anger", "neutral" }));
        Assert.That(sets.Test!.Samples, Has.Count.EqualTo(7));
        Assert.That(sets.Train.Samples[0].Frames[0].Load(SkiaImageCodec.Instance).Width, Is.EqualTo(20));

        File.Delete(In("Image/aligned/test_0003_aligned.jpg"));
        AssertInput(() => DataSetRegistry.Open(Folder), "list_patition_label.txt:6:", "test_0003_aligned.jpg");
    }

    [Test]
    public void RafDbInNumberedFolders([Values("DATASET/", "")] string root, [Values("test", "valid")] string test)
    {
        for (int label = 1; label <= 7; label++)
        {
            Images($"{root}train/{label}", 1);
            Images($"{root}{test}/{label}", 1);
        }
        DataSetSplits sets = DataSetRegistry.Open(Folder);
        Assert.That(sets.Train.Classes, Has.Count.EqualTo(7));
        Assert.That(sets.Train.Classes[sets.Train.Samples.Single(sample => sample.Name.StartsWith('4')).Label],
            Is.EqualTo("happiness"));
    }

    [Test]
    public void Fer2013AsATable()
    {
        string row = string.Join(' ', Enumerable.Range(0, 2304).Select(i => i % 256));
        File.WriteAllLines(In("fer2013.csv"), ["emotion,pixels,Usage", $"0,{row},Training", $"3,\"{row}\",Training",
            $"6,{row},Training", $"6,{row},PublicTest", $"3,{row},PrivateTest"]);

        DataSetSplits sets = DataSetRegistry.Open(Folder, options: new() { Classes = ["angry", "happy", "neutral"] });

        Assert.That(sets.Train.Classes, Is.EqualTo(new[] { "anger", "happiness", "neutral" }));
        Assert.That(sets.Validation!.Samples.Single().Label, Is.EqualTo(2));
        Assert.That(sets.Test!.Samples.Single().Label, Is.EqualTo(1));
        RgbImage image = sets.Train.Samples[0].Frames[0].Load(SkiaImageCodec.Instance);
        Assert.That((image.Width, image.Pixels[3 * 300 + 1]), Is.EqualTo((48, (byte)44)));
    }

    [TestCase("emotion,pixels", ":1:", "expected emotion,pixels,Usage")]
    [TestCase("emotion,pixels,Usage\n7,1 2,Training", ":2:", "unknown emotion '7'")]
    [TestCase("emotion,pixels,Usage\n1,1 2,Training", ":2:", "2 pixels, expected 48 x 48")]
    [TestCase("emotion,pixels,Usage\n1,1 256,Training", ":2:", "'256' is no pixel")]
    [TestCase("emotion,pixels,Usage\n1,1 2,Nowhere", ":2:", "unknown Usage 'Nowhere'")]
    [TestCase("emotion,pixels,Usage\n1,1 2", ":2:", "2 columns, expected 3")]
    [TestCase("emotion,pixels,Usage\n", "fer2013.csv", "no row has Usage Training")]
    public void Fer2013sFaultsAreNamed(string table, params string[] parts)
    {
        File.WriteAllText(In("fer2013.csv"), table);
        AssertInput(() => DataSetRegistry.Open(In("fer2013.csv"), "fer2013"), parts);
    }

    [Test]
    public void ClipsPartBySubject()
    {
        for (int subject = 0; subject < 12; subject++)
            foreach (string name in new[] { "happy", "anger" })
                for (int frame = 0; frame < 3; frame++)
                    TestImages.Write(In($"{name}/S{subject:D3}_00{name.Length}/f{frame}.png"), TestImages.Make(1));

        DataSetSplits sets = DataSetRegistry.Open(Folder, options: new() { TestFraction = 0.25 });
        Assert.That(sets.Train.IsVideo);
        Assert.That(sets.Train.Samples[0].Frames, Has.Count.EqualTo(3));
        Assert.That(Groups(sets.Train).Intersect(Groups(sets.Test!)), Is.Empty);
        Assert.That(sets.Test!.Samples, Has.Count.EqualTo(6));

        string?[] tested = [.. Enumerable.Range(1, 5).SelectMany(fold =>
        {
            DataSetSplits part = DataSetRegistry.Open(Folder, options: new() { Folds = 5, Fold = fold });
            Assert.That(Groups(part.Train).Intersect(Groups(part.Test!)), Is.Empty);
            return Groups(part.Test!);
        })];
        Assert.That(tested, Is.Unique.And.Exactly(12).Items);
        Assert.That(() => DataSetRegistry.Open(Folder, options: new() { Folds = 13 }),
            Throws.TypeOf<SettingsException>());
        Assert.That(() => DataSetRegistry.Open(Folder, options: new() { Folds = 5, Fold = 6 }),
            Throws.TypeOf<SettingsException>());
    }

    [Test]
    public void ARunOfAnEarlierSplitRuleIsNotSplitByThisOne()
    {
        foreach (string name in new[] { "happy", "anger" })
            for (int i = 0; i < 5; i++)
                TestImages.Write(In($"{name}/{i}.png"), TestImages.Make(i));
        var earlier = new DataSetOptions { Folds = 2, SplitVersion = 1 };

        AssertInput(() => DataSetRegistry.Open(Folder, options: earlier), "split data without splits", "train again");
        // Nothing is split here, so nothing can differ.
        Assert.That(DataSetRegistry.Open(Folder, options: earlier with { Folds = 0, TestFraction = 0 }).Test, Is.Null);

        File.WriteAllText(In("config.json"), "{ \"recipe\": \"fer2013\" }");
        Assert.That(TrainSettings.OfRun(In("config.json")).SplitVersion, Is.EqualTo(1));
        File.WriteAllText(In("config.json"), SettingsJson.Write(new TrainSettings()));
        Assert.That(TrainSettings.OfRun(In("config.json")).SplitVersion, Is.EqualTo(DataSetOptions.PresentSplits));
    }

    [Test]
    public void ImagesPartBySubjectWhenAsked()
    {
        for (int person = 0; person < 10; person++)
        {
            TestImages.Write(In($"neutral/{person:D3}_03.png"), TestImages.Make(1));
            TestImages.Write(In($"happy/{person:D3}_08.png"), TestImages.Make(1));
        }
        DataSetSplits sets = DataSetRegistry.Open(Folder, options: new() { Subject = new Regex("^([0-9]+)_") });
        Assert.That(Groups(sets.Train).Intersect(Groups(sets.Test!)), Is.Empty);
        Assert.That(sets.Test!.Samples, Has.Count.EqualTo(4));
    }

    [Test]
    public void ListsWithAndWithoutHeaderSplitsAndFrames()
    {
        Images("pics", 6);
        File.WriteAllLines(In("a.csv"), ["Path,Label,split", "pics/0.png,Happy,train", "pics/1.png,sad,train",
            "\"pics/2.png\",happy,val", "pics/3.png,sad,test"]);
        DataSetSplits csv = DataSetRegistry.Open(In("a.csv"));
        Assert.That((csv.Train.Samples.Count, csv.Validation!.Samples.Count, csv.Test!.Samples.Count),
            Is.EqualTo((2, 1, 1)));

        File.WriteAllLines(In("b.csv"), ["pics/0.png,happy", "", "# a comment", "pics/1.png,sad"]);
        Assert.That(DataSetRegistry.Open(In("b.csv"), options: new() { TestFraction = 0 }).Train.Samples,
            Has.Count.EqualTo(2));

        Directory.CreateDirectory(In("lists"));
        Images("my clips/one", 3);
        Images("my clips/two", 4);
        File.WriteAllLines(In("lists/train.txt"), ["/data/clips/one 3 0", "/data/clips/two 4 1"]);
        File.WriteAllLines(In("lists/test.txt"), ["/data/clips/two 1"]);
        DataSetSplits clips = DataSetRegistry.Open(In("lists"), options: new()
        {
            Classes = ["happy", "sad"],
            RewriteFrom = "/data/clips",
            RewriteTo = In("my clips")
        });
        Assert.That(clips.Train.Samples.Select(sample => sample.Frames.Count), Is.EqualTo(new[] { 3, 4 }));
        Assert.That(clips.Test!.Samples.Single().Label, Is.EqualTo(1));
    }

    [TestCase("p.png,happy\np.png,sad", "a.csv:2:", "already listed in line 1")]
    [TestCase("p.png,happy\nq.png,sad", "a.csv:2:", "does not exist")]
    [TestCase("p.png,0", "a.csv:1:", "'classes'")]
    [TestCase("p.png,happy,nowhere", "a.csv:1:", "unknown split 'nowhere'")]
    [TestCase("p.png,happy\np.png", "a.csv:2:", "1 columns, expected 2")]
    [TestCase("p.png,", "a.csv:1:", "label is empty")]
    [TestCase("\"p.png,happy", "a.csv:1:", "quote is not closed")]
    [TestCase("p.png,happy,train,1\np.png,sad", "a.csv:2:", "2 columns, expected 4")]
    [TestCase("", "a.csv", "the list is empty")]
    public void ListFaultsAreNamed(string list, params string[] parts)
    {
        TestImages.Write(In("p.png"), TestImages.Make(1));
        File.WriteAllText(In("a.csv"), list);
        AssertInput(() => DataSetRegistry.Open(In("a.csv")), parts);
    }

    [Test]
    public void WhatIsMissingIsNamedWithTheRemedy()
    {
        AssertInput(() => DataSetRegistry.Open(In("nowhere")), "nowhere", "no such file or folder");
        AssertInput(() => DataSetRegistry.Open(Folder), "no data set was recognized", "Found: nothing", "rafdb:");

        Images("train/happy", 1);
        Directory.CreateDirectory(In("train/sad"));
        AssertInput(() => DataSetRegistry.Open(Folder), "sad", "no pictures");
        Directory.Delete(In("train/sad"));
        AssertInput(() => DataSetRegistry.Open(Folder), "only the class happiness", "at least two");
        Images("train/sad", 1);
        Images("test/scared", 1);
        AssertInput(() => DataSetRegistry.Open(Folder), "fear", "no training samples");
        AssertInput(() => DataSetRegistry.Open(Folder, options: new() { Classes = ["happy", "sad"] }), "scared",
            "unknown class");
        AssertInput(() => DataSetRegistry.Open(Folder, "rafdb"), "no RAF-DB here", "found test/, train/");
        Directory.Delete(In("train"), recursive: true);
        AssertInput(() => DataSetRegistry.Open(Folder), "no train folder beside test",
            "to evaluate, give the folder of one split", In("test"));
        Images("valid/scared", 1);
        AssertInput(() => DataSetRegistry.Open(Folder), "no train folder beside test, valid");
        Assert.That(() => DataSetRegistry.Open(Folder, "fer2014"),
            Throws.TypeOf<SettingsException>().With.Message.Contains("fer2013"));
        Assert.That(() => DataSetRegistry.Open(Folder, options: new() { TestFraction = 1 }),
            Throws.TypeOf<SettingsException>());
    }

    [Test]
    public void AnotherOrderOfClassesIsMappedByName()
    {
        DataSplit split = new("test", ["anger", "fear"],
            [new Sample("a", 0, [Nothing]), new Sample("b", 1, [Nothing])]);
        Assert.That(split.WithClasses(["fear", "neutral", "Angry"]).Samples.Select(sample => sample.Label),
            Is.EqualTo(new[] { 2, 0 }));
        Assert.That(() => split.WithClasses(["neutral", "anger"]),
            Throws.TypeOf<InputException>().With.Message.Contains("fear"));
    }

    [Test]
    public void RealFer2013()
    {
        string archive = SharedFiles.OrIgnore("data/fer2013.tar.gz");
        Unpack(archive);
        DataSetSplits sets = DataSetRegistry.Open(Folder);
        Assert.That(sets.Train.CountByClass(), Is.EqualTo(new[] { 3995, 436, 4097, 7215, 4965, 4830, 3171 }));
        Assert.That(sets.Validation!.CountByClass(), Is.EqualTo(new[] { 467, 56, 496, 895, 607, 653, 415 }));
        Assert.That(sets.Test, Is.Null);
    }

    [Test]
    public void RealClipsOfCk()
    {
        Unpack(SharedFiles.OrIgnore("data/ck48-clips.tar.gz"));
        DataSetSplits sets = DataSetRegistry.Open(Folder, options: new() { Folds = 5 });
        Assert.That(sets.Train.Samples.Count + sets.Test!.Samples.Count, Is.EqualTo(219));
        Assert.That(Groups(sets.Train).Concat(Groups(sets.Test)), Is.Unique.And.Exactly(80).Items);
        Assert.That(sets.Train.Classes, Is.EqualTo(new[] { "anger", "contempt", "disgust", "fear", "happiness",
            "sadness", "surprise" }));
    }

    private static GeneratedFrame Nothing => new("nothing", () => TestImages.Make(0));

    private static string[] Names(DataSplit split) => [.. split.Samples.Select(sample => sample.Name)];

    private static string?[] Groups(DataSplit split) => [.. split.Samples.Select(sample => sample.Group).Distinct()];

    private static void AssertInput(Action act, params string[] parts)
    {
        InputException? failure = Assert.Throws<InputException>(() => act());
        foreach (string part in parts)
            Assert.That(failure!.Message, Does.Contain(part));
    }

    private void Images(string folder, int count)
    {
        for (int i = 0; i < count; i++)
            TestImages.Write(In($"{folder}/{i}.png"), TestImages.Make(i));
    }

    private void Unpack(string archive)
    {
        using var gzip = new GZipStream(File.OpenRead(archive), CompressionMode.Decompress);
        System.Formats.Tar.TarFile.ExtractToDirectory(gzip, Folder, overwriteFiles: false);
    }
}
