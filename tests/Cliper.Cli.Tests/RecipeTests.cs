using System.Text.Json;
using Cliper.Model.Images;

namespace Cliper.Cli.Tests;

/// <summary>The published protocols on tiny data sets of their layouts, a step a stage, from a tiny CLIP.</summary>
public sealed class RecipeTests
{
    private static readonly string[] AffectNetClasses = ["neutral", "happiness", "sadness", "surprise", "fear",
        "disgust", "anger", "contempt"];

    // DFEW's labels count from 1 in this order; FERV39k's folders have these names.
    private static readonly string[] Expressions = ["Happy", "Sad", "Neutral", "Angry", "Surprise", "Disgust", "Fear"];

    private string _folder = "";

    private string Dfew => In("runs", "dfew");

    [OneTimeSetUp]
    public void MakeTheClipAndTheFolds()
    {
        _folder = Directory.CreateTempSubdirectory("cliper-recipes-").FullName;
        ProgramRun clip = ProgramRun.InProcess("pretrain", "--recipe", "demo-clip", "--out", In("clip"),
            "--pretrain-epochs", "1", "--batch-size", "14",
            "--threads", "1", "--set", "drawnPictures=14", "--set", "shape.imageSize=16", "--set", "shape.patchSize=8",
            "--set", "shape.visionWidth=64",
            "--set", "shape.visionLayers=1", "--set", "shape.textWidth=64", "--set", "shape.textLayers=1", "--set",
            "shape.embedSize=16");
        Assert.That(clip.ExitCode, Is.Zero, clip.Error);

        // 35 clips; fold f tests on the f-th seven of them.
        for (int number = 0; number < 35; number++)
            Clip(In("dfew", "Clip", "clip_224x224", $"{number + 1:D5}"), number % 7, number, "jpg");
        for (int fold = 0; fold < 5; fold++)
            foreach (bool test in new[] { false, true })
                Lines(["dfew", "EmoLabel_DataSplit", $"{(test ? "test" : "train")}(single-labeled)",
                    $"set_{fold + 1}.csv"],
                    ["video_name,label", .. Enumerable.Range(0, 35).Where(number => number / 7 == fold == test)
                    .Select(number => $"{number + 1},{number % 7 + 1}")]);
        ProgramRun run = Train("dfew", In("dfew"), Dfew);
        Assert.That(run.ExitCode, Is.Zero, run.Error);
        _folds = run;
    }

    private ProgramRun _folds = null!;

    [OneTimeTearDown]
    public void RemoveFolder() => Directory.Delete(_folder, recursive: true);

    [Test]
    public void RafDb()
    {
        var list = new List<string>();
        foreach ((string split, int count) in new[] { ("train", 2), ("test", 1) })
            for (int index = 0; index < 7 * count; index++)
            {
                RunTests.Draw(In("raf", "Image", "aligned", $"{split}_{index:D5}_aligned.jpg"), index % 7,
                    split.Length * 100 + index);
                list.Add($"{split}_{index:D5}.jpg {index % 7 + 1}");
            }
        Lines(["raf", "EmoLabel", "list_patition_label.txt"], list);

        AssertPaper(Train("rafdb", In("raf"), In("runs", "raf")), "RAF-DB", 0.9161, null, samples: 7);
        Assert.That(Stages(In("runs", "raf")), Is.EqualTo(new[] { ("stage1", 1), ("stage2", 1) }));
        string report = File.ReadAllText(In("runs", "raf", "report.html"));
        Assert.That(report, Does.Contain("Published numbers on RAF-DB").And.Contain("91.61 %"));
    }

    [Test]
    public void AffectNet([Values(7, 8)] int classes)
    {
        string data = $"affectnet{classes}";
        foreach (string file in new[] { "training", "validation" })
        {
            // Three neutral faces to one of each other: drawn alike, none dominates a batch.
            int[] labels = [.. Enumerable.Range(0, 8), .. file == "training" ? new[] { 0, 0 } : []];
            for (int index = 0; index < labels.Length; index++)
                RunTests.Draw(In(data, "Manually_Annotated_Images", $"{labels[index]}", $"{file}{index}.jpg"),
                    labels[index], file.Length * 100 + index);
            Lines([data, "Manually_Annotated_file_lists", $"{file}.csv"],
            [
                "subDirectory_filePath,face_x,face_y,face_width,face_height,facial_landmarks,"
                    + "expression,valence,arousal",
                .. labels.Select((label, index) => $"{label}/{file}{index}.jpg,2,2,20,20,1;2,{label},0.1,0.2"),
            ]);
        }

        ProgramRun run = Train(data, In(data), In("runs", data), "--set", "stage1.batchSize=8", "--set",
            "stage2.batchSize=8");

        AssertPaper(run, $"AffectNet-{classes}", classes == 7 ? 0.6629 : 0.6198, null, samples: classes);
        Assert.That(run.Json.GetProperty("classes").EnumerateArray().Select(name => name.GetString()),
            Is.EqualTo(AffectNetClasses[..classes].Order(StringComparer.Ordinal)));
        using JsonDocument config = JsonDocument.Parse(File.ReadAllText(In("runs", data, "config.json")));
        Assert.That(config.RootElement.GetProperty("balanced").GetBoolean());
    }

