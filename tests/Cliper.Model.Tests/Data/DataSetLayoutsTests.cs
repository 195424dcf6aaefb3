using System.Buffers.Binary;
using System.Globalization;
using System.Text;
using Cliper.Kernels.Operations;
using Cliper.Model.DataSets;
using Cliper.Model.Faces;
using Cliper.Model.Images;
using Cliper.Model.Loading;
using Cliper.Model.Samples;

namespace Cliper.Model.Tests.Data;

/// <summary>Each data set's loader on a few small images that lie as its authors pack them.</summary>
public sealed class DataSetLayoutsTests : TemporaryFolder
{
    private static readonly string[] Seven = ["anger", "disgust", "fear", "happiness", "neutral", "sadness",
        "surprise"];

    private static readonly string[] AffectNetOrder =
        ["neutral", "happiness", "sadness", "surprise", "fear", "disgust", "anger", "contempt"];

    [Test]
    public void AffectNetsOriginalLists([Values(7, 8)] int classes, [Values] bool header)
    {
        WriteAffectNet(header);

        DataSetSplits sets = Open(new DataChoices { AffectNetClasses = classes });

        // 0 to 7 with a face; 8, 9, 10 and the row without a face are left out, and contempt of seven classes.
        Assert.That(LabelNames(sets.Train), Is.EqualTo(AffectNetOrder[..classes]));
        Assert.That(sets.Train.Classes, Is.EqualTo(AffectNetOrder[..classes].Order(StringComparer.Ordinal)));
        Assert.That(sets.Validation!.Samples, Has.Count.EqualTo(classes));
        Assert.That(sets.Test, Is.Null);
        Assert.That(sets.Notes, Has.Some.Contains($"{classes} classes (affectNetClasses)"));
        Assert.That(sets.Train.Samples[0].Frames[0].Load(SkiaImageCodec.Instance).Width, Is.EqualTo(20));
    }

    [Test]
    public void AffectNetsFaceBoxCutsTheImage()
    {
        WriteAffectNet(header: true);
        RgbImage whole = Open().Train.Samples[0].Frames[0].Load(SkiaImageCodec.Instance);
        Frame frame = Open(new DataChoices { AffectNetFaceBox = true }).Train.Samples[0].Frames[0];
        RgbImage face = frame.Load(SkiaImageCodec.Instance);

        Assert.That((face.Width, face.Height), Is.EqualTo((8, 9)));
        Assert.That(face.Pixels[..3], Is.EqualTo(whole.Pixels[(3 * (5 * 20 + 4))..(3 * (5 * 20 + 4) + 3)]));
        Assert.That(frame.Identity, Does.EndWith("|4,5,8,9"), "the cache must tell cut pictures from whole ones");
    }

    [Test]
    public void AMarginWidensTheFaceBox()
    {
        WriteAffectNet(header: true);
        RgbImage face = Open(new DataChoices { AffectNetFaceBox = true, FaceMargin = 0.25f }).Train.Samples[0].Frames[0]
            .Load(SkiaImageCodec.Instance);

        // The box 4,5,8,9 grows by 2 to each side; below, the image of 16 rows ends first.
        Assert.That((face.Width, face.Height), Is.EqualTo((12, 13)));
        Assert.That(new PixelBox(10, 20, 40, 80).Widened(0.1f), Is.EqualTo(new PixelBox(6, 12, 48, 96)));
        Assert.That(() => new DataChoices { FaceMargin = -0.1f }.Over(new()), Throws.TypeOf<SettingsException>());
    }

    [TestCase("3,1,1,2,2,,11,0,0", "unknown expression '11'")]
    [TestCase("../x.jpg,1,1,2,2,,3,0,0", "below the folder")]
    [TestCase("1/a.jpg,1,1", "3 columns, expected 9")]
    public void AffectNetsFaultsAreNamed(string row, string message)
    {
        WriteAffectNet(header: true);
        File.AppendAllText(In("Manually_Annotated_file_lists/training.csv"), row + "\n");
        AssertInput(() => Open(), "training.csv:14:", message);
    }

