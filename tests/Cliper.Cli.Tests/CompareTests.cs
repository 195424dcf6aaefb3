using Cliper.Model.Settings;

namespace Cliper.Cli.Tests;

/// <summary>The command that puts methods side by side, on a dozen pictures and the CLIP of drawn faces.</summary>
public sealed class CompareTests
{
    private string _folder = "";
    private ProgramRun _table = null!;

    [OneTimeSetUp]
    public void MakeTheTable()
    {
        _folder = Directory.CreateTempSubdirectory("cliper-compare-").FullName;
        foreach (string split in new[] { "train", "test" })
            for (int index = 0; index < 12; index++)
                RunTests.Draw(In("data", split, index % 2 == 0 ? "happy" : "sad", $"{index}.png"), index % 2,
                    split.Length * 100 + index);
        _table = Run("--seeds", "1,2");
        Assert.That(_table.ExitCode, Is.Zero, _table.Error);
    }

    [OneTimeTearDown]
    public void RemoveFolder() => Directory.Delete(_folder, recursive: true);

    [Test]
    public void AComparisonIsARunForEachMethodAndSeedAndATable()
    {
        string[] table = File.ReadAllLines(In("table", "table.csv"));

        Assert.That(table[0],
            Is.EqualTo("method,shots,seed,war,uar,seconds,trained_parameters,paper_war,paper_uar"));
        Assert.That(table.Skip(1).Select(line => string.Join(',', line.Split(',').Take(3))), Is.EqualTo(
            TrainingMethods.Names.SelectMany(method => new[] { $"{method},0,1", $"{method},0,2" })));
        Assert.That(_table.Json.GetProperty("runs").GetArrayLength(), Is.EqualTo(14));
        foreach (string file in new[] { "config.json", "result.json", "predictions.csv", "report.html" })
            Assert.That(In("table", "coop-seed2", file), Does.Exist);
        Assert.That(File.ReadAllText(In("table", "table.md")), Does.Contain("±").And.Contain(
            "coop: stage1 of 1 epochs in batches of 8 by SGD at 0.002, on kept features").And.Contain(
            "The weights are faces-clip.safetensors."));
        Assert.That(In("table", "table.html"), Does.Exist);
        Assert.That(In("table", "table.tex"), Does.Exist);
    }

    [Test]
    public void AMethodKeepsItsDefaultsAndTakesTheOptionsOfItsStages()
    {
        TrainSettings probe = Settings("linear-probe-seed1"), coop = Settings("coop-seed1"), m1 = Settings("m1-seed1"),
            tune = Settings("fine-tune-seed2");

        Assert.That((probe.Stage1.Epochs, probe.Stage2.Epochs), Is.EqualTo((0, 1)));
        Assert.That((coop.Stage1.Epochs, coop.Stage1.Optimizer, coop.Stage2.Epochs),
            Is.EqualTo((1, OptimizerKind.Sgd, 0)));
        Assert.That((m1.Subclasses, m1.Stage1.Epochs, m1.Stage2.Epochs), Is.EqualTo((1, 1, 1)));
        Assert.That((tune.Stage1.Epochs, tune.Stage2.Epochs, tune.Seed), Is.EqualTo((0, 1, 2UL)));
        Assert.That(Settings("cliper-seed1").Stage2.LearningRate,
            Is.EqualTo(MethodDefaults.WithoutRecipe.Stage2.LearningRate));

        TrainSettings Settings(string run) => TrainSettings.OfRun(In("table", run, "config.json"));
    }

    [Test]
    public void AComparisonThatWasCutOffGoesOn()
    {
        string table = NoSeconds(File.ReadAllText(In("table", "table.csv")));
        File.Delete(In("table", "coop-seed2", "result.json"));
        Directory.Delete(In("table", "fine-tune-seed1"), recursive: true);

        ProgramRun again = Run("--seeds", "1,2"), other = Run("--seeds", "1,2", "--set", "coop.tokens=3");

        Assert.That(again.ExitCode, Is.Zero, again.Error);
        Assert.That(NoSeconds(File.ReadAllText(In("table", "table.csv"))), Is.EqualTo(table), "the same bits");
        Assert.That((other.ExitCode, other.Out), Is.EqualTo((2, "")));
        Assert.That(other.Error, Does.Contain("this run was finished with another coop.tokens"));
    }

    [Test]
    public void AMethodThatFailsIsNamedAndTheExitCodeTells()
    {
        ProgramRun run = ProgramRun.InProcess([.. Line("failing"), "--methods", "cocoop,zero-shot", "--set",
            "coop.words=an unpronounceable photo"]);

        Assert.That(run.ExitCode, Is.EqualTo(1), run.Error);
        Assert.That(run.Error, Does.Contain("\"unpronounceable\" is").And.Contain("1 of 2 runs have failed"));
        Assert.That(File.ReadAllLines(In("failing", "table.csv")), Has.Length.EqualTo(3));
    }

    [TestCase("no method 'cop'; there are zero-shot, coop", "--methods", "cop")]
    [TestCase("two runs would share the folder coop", "--methods", "coop,coop")]
    [TestCase("--shots is 'few'; expected whole numbers such as 1,2,3", "--shots", "few")]
    [TestCase("--shots is '-1'; expected whole numbers such as 1,2,3", "--shots", "-1")]
    public void AWrongComparisonIsOneSentence(string message, params string[] args)
    {
        ProgramRun run = ProgramRun.InProcess([.. Line("none"), .. args]);

        Assert.That((run.ExitCode, run.Out), Is.EqualTo((2, "")), run.Error);
        Assert.That(run.Error, Does.Contain(message));
        Assert.That(In("none"), Does.Not.Exist);
    }

    [Test]
    public void ASweepOverMethodsPointsHere()
    {
        ProgramRun run = ProgramRun.InProcess("sweep", "--recipe", "fer2013", "--data", In("data"), "--set",
            "method=coop,m1", "--out", In("none"));

        Assert.That((run.ExitCode, run.Out), Is.EqualTo((2, "")), run.Error);
        Assert.That(run.Error, Does.Contain("'cliper-gpu compare --methods coop,m1' compares them"));
    }

    private ProgramRun Run(params string[] more) => ProgramRun.InProcess([.. Line("table"), "--json", .. more]);

    private string[] Line(string folder) =>
    [
        "compare", "--weights", Model.ShippedModels.Clip, "--data", In("data"), "--dataset", "folder", "--batch-size",
        "8", "--stage1-epochs", "1", "--stage2-epochs", "1", "--set", "features=cached", "--set",
        "dropDuplicates=false", "--set", "probe.maxIterations=20", "--out", In(folder), "--device", "cpu", "--threads",
        "1",
    ];

    // The sixth column depends on the clock.
    private static string NoSeconds(string csv) => string.Join('\n', csv.Split('\n').Select(line =>
        string.Join(',', line.Split(',').Where((_, column) => column != 5))));

    private string In(params string[] names) => Path.Combine([_folder, .. names]);
}