    [Test]
    public void Ferv39k()
    {
        foreach (string id in new[] { "0001", "0002" })
        {
            for (int label = 0; label < 7; label++)
                Clip(In("ferv", "2_ClipsforFaceCrop", "Action", Expressions[label], id), label,
                    id[^1] * 10 + label, "jpg");
            Lines(["ferv", "4_setups", "All_scenes", id == "0001" ? "train_All.csv" : "test_All.csv"],
                [.. Expressions.Select(name => $"Action/{name}/{id} {name}")]);
        }

        AssertPaper(Train("ferv39k", In("ferv"), In("runs", "ferv")), "FERV39k", 0.5134, 0.4123, samples: 7);
    }

    [Test]
    public void DfewsFoldsAreRunsOfTheirOwn()
    {
        JsonElement all = _folds.Json, folds = all.GetProperty("folds");
        AssertPaper(_folds, "DFEW", 0.7084, 0.5756, samples: 35);
        Assert.That(folds.EnumerateArray().Select(fold => fold.GetProperty("fold").GetInt32()),
            Is.EqualTo(new[] { 1, 2, 3, 4, 5 }));
        double[] scores = [.. folds.EnumerateArray().Select(fold => fold.GetProperty("war").GetDouble())];
        double mean = scores.Average();
        Assert.That(all.GetProperty("war").GetDouble(), Is.EqualTo(mean).Within(1e-12));
        Assert.That(all.GetProperty("warDeviation").GetDouble(),
            Is.EqualTo(Math.Sqrt(scores.Sum(score => (score - mean) * (score - mean)) / 4)).Within(1e-12));
        foreach (int fold in new[] { 1, 2, 3, 4, 5 })
            foreach (string file in new[] { "config.json", "metrics.csv", "result.json", "report.html",
                "checkpoints/model.safetensors" })
                Assert.That(Path.Combine(Dfew, $"fold{fold}", file), Does.Exist);
        Assert.That(File.ReadAllText(Path.Combine(Dfew, "report.html")),
            Does.Contain("mean of 5 folds").And.Contain("fold3/report.html").And.Contain("70.84 %"));
        string[] table = File.ReadAllLines(Path.Combine(Dfew, "folds.csv"));
        Assert.That(table.Select(line => line.Split(',')[0]),
            Is.EqualTo(new[] { "fold", "1", "2", "3", "4", "5", "mean", "deviation" }));
    }

    [Test]
    public void FinishedFoldsAreNotRunAgain()
    {
        string copy = In("runs", "dfew-resumed");
        CopyFolder(Dfew, copy);
        // An interruption leaves them so: the third fold in its second stage, the fifth before its first checkpoint.
        File.Delete(Path.Combine(copy, "fold3", "result.json"));
        File.Delete(Path.Combine(copy, "fold5", "result.json"));
        Directory.Delete(Path.Combine(copy, "fold5", "checkpoints"), recursive: true);
        DateTime before = File.GetLastWriteTimeUtc(Path.Combine(copy, "fold1", "checkpoints", "model.safetensors"));

        ProgramRun run = ProgramRun.InProcess("train", "--resume", copy, "--threads", "1", "--json");

        Assert.That(run.ExitCode, Is.Zero, run.Error);
        Assert.That(run.Error,
            Does.Contain("fold 1 of 5: finished").And.Contain("fold 2 of 5: finished").And.Contain(
            "fold 4 of 5: finished"));
        Assert.That(run.Error, Does.Not.Contain("fold 3 of 5: finished").And.Not.Contain("fold 5 of 5: finished"));
        Assert.That(File.GetLastWriteTimeUtc(Path.Combine(copy, "fold1", "checkpoints", "model.safetensors")),
            Is.EqualTo(before));
        Assert.That(run.Json.GetProperty("war").GetDouble(), Is.EqualTo(_folds.Json.GetProperty("war").GetDouble()),
            "the same bits");

        ProgramRun other = ProgramRun.InProcess("train", "--resume", copy, "--stage2-epochs", "2", "--threads", "1");
        Assert.That((other.ExitCode, other.Out), Is.EqualTo((2, "")));
        Assert.That(other.Error, Does.Contain("fold1: this fold was finished with another stage2.epochs"));
    }