    [Test]
    public void AffectNetOf2021([Values("<i8", "<U1", "|u1", "<f4")] string type)
    {
        foreach (string set in new[] { "train_set", "val_set" })
            for (int label = 0; label < 9; label++)
            {
                Image($"{set}/images/{label}.jpg", label);
                WriteNpy($"{set}/annotations/{label}_exp.npy", type, label);
            }

        DataSetSplits seven = Open(new DataChoices { AffectNetClasses = 7 });

        Assert.That(LabelNames(seven.Train), Is.EqualTo(AffectNetOrder[..7]));
        Assert.That(seven.Validation!.Samples, Has.Count.EqualTo(7));
        Assert.That(seven.Notes.Single(), Does.Contain("4 pictures of other labels left out"),
            "contempt and none, twice");
        File.Delete(In("val_set/annotations/3_exp.npy"));
        AssertInput(() => Open(), "3_exp.npy", "does not exist");
    }

    [Test]
    public void DfewsFoldsAndLabelsFromOne()
    {
        string[] order = ["happiness", "sadness", "neutral", "anger", "surprise", "disgust", "fear"];
        for (int clip = 1; clip <= 14; clip++)
            for (int frame = 0; frame < 2; frame++)
                Image($"Clip/clip_224x224/{clip:D5}/{frame}.jpg", clip);
        foreach ((int fold, int first) in new[] { (1, 1), (2, 8) })
        {
            Lines($"EmoLabel_DataSplit/train(single-labeled)/set_{fold}.csv",
                ["video_name,label", .. Enumerable.Range(1, 7).Select(label => $"{label},{label}")]);
            Lines($"EmoLabel_DataSplit/test(single-labeled)/set_{fold}.csv",
                ["video_name,label", .. Enumerable.Range(1, 7).Select(label => $"{label + first - 1:D5},{label}")]);
        }

        DataSetSplits one = Open(), two = Open(fold: 2);

        Assert.That(LabelNames(one.Train), Is.EqualTo(order));
        Assert.That(one.Train.IsVideo);
        Assert.That(one.Train.Samples[0].Name, Is.EqualTo("00001"));
        Assert.That(two.Test!.Samples.Select(sample => sample.Name),
            Is.EqualTo(Enumerable.Range(8, 7).Select(clip => $"{clip:D5}")));
        Assert.That(two.Notes.Single(), Does.Contain("fold 2 of 5"));
        Assert.That(() => Open(fold: 6), Throws.TypeOf<SettingsException>());
        AssertInput(() => Open(fold: 3), "set_3.csv", "no such file");
        AssertInput(() => Open(new DataChoices { ClipFrames = ClipFrames.Frames }), "Clip/jpg_256");

        File.AppendAllText(In("EmoLabel_DataSplit/test(single-labeled)/set_1.csv"), "15,3\n");
        AssertInput(() => Open(), "set_1.csv:9:", "00015 does not exist");
        File.WriteAllText(In("EmoLabel_DataSplit/test(single-labeled)/set_1.csv"), "video_name,label\n3,8\n");
        AssertInput(() => Open(), "set_1.csv:2:", "a label from 1 to 7");
    }

    [Test]
    public void Ferv39ksListsOfAllScenes()
    {
        string[] names = ["Happy", "Sad", "Neutral", "Angry", "Surprise", "Disgust", "Fear"];
        foreach (string name in names)
            foreach (string id in new[] { "0001", "0002" })
                Image($"FERV39k/2_ClipsforFaceCrop/Action/{name}/{id}/1.jpg", 1);
        Lines("FERV39k/4_setups/All_scenes/train_All.csv", [.. names.Select(name => $"Action/{name}/0001 {name}")]);
        Lines("FERV39k/4_setups/All_scenes/test_All.csv", [.. names.Select(name => $"Action/{name}/0002 {name}")]);

        DataSetSplits sets = Open();

        Assert.That(LabelNames(sets.Train), Is.EqualTo(names.Select(Expressions.Canonical)));
        Assert.That(sets.Test!.Samples[0].Name, Is.EqualTo("Action/Happy/0002"));
        File.AppendAllText(In("FERV39k/4_setups/All_scenes/test_All.csv"), "Action/Sad/0001 Happy\n");
        AssertInput(() => Open(), "test_All.csv:8:", "lies under 'Sad'");
    }

