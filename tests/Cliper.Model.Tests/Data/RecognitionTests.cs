using System.Text;
using Cliper.Model.DataSets;
using Cliper.Model.Images;
using Cliper.Model.Samples;

namespace Cliper.Model.Tests.Data;

/// <summary>Names that people give to splits, classes and columns, and what files are whatever they are
/// called.</summary>
public sealed class RecognitionTests : TemporaryFolder
{
    private static readonly string[] TwoClasses = ["anger", "happiness"];

    [TestCase("train", "train")]
    [TestCase("FER2013Train", "train")]
    [TestCase("FERTrain", "train")]
    [TestCase("train_class", "train")]
    [TestCase("trainset", "train")]
    [TestCase("Training", "train")]
    [TestCase("train_labels", "train")]
    [TestCase("val_data", "validation")]
    [TestCase("FER2013Valid", "validation")]
    [TestCase("PublicTest", "validation")]
    [TestCase("dev", "validation")]
    [TestCase("PrivateTest", "test")]
    [TestCase("test_images", "test")]
    [TestCase("testing", "test")]
    [TestCase("train_test", null)]
    [TestCase("mine_train", null)]
    [TestCase("happy", null)]
    [TestCase("data", null)]
    [TestCase("2", null)]
    [TestCase("", null)]
    public void ASplitIsReadByTheMeaningOfItsName(string name, string? split) =>
        Assert.That(SplitNames.Of(name), Is.EqualTo(split));

    [TestCase("train_class", "val_class")]
    [TestCase("train_data", "test_data")]
    [TestCase("FER2013Train", "FER2013Test")]
    [TestCase("mine_train", "mine_test")]
    [TestCase("images/train", "images/val")]
    [TestCase("archive/data/train", "archive/data/val")]
    [TestCase("train/images", "test/images")]
    public void SplitFoldersOfOtherNames_AreSplitsAndNotClasses(string train, string other)
    {
        Images($"{train}/angry", 3);
        Images($"{train}/happy", 3);
        Images($"{other}/angry", 2);
        Images($"{other}/happy", 1);
        DataSetSplits sets = DataSetRegistry.Open(Folder);
        Assert.That(sets.Train.Classes, Is.EqualTo(TwoClasses));
        Assert.That(sets.Train.CountByClass(), Is.EqualTo(new[] { 3, 3 }));
        Assert.That((sets.Validation ?? sets.Test)!.CountByClass(), Is.EqualTo(new[] { 2, 1 }));
    }

    [TestCase(".lock")]
    [TestCase("checkpoints/model.safetensors")]
    public void ARunAmongTheClasses_IsNoClass(string file)
    {
        Images("angry", 10);
        Images("happy", 10);
        string inRun = In($"run/{file}");
        Directory.CreateDirectory(Path.GetDirectoryName(inRun)!);
        File.WriteAllText(inRun, "");
        File.WriteAllText(In("run/config.json"), "{}");

        DataSetSplits sets = DataSetRegistry.Open(Folder);

        Assert.That(sets.Train.Classes, Is.EqualTo(TwoClasses));
        Assert.That(sets.LeftOut, Is.EqualTo(new[] { (In("run"), "the folder of a run") }));
    }

    [Test]
    public void WhatStandsBesideSplitsAndClasses_IsNamedAsLeftOut()
    {
        Images("train/angry", 1);
        Images("train/happy", 1);
        Images("test/angry", 1);
        Images("test/happy", 1);
        Images("extra", 1);
        Images("train", 1);
        DataSetSplits sets = DataSetRegistry.Open(Folder);
        Assert.That(sets.LeftOut, Is.EqualTo(new[]
        {
            (In("extra"), "beside the folders of the splits"),
            (In("train/0.png"), "beside the folders of the classes"),
        }));
        Assert.That(sets.Warnings.Single(), Does.StartWith("2 entries of the folders left out, the first: "));
    }

    [Test]
    public void FerPlusAsItsAuthorsScriptWritesIt_HasEightExpressions()
    {
        foreach (string split in new[] { "Train", "Valid", "Test" })
        {
            Images($"FER2013{split}", 11);
            File.WriteAllLines(In($"FER2013{split}/label.csv"), Enumerable.Range(0, 10).Select(i =>
                $"{i}.png,\"(0, 0, 48, 48)\","
                + string.Join(',', Enumerable.Range(0, 10).Select(v => v == i ? 10 : 0))));
        }
        DataSetSplits sets = DataSetRegistry.Open(Folder);
        Assert.That(sets.Format, Is.EqualTo("ferplus"));
        Assert.That(sets.Train.Classes, Is.EqualTo(new[] { "anger", "contempt", "disgust", "fear", "happiness",
            "neutral", "sadness", "surprise" }));
        Assert.That(sets.All.Select(split => split.Samples.Count), Is.EqualTo(new[] { 8, 8, 8 }));
        Assert.That(sets.Train.Samples[5].Label, Is.EqualTo(2), "the sixth vote is for disgust");
        Assert.That(sets.Notes[0], Does.Contain("6 pictures without one of the 8 expressions"));
        Assert.That(sets.LeftOut.Select(entry => entry.File), Does.Contain(In("FER2013Train/10.png")));
    }