    [Test]
    public void AFoldThatIsNotThereIsToldBeforeTheFirstIsTrained()
    {
        CopyFolder(In("dfew"), In("dfew-four"));
        File.Delete(In("dfew-four", "EmoLabel_DataSplit", "test(single-labeled)", "set_5.csv"));

        ProgramRun run = Train("dfew", In("dfew-four"), In("runs", "none"));

        Assert.That((run.ExitCode, run.Out), Is.EqualTo((3, "")), run.Error);
        Assert.That(run.Error, Does.Contain("set_5.csv: no such file"));
        Assert.That(In("runs", "none"), Does.Not.Exist);
    }

    [Test]
    public void OneFoldAloneIsAnOrdinaryRun()
    {
        ProgramRun run = Train("dfew", In("dfew"), In("runs", "one"), "--fold", "2");

        AssertPaper(run, "DFEW", 0.7084, 0.5756, samples: 7);
        Assert.That(run.Json.TryGetProperty("folds", out _), Is.False);
        JsonElement second = _folds.Json.GetProperty("folds")[1];
        Assert.That(Counts(run.Json), Is.EqualTo(Counts(second)), "the same bits");
    }

    [Test]
    public void DataWithOneSplitHasNoFolds()
    {
        for (int index = 0; index < 6; index++)
            RunTests.Draw(In("plain", index < 4 ? "train" : "test", index % 2 == 0 ? "happy" : "sad", $"{index}.png"),
                index % 2, index);

        ProgramRun run = Train("rafdb", In("plain"), In("runs", "none"), "--dataset", "folder", "--folds", "all");

        Assert.That((run.ExitCode, run.Out), Is.EqualTo((2, "")));
        Assert.That(run.Error, Does.Contain("comes with one split of its own, so there are no folds"));
    }

    [Test]
    public void AfewAfterDfewsFirstFold()
    {
        foreach (string split in new[] { "train", "validation" })
            for (int label = 0; label < 7; label++)
                Clip(In("afew", "AFEW_Face", split, Expressions[label], $"{label}0001"), label,
                    split.Length * 100 + label, "png");
        string[] from = ["--init", Path.Combine(Dfew, "fold1")];
        string[] own = [.. Weights(), .. Steps()];

        ProgramRun run = ProgramRun.InProcess(["train", "--recipe", "afew", "--data", In("afew"), "--out",
            In("runs", "afew"), .. from, .. Steps()]);
        ProgramRun alone = ProgramRun.InProcess(["train", "--recipe", "afew", "--data", In("afew"), "--out",
            In("runs", "afew-alone"), .. own]);
        ProgramRun both = ProgramRun.InProcess(["train", "--recipe", "afew", "--data", In("afew"), "--out",
            In("runs", "none"), .. from, .. own]);
        ProgramRun folds = ProgramRun.InProcess(["train", "--recipe", "afew", "--data", In("afew"), "--out",
            In("runs", "none"), "--init", Dfew, .. Steps()]);

        AssertPaper(run, "AFEW", 0.5643, 0.52, samples: 7);
        Assert.That(run.Error,
            Does.Contain("begins with the model of").And.Contain("fold1")
            .And.Not.Contain("warning: the paper begins"));
        AssertPaper(alone, "AFEW", 0.5643, 0.52, samples: 7);
        Assert.That(alone.Error, Does.Contain("warning: the paper begins with a model trained on DFEW's fold 1"));
        Assert.That(File.ReadAllText(In("runs", "afew-alone", "report.html")), Does.Contain("DFEW&#39;s fold 1"));
        Assert.That(both.ExitCode, Is.EqualTo(2));
        Assert.That(both.Error, Does.Contain("init is given beside weights"));
        Assert.That(folds.ExitCode, Is.EqualTo(3));
        Assert.That(folds.Error, Does.Contain("holds a run for each fold: name one, such as"));
    }

    [Test]
    public void CkPlusInFoldsOfSubjects()
    {
        for (int subject = 0; subject < 6; subject++)
            for (int label = 0; label < 3; label++)
                Clip(In("ck", Expressions[label], $"S{subject:D3}_{label:D3}"), label, subject * 10 + label, "png");

        ProgramRun run = Train("ckplus", In("ck"), In("runs", "ck"), "--pretrain-epochs", "0", "--set",
            "pretrain.warmUpEpochs=0", "--set", "folds=3");

        Assert.That(run.ExitCode, Is.Zero, run.Error);
        Assert.That(run.Json.GetProperty("folds").GetArrayLength(), Is.EqualTo(3));
        Assert.That(run.Json.GetProperty("samples").GetInt32(), Is.EqualTo(18), "every subject is tested on once");
        Assert.That(run.Json.TryGetProperty("paper", out _), Is.False, "the paper has no CK+");
    }

