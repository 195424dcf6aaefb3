using System.Text.Json;
using Cliper.Model.Settings;

namespace Cliper.Cli.Tests;

/// <summary>Sweeps, tables of runs, and settings that are printed and not run.</summary>
public sealed class SweepTests
{
    private string _folder = "";

    private string Sweep => In("sweep");

    [OneTimeSetUp]
    public void MakeTheSweep()
    {
        _folder = Directory.CreateTempSubdirectory("cliper-sweep-").FullName;
        foreach (string split in new[] { "train", "test" })
            for (int index = 0; index < 12; index++)
                RunTests.Draw(In("data", split, index % 2 == 0 ? "happy" : "sad", $"{index}.png"), index % 2,
                    split.Length * 100 + index);
        _sweep = Run();
        Assert.That(_sweep.ExitCode, Is.Zero, _sweep.Error);
    }

    private ProgramRun _sweep = null!;

    [OneTimeTearDown]
    public void RemoveFolder() => Directory.Delete(_folder, recursive: true);

    [Test]
    public void ASweepIsARunForEachCombinationAndATable()
    {
        JsonElement[] runs = [.. _sweep.Json.GetProperty("runs").EnumerateArray()];

        Assert.That(runs.Select(run => (run.GetProperty("loss.margin").GetString(),
            run.GetProperty("seed").GetInt32())),
            Is.EqualTo(new[] { ("true", 1), ("true", 2), ("false", 1), ("false", 2) }));
        foreach (string file in new[] { "config.json", "result.json", "predictions.csv", "report.html" })
            Assert.That(In("sweep", "loss.margin=false-seed2", file), Does.Exist);
        TrainSettings off = TrainSettings.OfRun(In("sweep", "loss.margin=false-seed2", "config.json"));
        Assert.That((off.Loss.Margin, off.Loss.Modulation, off.Seed), Is.EqualTo((false, true, 2UL)));
        string[] table = File.ReadAllLines(In("sweep", "table.csv"));
        Assert.That(table[0], Is.EqualTo("loss.margin,seed,war,uar,seconds,trained_parameters,paper_war,paper_uar,"
            + "stage1_war,usage_entropy"));
        Assert.That(table, Has.Length.EqualTo(5));
        Assert.That(File.ReadAllText(In("sweep", "table.md")), Does.Contain("One standard error").And.Contain("±"));
        Assert.That(In("sweep", "table.html"), Does.Exist);
        Assert.That(In("sweep", "table.tex"), Does.Exist);
    }

    [Test]
    public void ASweepThatWasCutOffGoesOn()
    {
        string kept = In("sweep", "loss.margin=true-seed1", "checkpoints", "model.safetensors"),
            lost = In("sweep", "loss.margin=false-seed1");
        string table = NoSeconds(File.ReadAllText(In("sweep", "table.csv")));
        DateTime before = File.GetLastWriteTimeUtc(kept);
        // A run that was killed before its end, and one that had not begun.
        File.Delete(Path.Combine(lost, "result.json"));
        Directory.Delete(In("sweep", "loss.margin=false-seed2"), recursive: true);

        ProgramRun again = Run();

        Assert.That(again.ExitCode, Is.Zero, again.Error);
        Assert.That(File.GetLastWriteTimeUtc(kept), Is.EqualTo(before), "a finished run is not run again");
        Assert.That(NoSeconds(File.ReadAllText(In("sweep", "table.csv"))), Is.EqualTo(table), "the same bits");
        ProgramRun other = Run("--set", "stage2.epochs=2");
        Assert.That((other.ExitCode, other.Out), Is.EqualTo((2, "")));
        Assert.That(other.Error, Does.Contain("this run was finished with another stage2.epochs"));
    }

    [Test]
    public void RunsStandSideBySide()
    {
        ProgramRun all = ProgramRun.InProcess("report", Sweep, "--out", In("report"));
        ProgramRun two = ProgramRun.InProcess("report", In("sweep", "loss.margin=true-seed1"),
            In("sweep", "loss.margin=true-seed2"), "--json");
        ProgramRun none = ProgramRun.InProcess("report", In("data"));

        Assert.That(all.ExitCode, Is.Zero, all.Error);
        Assert.That(all.Out, Does.StartWith("# Runs side by side").And.Contain("loss.margin=false-seed2"));
        Assert.That(File.ReadAllLines(In("report", "table.csv")), Has.Length.EqualTo(5));
        Assert.That(two.Json.GetProperty("runs").GetArrayLength(), Is.EqualTo(2));
        Assert.That((none.ExitCode, none.Out), Is.EqualTo((3, "")));
        Assert.That(none.Error, Does.Contain("holds no finished run"));
    }