    [TestCase(",pth,label,relFCs", "0,{0},{1},0.87")]
    [TestCase("image_path,emotion", "{0},{1}")]
    [TestCase("emotion,image_path", "{1},{0}")]
    [TestCase("id,image_path,emotion", "7,{0},{1}")]
    [TestCase("user.id,image,emotion", "5,{0},{1}")]
    [TestCase("filepath,labels", "{0},{1}")]
    [TestCase("path\tlabel", "{0}\t{1}")]
    [TestCase("path;label", "{0};{1}")]
    [TestCase("path|label", "{0}|{1}")]
    [TestCase("name,label", "{0},{1}")]
    [TestCase("img_name label", "{0} {1}")]
    [TestCase("class_name,file_name,width,height", "{1},{0},48,48")]
    [TestCase("Image Path,Facial Expression,confidence", "{0},{1},0.5")]
    [TestCase("\ufefffilename,expression", "{0},{1}")]
    [TestCase("happy,img/5.png", "{1},{0}")]
    public void TheColumnsOfAListAreReadByTheMeaningOfTheirNames(string header, string row)
    {
        Images("img", 6);
        File.WriteAllLines(In("list.csv"), Enumerable.Range(0, 5).Select(i =>
            string.Format(null, row, $"img/{i}.png", i % 2 == 0 ? "angry" : "happy")).Prepend(header), Encoding.UTF8);
        DataSetSplits sets = DataSetRegistry.Open(In("list.csv"), options: new() { TestFraction = 0 });
        bool isRow = header.Contains("5.png", StringComparison.Ordinal);
        Assert.That(sets.Train.CountByClass(), Is.EqualTo(new[] { 3, isRow ? 3 : 2 }));
    }

    [TestCase("image_path,value", "names no column of the label")]
    [TestCase("nothing,emotion", "names no column of the path")]
    [TestCase("filename,angry,happy", "names no column of the label")]
    [TestCase("foo,bar", "neither a file nor a header with known columns")]
    public void AHeaderOfUnknownColumns_IsAnErrorThatSaysWhichAreKnown(string header, string says)
    {
        Images("img", 2);
        File.WriteAllLines(In("list.csv"), [header, "img/0.png,angry", "img/1.png,happy"]);
        Assert.That(() => DataSetRegistry.Open(In("list.csv")), Throws.TypeOf<InputException>().With.Message
            .Contains(says).And.Message.Contains("list.csv:1").And.Message.Contains("path, file or image"));
    }

    [TestCase("file,caption", ',')]
    [TestCase("filepath\ttitle", '\t')]
    [TestCase("caption,image_name", ',')]
    [TestCase("image|comment", '|')]
    public void CaptionsAreReadByTheMeaningOfTheirColumns(string header, char separator)
    {
        Images("img", 1);
        string[] row = ["img/0.png", "a happy face"];
        File.WriteAllLines(In("captions.csv"),
            [header, string.Join(separator, header.StartsWith('c') ? row.Reverse() : row)]);
        Assert.That(CaptionFile.Open(Folder).Captions, Is.EqualTo(new[] { "a happy face" }));
    }

    [Test]
    public void PathsOfWindows_AreRead()
    {
        Images("img", 2);
        File.WriteAllLines(In("list.csv"), ["path,label", @"img\0.png,angry", @"img\1.png,happy"]);
        Assert.That(DataSetRegistry.Open(In("list.csv"), options: new() { TestFraction = 0 }).Train.Samples,
            Has.Count.EqualTo(2));
    }

    [Test]
    public void AFolderAroundTheData_IsGoneInto_AndWhatStandsBesideItIsNamed([Values("", "/")] string ending)
    {
        Images("images/angry", 2);
        Images("images/happy", 1);
        Directory.CreateDirectory(In("labels"));
        DataSetSplits sets = DataSetRegistry.Open(Folder + ending, options: new() { TestFraction = 0 });
        Assert.That(sets.Train.CountByClass(), Is.EqualTo(new[] { 2, 1 }));
        Assert.That(sets.LeftOut, Is.EqualTo(new[] { (In("labels"), "beside the folder that holds the data") }));
    }