    [Test]
    public void AnEvaluationOnTheRunsOwnDataTestsItsOwnFold()
    {
        for (int subject = 0; subject < 6; subject++)
            for (int label = 0; label < 2; label++)
                Clip(In("subjects", Expressions[label], $"S{subject:D3}_{label:D3}"), label,
                    subject * 10 + label, "png");
        string folder = In("runs", "subjects");
        ProgramRun train = Train("ckplus", In("subjects"), folder, "--pretrain-epochs", "0", "--set",
            "pretrain.warmUpEpochs=0", "--set", "folds=3", "--fold", "2",
            "--set", "dropDuplicates=false");
        Assert.That(train.ExitCode, Is.Zero, train.Error);

        ProgramRun own = Eval("--data", In("subjects")), other = Eval("--data", In("subjects"), "--fold", "3"),
            wrong = Eval("--data", In("subjects"), "--fold", "4");
        CopyFolder(In("subjects"), In("subjects-elsewhere"));
        ProgramRun all = Eval("--data", In("subjects-elsewhere"));

        Assert.That(own.ExitCode, Is.Zero, own.Error);
        Assert.That(Counts(own.Json), Is.EqualTo(Counts(train.Json)));
        Assert.That(own.Error, Does.Contain("fold 2 are the run's"));
        Assert.That(other.Json.GetProperty("samples").GetInt32(), Is.EqualTo(4));
        Assert.That(all.Json.GetProperty("samples").GetInt32(), Is.EqualTo(12), "other data is tested on whole");
        Assert.That((wrong.ExitCode, wrong.Out), Is.EqualTo((2, "")));

        ProgramRun Eval(params string[] more) => ProgramRun.InProcess(["eval", "--run", folder, "--json", .. more]);
    }

    [Test]
    public void AnEvaluationTakesChoices()
    {
        string run = Path.Combine(Dfew, "fold1");
        ProgramRun plain = ProgramRun.InProcess("eval", "--run", run, "--data", In("dfew"), "--fold", "3", "--json");
        ProgramRun frames = ProgramRun.InProcess("eval", "--run", run, "--data", In("dfew"), "--choice",
            "clipFrames=frames");
        ProgramRun unknown = ProgramRun.InProcess("eval", "--run", run, "--data", In("dfew"), "--choice",
            "clipFrame=frames");

        Assert.That(plain.ExitCode, Is.Zero, plain.Error);
        Assert.That(plain.Error, Does.Contain("DFEW: fold 3 of 5"));
        Assert.That(frames.ExitCode, Is.EqualTo(3));
        Assert.That(frames.Error, Does.Contain("Clip/jpg_256"));
        Assert.That(unknown.ExitCode, Is.EqualTo(2));
        Assert.That(unknown.Error, Does.Contain("did you mean 'choices.clipFrames'?"));
    }

    [Test]
    public void PredictionAddsTheMarginOfTheTraining()
    {
        string data = "affectnet-boxes";
        foreach (string file in new[] { "training", "validation" })
        {
            for (int label = 0; label < 7; label++)
                RunTests.Draw(In(data, "Manually_Annotated_Images", "1", $"{file}{label}.png"), label,
                    file.Length * 100 + label);
            Lines([data, "Manually_Annotated_file_lists", $"{file}.csv"],
            [
                "subDirectory_filePath,face_x,face_y,face_width,face_height,facial_landmarks,"
                    + "expression,valence,arousal",
                .. Enumerable.Range(0, 7).Select(label => $"1/{file}{label}.png,4,4,8,8,1;2,{label},0.1,0.2"),
            ]);
        }
        string[] boxes = ["--set", "choices.affectNetFaceBox=true"];
        Assert.That(Train("affectnet7", In(data), In("runs", "tight"), boxes).ExitCode, Is.Zero);
        Assert.That(Train("affectnet7", In(data), In("runs", "wide"),
            [.. boxes, "--set", "choices.faceMargin=0.5"]).ExitCode, Is.Zero);
        string picture = In(data, "Manually_Annotated_Images", "1", "validation3.png");

        // Half of 8 pixels on each side: 4,4,8,8 becomes 0,0,16,16.
        string vectorized = Predicted("wide", "4,4,8,8"), tight = Predicted("tight", "4,4,8,8");
        string cut = In("cut", "validation3.png");
        Directory.CreateDirectory(In("cut"));
        RgbImage whole = SkiaImageCodec.Instance.Decode(File.ReadAllBytes(picture), picture);
        var pixels = new byte[3 * 16 * 16];
        for (int row = 0; row < 16; row++)
            whole.Pixels.AsSpan(3 * row * whole.Width, 3 * 16).CopyTo(pixels.AsSpan(3 * 16 * row));
        File.WriteAllBytes(cut, SkiaImageCodec.Instance.Encode(new(16, 16, pixels), ImageFormat.Png));
        picture = cut;

        Assert.That(vectorized, Is.EqualTo(Predicted("wide", null)));
        Assert.That(tight, Is.Not.EqualTo(Predicted("tight", null)));

        string Predicted(string run, string? box)
        {
            ProgramRun predict = ProgramRun.InProcess(["predict", "--checkpoint", In("runs", run), picture, "--json",
                .. box is null ? ["--faces", "none"] : new[] { "--face-box", box }]);
            Assert.That(predict.ExitCode, Is.Zero, predict.Error);
            return predict.Json.GetProperty("results")[0].GetProperty("faces")[0].GetProperty("probabilities")
                .ToString();
        }
    }