    [Test]
    public void AfewsFacesTakeTheirClassesFromTheVideos()
    {
        string[] folders = ["Angry", "Disgust", "Fear", "Happy", "Neutral", "Sad", "Surprise"];
        foreach ((string split, string faces) in new[] { ("Train_AFEW", "AlignedFaces_LBPTOP_Points"),
            ("Val_AFEW", "AlignedFaces_LBPTOP_Points_Val") })
            foreach (string name in folders)
            {
                Lines($"{split}/{name}/{name}1.avi", ["not opened"]);
                Image($"{split}/{faces}/Faces/{name}1/001.jpg", 1);
            }

        DataSetSplits sets = Open();

        Assert.That(LabelNames(sets.Train), Is.EqualTo(Seven));
        Assert.That(sets.Validation!.Samples, Has.Count.EqualTo(7));
        Assert.That(sets.Notes.Single(), Does.Contain("aligned faces"));
        Directory.Delete(In("Train_AFEW/AlignedFaces_LBPTOP_Points/Faces/Sad1"), recursive: true);
        AssertInput(() => Open(), "Sad1", "does not exist");
        var missing = new List<string>();
        Assert.That(() => DataSetRegistry.Open(Folder, options: new() { Missing = missing.Add }),
            Throws.TypeOf<InputException>()
            .With.Message.Contains("sadness has no training samples"));
        Assert.That(missing.Single(), Does.Contain("Sad1"));
    }

    [Test]
    public void AfewsFacesAsTheCommunityPassesThemOn()
    {
        foreach (string split in new[] { "train", "validation" })
            foreach (string name in new[] { "Angry", "Happy" })
                Image($"AFEW_Face/{split}/{name}/0001/a.png", 1);
        DataSetSplits sets = Open();
        Assert.That(sets.Notes.Single(), Does.StartWith("AFEW"));
        Assert.That(sets.Train.Classes, Is.EqualTo(new[] { "anger", "happiness" }));
    }

    [Test]
    public void MafwByName([Values] MafwLabels labels)
    {
        string[] lines = ["00001.mp4 anger", "00002.mp4 happiness", "00003.mp4 anxiety"];
        if (labels == MafwLabels.Compound)
            lines = [.. lines, "00004.mp4 fear_anger", "00005.mp4 anger,fear"];
        string folder = $"Train_Test_Set/{(labels == MafwLabels.Single ? "single" : "compound")}/no_caption/set_1";
        Lines($"{folder}/train.txt", lines);
        Lines($"{folder}/test.txt", lines[..2]);
        for (int clip = 1; clip <= 5; clip++)
            Image($"data/faces/{clip:D5}/1.png", 1);

        DataSetSplits sets = Open(new DataChoices { Mafw = labels });

        Assert.That(LabelNames(sets.Train)[..3], Is.EqualTo(new[] { "anger", "happiness", "anxiety" }));
        if (labels == MafwLabels.Compound)
            Assert.That(LabelNames(sets.Train)[3..], Is.EqualTo(new[] { "anger+fear", "anger+fear" }));
        Assert.That(sets.Notes.Single(), Does.Contain($"{labels} labels (mafw), fold 1"));
        if (labels == MafwLabels.Single)
        {
            File.AppendAllText(In($"{folder}/test.txt"), "00004.mp4 fear_anger\n");
            AssertInput(() => Open(), "test.txt:3:", "2 expressions in a list of single ones");
        }
    }

    // neutral, happiness, surprise, sadness, anger, disgust, fear, contempt, unknown, NF
    [TestCase("4,6,0,0,0,0,0,0,0,0", "happiness", "happiness 0.6, neutral 0.4")]
    [TestCase("1,1,8,0,0,0,0,0,0,0", "surprise", "surprise 1")]
    [TestCase("5,5,0,0,0,0,0,0,0,0", null, "happiness 0.5, neutral 0.5")]
    [TestCase("4,0,0,0,0,0,0,0,6,0", null, null)]
    [TestCase("2,2,2,2,2,0,0,0,0,0", null, null)]
    [TestCase("1,1,1,1,1,1,1,1,1,1", null, null)]
    [TestCase("0,0,0,0,0,0,0,0,0,10", null, null)]
    public void FerPlusVotesAsTheAuthorsCountThem(string row, string? majority, string? soft)
    {
        int[] votes = [.. row.Split(',').Select(int.Parse)];
        Assert.That(FerPlus.Majority(votes)?.Keys.Single(), Is.EqualTo(majority));
        Assert.That(FerPlus.Soft(votes) is { } shares
            ? string.Join(", ", shares.OrderBy(pair => pair.Key).Select(pair =>
            string.Create(CultureInfo.InvariantCulture, $"{pair.Key} {pair.Value:0.##}")))
            : null, Is.EqualTo(soft));
    }