    [Test]
    public void Ck48_IsReadByTheRecipesLayout()
    {
        foreach (string name in new[] { "anger", "happy" })
            for (int subject = 10; subject < 16; subject++)
                for (int frame = 1; frame <= 3; frame++)
                    TestImages.Write(In($"{name}/S0{subject}_004_0000000{frame}.png"), TestImages.Make(frame));
        DataSetSplits sets = DataSetRegistry.Open(Folder, "ckplus", new() { Folds = 3 });
        Assert.That(sets.Test!.CountByClass(), Is.EqualTo(new[] { 6, 6 }));
        Assert.That(sets.Notes[0], Does.Contain("CK+48"));
    }

    [Test]
    public void LabelsThatDifferInCaseOrInTheFormOfTheirAccents_AreOneClass()
    {
        Images("train/Bored", 2);
        Images("train/Zoe\u0308", 2);
        Images("test/bored", 1);
        Images("test/zo\u00eb", 1);
        DataSetSplits sets = DataSetRegistry.Open(Folder);
        Assert.That(sets.Train.Classes, Is.EqualTo(new[] { "Bored", "Zo\u00eb" }));
        Assert.That(sets.Test!.CountByClass(), Is.EqualTo(new[] { 1, 1 }));
        Assert.That(sets.Warnings, Is.Empty);
    }

    [Test]
    public void ALabelThatLooksLikeAMistake_IsAWarning()
    {
        Images("train/angry", 2);
        Images("train/hapy", 2);
        Images("train/bored", 2);
        Images("test/angry", 1);
        Images("test/hapy", 1);
        Assert.That(DataSetRegistry.Open(Folder).Warnings, Is.EqualTo(new[]
        {
            "the class hapy is one letter away from happy, which is an expression; it is taken for a class of its own",
            "the class bored stands in train alone",
        }).Or.EqualTo(new[]
        {
            "the class hapy is one letter away from happy, which is an expression; it is taken for a class of its own",
            "the class bored stands in train alone",
        }.Reverse()));
        Images("test/sadd", 1);
        Assert.That(() => DataSetRegistry.Open(Folder), Throws.TypeOf<InputException>().With.Message
            .Contains("sadd has no training samples; did you mean 'sad'?"));
        DataSetReport report = DataSetVerifier.Run(Folder, "auto", new(), images: false);
        Assert.That(report.Problems, Is.Empty);
        Assert.That(report.Warnings, Has.Some.Contains("sadd stands in test alone; did you mean 'sad'?"));
    }

    [TestCase("0_angry", "anger")]
    [TestCase("3. Happy", "happiness")]
    [TestCase("01-bored", "01-bored")]
    [TestCase("7", "7")]
    public void ANumberBeforeAnExpression_IsNoPartOfIt(string name, string expected) =>
        Assert.That(Expressions.Canonical(name), Is.EqualTo(expected));

    [TestCase("clip.jpg", "00 00 01 BA 44 00", "a video")]
    [TestCase("noise.jpg", "00 00 08 08 9C 11", "not an image")]
    [TestCase("noise.png", "00 00 81 00 40 D1 55", "not an image")]
    [TestCase("a.ico", "00 00 01 00 01 00 10 10", "an icon")]
    [TestCase("a.heic", "00 00 00 18 66 74 79 70 68 65 69 63", "a HEIC image")]
    [TestCase("a.jpg", "00 00 00 1C 66 74 79 70 61 76 69 66", "an AVIF image")]
    [TestCase("a.jpg", "3C 68 74 6D 6C 3E", "a web page")]
    [TestCase("a.jpg", "42 4D 99 99 99 99 00 00 00 00 00 00 00 00 07 00 00 00 00", "not an image")]
    [TestCase("a.jpg", "", "empty")]
    public void WhatIsNoImage_IsRefusedByItsBytes(string name, string bytes, string says)
    {
        byte[] content = Convert.FromHexString(bytes.Replace(" ", "", StringComparison.Ordinal));
        Assert.That(() => ImageCodec.Instance.Decode(content, name),
            Throws.TypeOf<InputException>().With.Message.StartsWith($"{name}: ").And.Message.Contains(says));
    }

    private void Images(string folder, int count)
    {
        for (int i = 0; i < count; i++)
            TestImages.Write(In($"{folder}/{i}.png"), TestImages.Make(i));
    }
}