    [Test]
    public void TheTableNamesThePaper()
    {
        string copy = In("runs", "dfew-table");
        CopyFolder(Dfew, copy);

        ProgramRun run = ProgramRun.InProcess("train", "--resume", copy, "--threads", "1");

        Assert.That(run.ExitCode, Is.Zero, run.Error);
        Assert.That(run.Out, Does.Match(@"(?m)^\s*mean\s.*%").And.Match(@"(?m)^\s*standard deviation\s.*%"));
        Assert.That(run.Out, Does.Match(@"the paper on DFEW, full-size CLIP\D+70\.8 %\D+57\.6 %"));
    }

    private ProgramRun Train(string recipe, string data, string folder, params string[] more) =>
        ProgramRun.InProcess(["train", "--recipe", recipe, "--data", data, "--out", folder, .. Weights(),
        .. Steps(), .. more]);

    private string[] Weights() => ["--weights", In("clip", "clip.safetensors")];

    /// <summary>A step a stage: a batch of more than there is holds all.</summary>
    private static string[] Steps() => ["--stage1-epochs", "1", "--stage2-epochs", "1", "--batch-size", "64",
        "--threads", "1", "--json"];

    private static void AssertPaper(ProgramRun run, string name, double war, double? uar, int samples)
    {
        Assert.That(run.ExitCode, Is.Zero, run.Error);
        JsonElement paper = run.Json.GetProperty("paper"), recall = paper.GetProperty("uar");
        Assert.That(paper.GetProperty("dataSet").GetString(), Is.EqualTo(name));
        Assert.That(paper.GetProperty("war").GetDouble(), Is.EqualTo(war).Within(1e-12));
        Assert.That(recall.ValueKind == JsonValueKind.Null ? (double?)null : Math.Round(recall.GetDouble(), 12),
            Is.EqualTo(uar));
        Assert.That(run.Json.GetProperty("samples").GetInt32(), Is.EqualTo(samples));
    }

    private static IEnumerable<int> Counts(JsonElement result) =>
        result.GetProperty("confusion").EnumerateArray().SelectMany(row => row.EnumerateArray().Select(count =>
        count.GetInt32()));

    /// <summary>Stages of a run with the number of their steps.</summary>
    private static IEnumerable<(string, int)> Stages(string run) => File.ReadLines(Path.Combine(run, "metrics.jsonl"))
        .Select(line => JsonDocument.Parse(line).RootElement).Where(row => row.GetProperty("event")
        .GetString() == "step")
        .GroupBy(row => row.GetProperty("stage").GetString()!).Select(stage => (stage.Key, stage.Count()));

    private static void Clip(string folder, int label, int seed, string type)
    {
        for (int frame = 0; frame < 2; frame++)
            RunTests.Draw(Path.Combine(folder, $"{frame}.{type}"), label, seed * 10 + frame);
    }

    private void Lines(string[] names, IEnumerable<string> lines)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(In(names))!);
        File.WriteAllLines(In(names), lines);
    }

    private static void CopyFolder(string from, string to)
    {
        foreach (string file in Directory.EnumerateFiles(from, "*", SearchOption.AllDirectories))
        {
            string target = Path.Combine(to, Path.GetRelativePath(from, file));
            Directory.CreateDirectory(Path.GetDirectoryName(target)!);
            File.Copy(file, target);
        }
    }

    private string In(params string[] names) => Path.Combine([_folder, .. names]);
}