    [Test]
    public void EveryAnswerAndTheProvenanceOfARunAreLeft()
    {
        string run = In("sweep", "loss.margin=true-seed1");
        JsonElement result = JsonDocument.Parse(File.ReadAllText(Path.Combine(run, "result.json"))).RootElement;
        string[][] rows = [.. File.ReadAllLines(Path.Combine(run, "predictions.csv")).Select(line => line.Split(','))];
        ProgramRun eval = ProgramRun.InProcess("eval", "--model", run, "--data", In("data"), "--csv", In("eval.csv"),
            "--device", "cpu", "--threads", "1");

        Assert.That(rows[0], Is.EqualTo(new[] { "file", "label", "predicted", "probability", "descriptor", "happiness",
            "sadness" }));
        Assert.That(rows, Has.Length.EqualTo(13));
        Assert.That(rows.Skip(1).Average(row => row[1] == row[2] ? 1.0 : 0),
            Is.EqualTo(result.GetProperty("war").GetDouble()).Within(1e-12));
        foreach (string name in new[] { "predictions-zero-shot.csv", "predictions-stage1.csv" })
            Assert.That(File.ReadAllLines(Path.Combine(run, name)), Has.Length.EqualTo(13));
        Assert.That(eval.ExitCode, Is.Zero, eval.Error);
        Assert.That(File.ReadAllText(In("eval.csv")),
            Is.EqualTo(File.ReadAllText(Path.Combine(run, "predictions.csv"))));
        Assert.That(result.GetProperty("schema").GetInt32(), Is.EqualTo(1));
        Assert.That(result.GetProperty("version").GetString(), Does.Match(@"^\d+\.\d+\.\d+"));
        Assert.That(result.GetProperty("commandLine").GetString(), Does.StartWith("cliper-gpu sweep"));
        Assert.That(result.GetProperty("faces").GetString(), Is.EqualTo("unknown"));
        Assert.That(result.GetProperty("data").GetProperty("train").GetProperty("happiness").GetInt32(), Is.EqualTo(6));
        Assert.That(result.GetProperty("seconds").GetDouble(), Is.Positive);
        Assert.That(result.GetProperty("recall").GetProperty("sadness").GetDouble(), Is.InRange(0, 1));
    }

    [Test]
    public void AnEvaluationWritesOverNoInput()
    {
        string run = In("sweep", "loss.margin=true-seed1");

        ProgramRun eval = ProgramRun.InProcess("eval", "--model", run, "--data", In("data"), "--csv",
            In("data", "test", "sad", "1.png"), "--device", "cpu");

        Assert.That(eval.ExitCode, Is.EqualTo(2), eval.Error);
        Assert.That(eval.Error, Does.Contain("--csv").And.Contain("--data"));
    }

    [Test]
    public void PrintedSettingsAreReadBackAndSayWhatIsNotKnown()
    {
        ProgramRun printed = ProgramRun.InProcess("train", "--recipe", "dfew", "--protocol", "ial", "--set", "tokens=8",
            "--print-settings");
        File.WriteAllText(In("printed.json"), printed.Out);
        ProgramRun again = ProgramRun.InProcess("train", "--config", In("printed.json"), "--print-settings");

        Assert.That(printed.ExitCode, Is.Zero, printed.Error);
        Assert.That(again.Out, Is.EqualTo(printed.Out));
        Assert.That(printed.Error, Does.Contain("stage1.learningRate = 0.01: not known to us")
            .And.Contain("L is 8; the paper's figure has L = 4"));
        Assert.That(SettingsJson.Parse(printed.Out, "printed", new TrainSettings()),
            Is.EqualTo(Recipes.Get("dfew", "ial") with { Tokens = 8 }).Using<TrainSettings>((one, other) =>
                SettingsJson.FirstDifference(one, other, []) is null));
    }

    [TestCase("nothing is swept", "--set", "tokens=4")]
    [TestCase("--seeds is '1,x'; expected whole numbers such as 1,2,3", "--seeds", "1,x")]
    [TestCase("no preset 'lossses'; there are metd and losses; did you mean 'losses'?", "--preset", "lossses")]
    [TestCase("unknown setting 'loss.margn'; did you mean 'loss.margin'?", "--set", "loss.margn=true,false")]
    public void AWrongSweepIsOneSentence(string message, params string[] args)
    {
        ProgramRun run = ProgramRun.InProcess(["sweep", "--recipe", "fer2013", "--data", In("data"), "--out",
            In("none"), .. args]);

        Assert.That((run.ExitCode, run.Out), Is.EqualTo((2, "")), run.Error);
        Assert.That(run.Error, Does.Contain(message));
        Assert.That(In("none"), Does.Not.Exist);
    }

    private ProgramRun Run(params string[] more) => ProgramRun.InProcess(["sweep", "--out", Sweep, "--set",
        "loss.margin=true,false", "--seeds", "1,2", .. RunTests.TinyOn(In("data")), "--pretrain-epochs", "1",
        "--device", "cpu", "--json", .. more]);

    // The fifth column depends on the clock.
    private static string NoSeconds(string csv) => string.Join('\n', csv.Split('\n').Select(line =>
        string.Join(',', line.Split(',').Where((_, column) => column != 4))));

    private string In(params string[] names) => Path.Combine([_folder, .. names]);
}