    [Test]
    public void FerPlusBesideFer2013()
    {
        string pixels = string.Join(' ', Enumerable.Repeat("7", 2304));
        Lines("fer2013.csv", ["emotion,pixels,Usage", $"0,{pixels},Training", $"3,{pixels},Training",
            $"4,{pixels},Training", $"3,{pixels},PublicTest"]);
        Lines("fer2013new.csv",
        [
            "Usage,Image name,neutral,happiness,surprise,sadness,anger,disgust,fear,contempt,unknown,NF",
            "Training,fer0000000.png,6,4,0,0,0,0,0,0,0,0", "Training,fer0000001.png,0,10,0,0,0,0,0,0,0,0",
            "Training,,0,0,0,0,0,0,0,0,0,10", "PublicTest,fer0028638.png,10,0,0,0,0,0,0,0,0,0",
        ]);

        DataSetSplits hard = Open("ferplus", new DataChoices());
        DataSetSplits soft = Open("ferplus", new DataChoices { FerPlus = FerPlusLabels.Soft });

        Assert.That(LabelNames(hard.Train), Is.EqualTo(new[] { "neutral", "happiness" }));
        Assert.That(hard.Train.Samples[0].Votes, Is.Null);
        Assert.That(hard.Notes.Single(), Does.Contain("1 pictures without"));
        // Classes stand in alphabetical order: happiness, neutral.
        Assert.That(soft.Train.Samples[0].Votes, Is.EqualTo(new[] { 0.4f, 0.6f }));
        Assert.That(DataSetRegistry.Open(Folder).Train.Samples, Has.Count.EqualTo(3),
            "without its name, the table of FER2013 is read");
        File.AppendAllText(In("fer2013new.csv"), "PublicTest,,10,0,0,0,0,0,0,0,0,0\n");
        AssertInput(() => Open("ferplus", new DataChoices()), "fer2013new.csv:6:", "a row more");
    }

    [Test]
    public void DrawnLabelsFollowTheVotesAndRepeat()
    {
        Sample Make(int index) => new($"{index}", 0, [new GeneratedFrame($"{index}", () => TestImages.Make(index))],
            Votes: [0.75f, 0.25f]);
        var split = new DataSplit("train", ["a", "b"], [.. Enumerable.Range(0, 400).Select(Make)]);
        LoaderOptions options = new() { BatchSize = 400, ImageSize = 8, Order = SampleOrder.Shuffled };

        int[][] epochs = [.. Enumerable.Range(0, 2).Select(Labels)];

        // 100 of 400 expected, deviation sqrt(400 * 0.75 * 0.25) = 8.7: five of these.
        Assert.That(epochs[0].Sum(), Is.InRange(100 - 44, 100 + 44));
        Assert.That(epochs[1], Is.Not.EqualTo(epochs[0]));
        Assert.That(Labels(0), Is.EqualTo(epochs[0]));
        using var tested = new BatchLoader(split, options with { Order = SampleOrder.AsGiven });
        Assert.That(tested.Epoch(0).Single().Labels, Has.All.Zero);

        int[] Labels(int epoch)
        {
            using var loader = new BatchLoader(split, options);
            using Batch batch = loader.Epoch(epoch).Single();
            return [.. batch.Indices.Zip(batch.Labels).OrderBy(pair => pair.First).Select(pair => pair.Second)];
        }
    }

    [Test]
    public void CkPlusAsItsAuthorsPackIt()
    {
        foreach ((string name, string? label) in new[] { ("S005/001", "3.0000000e+00"), ("S010/001", "7.0000000e+00"),
            ("S010/002", null), ("S011/001", "5") })
        {
            for (int frame = 1; frame <= 5; frame++)
                Image($"cohn-kanade-images/{name}/{name.Replace('/', '_')}_{frame:D8}.png", frame);
            Directory.CreateDirectory(In($"Emotion/{name}"));
            if (label != null)
                File.WriteAllText(In($"Emotion/{name}/{name.Replace('/', '_')}_00000005_emotion.txt"), $"   {label}\n");
        }

        DataSetSplits sets = DataSetRegistry.Open(Folder, options: new() { TestFraction = 0 });
        DataSetSplits neutral = DataSetRegistry.Open(Folder, options: new DataChoices
        {
            CkPlusNeutral = true,
            CkPlusPeakFrames = 0
        }.Over(new() { TestFraction = 0 }));

        Assert.That(LabelNames(sets.Train), Is.EqualTo(new[] { "disgust", "surprise", "happiness" }));
        Assert.That(sets.Train.Samples.Select(sample => sample.Group), Is.EqualTo(new[] { "S005", "S010", "S011" }));
        Assert.That(sets.Train.Samples[0].Frames.Select(frame => frame.Name[^5]), Is.EqualTo("345"));
        Assert.That(neutral.Train.Samples.Select(sample => sample.Frames.Count),
            Is.EqualTo(new[] { 5, 1, 5, 1, 5, 1 }));
        Assert.That(sets.Notes.Single(),
            Does.Contain("the last 3 frames").And.Contain("1 sequences without an expression"));
    }

