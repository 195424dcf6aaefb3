using Cliper.Model.IO;
using Cliper.Model.Metrics;
using Cliper.Model.Runs;

namespace Cliper.Model.Tests.Reporting;

public class RunFolderTests : TemporaryFolder
{
    private static MetricRow Step(long step, double loss) => new()
    {
        Event = MetricRow.StepEvent,
        Stage = TrainingStage.Stage1,
        Step = step,
        Epoch = 1,
        Loss = loss,
        LearningRate = 0.01,
    };

    [Test]
    public void ARowIsALineInEachFile()
    {
        using (RunFolder run = RunFolder.Begin(In("run"), "{}"))
        {
            run.Log(Step(1, 2.5));
            Assert.That(RunFolder.ReadMetrics(run.MetricsPath), Is.EqualTo(new[] { Step(1, 2.5) }),
                "at once on the disk, and readable while the run writes");
            run.Log(Step(2, double.NaN));
        }
        Assert.That(File.ReadAllLines(In("run/metrics.jsonl"))[0], Is.EqualTo(
            "{\"event\":\"step\",\"stage\":\"stage1\",\"step\":1,\"epoch\":1,\"loss\":2.5,\"lr\":0.01}"));
        string[] csv = File.ReadAllLines(In("run/metrics.csv"));
        Assert.That(csv[0], Does.StartWith("event,stage,step,epoch,loss,"));
        Assert.That(csv[1], Does.StartWith("step,stage1,1,1,2.5,,,"));
        Assert.That(csv.Select(line => line.Count(letter => letter == ',')).Distinct().Count(), Is.EqualTo(1));
        Assert.That(RunFolder.ReadMetrics(In("run/metrics.jsonl")),
            Is.EqualTo(new[] { Step(1, 2.5), Step(2, double.NaN) }));
        byte[] events = File.ReadAllBytes(Directory.GetFiles(In("run"), "events.out.tfevents.*").Single());
        Assert.That(EventFileWriterTests.Read(events), Is.EqualTo(new[]
        {
            (1L, "stage1/loss", 2.5f), (1L, "stage1/lr", 0.01f), (2L, "stage1/loss", float.NaN),
                (2L, "stage1/lr", 0.01f),
        }));
    }

    [Test]
    public void ARunThatBeginsOverAnother_LeavesNothingOfIt()
    {
        Assert.That(() => RunFolder.CheckFree(In("run"), overwrite: false), Throws.Nothing);
        using (RunFolder run = RunFolder.Begin(In("run"), "1"))
            run.Log(Step(1, 1));
        Assert.That(() => RunFolder.CheckFree(In("run"), overwrite: false),
            Throws.InstanceOf<SettingsException>().With.Message.Contains("holds a run"));
        foreach (string file in new[] { "result.json", "report.html", "checkpoints/model.safetensors",
            "checkpoints/.last.safetensors.0123456789abcdef0123456789abcdef.tmp", "tokenizer/normalizer.json",
            "fold2/config.json", "fold2/checkpoints/last.safetensors", "mine.txt", "fold2/mine.txt" })
        {
            Directory.CreateDirectory(Path.GetDirectoryName(In($"run/{file}"))!);
            File.WriteAllText(In($"run/{file}"), "");
        }

        using (RunFolder.Begin(In("run"), "2"))
            Assert.That(RunFolder.ReadMetrics(In("run/metrics.jsonl")), Is.Empty);

        string[] left = [.. Directory.GetFiles(In("run"), "*", SearchOption.AllDirectories)
            .Select(file => Path.GetRelativePath(In("run"), file))
            .Where(name => !name.StartsWith("events.out", StringComparison.Ordinal))];
        Assert.That(left, Is.EquivalentTo(new[] { "config.json", "metrics.jsonl", "metrics.csv", "mine.txt",
            "fold2/mine.txt" }));
        Assert.That(File.ReadAllText(In("run/config.json")), Is.EqualTo("2"));
        Assert.That(Directory.GetFiles(In("run"), "events.*"), Has.Length.EqualTo(1));
    }

    [Test]
    public void AFolderWhoseFoldHoldsARun_IsNotFree()
    {
        RunFolder.Begin(In("run/fold2"), "{}").Dispose();

        Assert.That(() => RunFolder.CheckFree(In("run"), overwrite: false),
            Throws.InstanceOf<SettingsException>().With.Message.StartsWith($"{In("run/fold2")}: holds a run"));
        Assert.That(() => RunFolder.CheckFree(In("run"), overwrite: true), Throws.Nothing);
    }

    [TestCase("clip.safetensors")]
    [TestCase("tokenizer/vocab.json")]
    [TestCase("fold1/report.html")]
    public void AFileThatIsNoRuns_IsNeverRemoved(string file)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(In($"run/{file}"))!);
        File.WriteAllText(In($"run/{file}"), "");

        foreach (bool overwrite in new[] { false, true })
            Assert.That(() => RunFolder.CheckFree(In("run"), overwrite),
                Throws.InstanceOf<SettingsException>().With.Message.StartsWith(In($"run/{file}")));
    }

    [Test]
    public void WhatARunCannotWrite_IsSaidOnce()
    {
        Directory.CreateDirectory(In("run/metrics.csv"));

        Assert.That(() => RunFolder.Begin(In("run"), "{}"), Throws.InstanceOf<IOException>().With.Message.EqualTo(
            $"{In("run/metrics.csv")}: cannot be written: it is a folder; choose a folder with room that you may "
            + "write to"));
    }

    [Test]
    public void ResumingDropsRowsAfterTheCheckpointAndACutOffLine()
    {
        using (RunFolder run = RunFolder.Begin(In("run"), "{}"))
            for (int step = 1; step <= 3; step++)
                run.Log(Step(step, step));
        File.AppendAllText(In("run/metrics.jsonl"), "{\"event\":\"st");
        using (RunFolder run = RunFolder.Resume(In("run"), "{}", row => row.Step <= 2))
            run.Log(Step(3, 7));
        Assert.That(RunFolder.ReadMetrics(In("run/metrics.jsonl")),
            Is.EqualTo(new[] { Step(1, 1), Step(2, 2), Step(3, 7) }));
        Assert.That(File.ReadAllLines(In("run/metrics.csv")), Has.Length.EqualTo(4));
    }

    [Test]
    public void WhatIsNoRunOrDamagedIsAnInputError()
    {
        Assert.That(() => RunFolder.Resume(In("none"), "{}"),
            Throws.InstanceOf<InputException>().With.Message.Contains("metrics.jsonl"));
        Assert.That(Directory.Exists(In("none")), Is.False);
        Directory.CreateDirectory(In("bad"));
        File.WriteAllText(In("bad/metrics.jsonl"), "{}\nnonsense\n");
        Assert.That(() => RunFolder.Resume(In("bad"), "{}"),
            Throws.InstanceOf<InputException>().With.Message.Contains("line 1"));
        File.WriteAllText(In("file"), "");
        Assert.That(() => RunFolder.Begin(In("file"), "{}"), Throws.InstanceOf<IOException>());
    }

    [Test]
    public void CsvQuotesWhatNeedsIt() => Assert.That(Csv.Line(["plain", "a,b", "say \"hi\"", "two\nlines", "", " x "]),
        Is.EqualTo("plain,\"a,b\",\"say \"\"hi\"\"\",\"two\nlines\",, x "));
}