    [Test]
    public void ShortClipsCanBeLeftOut()
    {
        foreach ((string name, int frames) in new[] { ("happy/a_1", 4), ("happy/b_1", 2), ("sad/a_2", 4),
            ("sad/c_1", 3) })
            for (int frame = 0; frame < frames; frame++)
                Image($"{name}/{frame}.png", frame);
        DataSetSplits sets = DataSetRegistry.Open(Folder,
            options: new DataChoices { MinFrames = 3 }.Over(new() { TestFraction = 0 }));
        Assert.That(sets.Train.Samples, Has.Count.EqualTo(3));
        Assert.That(sets.Notes, Has.Some.Contains("1 of 4 samples have fewer than 3 frames"));
    }

    [Test]
    public void ChoicesAreChecked()
    {
        Assert.That(() => new DataChoices { AffectNetClasses = 9 }.Over(new()), Throws.TypeOf<SettingsException>());
        Assert.That(() => new DataChoices { Subject = "(" }.Over(new()), Throws.TypeOf<SettingsException>());
        Assert.That(() => new DataChoices { RewriteTo = "/a" }.Over(new()), Throws.TypeOf<SettingsException>());
    }

    private DataSetSplits Open(DataChoices? choices = null, int fold = 1) =>
        DataSetRegistry.Open(Folder, options: (choices ?? new DataChoices()).Over(new() { Fold = fold }));

    private DataSetSplits Open(string name, DataChoices choices) => DataSetRegistry.Open(Folder, name,
        choices.Over(new()));

    private static string[] LabelNames(DataSplit split) =>
        [.. split.Samples.Select(sample => split.Classes[sample.Label])];

    private void Image(string name, int seed) => TestImages.Write(In(name), TestImages.Make(seed));

    private void Lines(string name, string[] lines)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(In(name))!);
        File.WriteAllLines(In(name), lines);
    }

    private void WriteAffectNet(bool header)
    {
        string[] rows =
            [.. Enumerable.Range(0, 11).Select(label => $"{label}/p{label}.jpg,4,5,8,9,1;2;3,{label},-0.1,0.2"),
            "0/none.jpg,-1,-1,-1,-1,,0,-2,-2"];
        for (int label = 0; label < 11; label++)
            Image($"Manually_Annotated_Images/{label}/p{label}.jpg", label);
        foreach (string file in new[] { "training.csv", "validation.csv" })
            Lines($"Manually_Annotated_file_lists/{file}", header
                ? ["subDirectory_filePath,face_x,face_y,face_width,face_height,facial_landmarks,expression,valence,"
                    + "arousal", .. rows]
                : rows);
    }

    /// <summary>A NumPy file of one number, as numpy.save writes it.</summary>
    private void WriteNpy(string name, string type, int value)
    {
        byte[] data = type switch
        {
            "<i8" => BitConverter.GetBytes((long)value),
            "|u1" => [(byte)value],
            "<f4" => BitConverter.GetBytes((float)value),
            _ => Encoding.UTF32.GetBytes($"{value}"),
        };
        string header = $"{{'descr': '{type}', 'fortran_order': False, 'shape': (), }}";
        header = header.PadRight(128 - 10 - 1) + "\n";
        byte[] start = [0x93, (byte)'N', (byte)'U', (byte)'M', (byte)'P', (byte)'Y', 1, 0, 0, 0];
        BinaryPrimitives.WriteUInt16LittleEndian(start.AsSpan(8), (ushort)header.Length);
        Directory.CreateDirectory(Path.GetDirectoryName(In(name))!);
        File.WriteAllBytes(In(name), [.. start, .. Encoding.Latin1.GetBytes(header), .. data]);
    }

    private static void AssertInput(Func<DataSetSplits> open, params string[] parts)
    {
        var failure = Assert.Throws<InputException>(() => open())!;
        foreach (string part in parts)
            Assert.That(failure.Message, Does.Contain(part));
        Assert.That(failure.Message, Does.Not.Contain("\n"));
    }
}
