using System.Text.RegularExpressions;
using Cliper.Kernels.Cpu;
using Cliper.Model.Checkpoints;
using Cliper.Model.IO;
using Cliper.Model.Runs;
using Cliper.Model.Settings;
using Cliper.Model.Stages;

namespace Cliper.Model.Tests.Runs;

/// <summary>
/// A run that is killed before any change of its folder leaves that folder with one run in it: resumed, it ends as one
/// that was never killed. The folder is copied before each change, which is what a kill leaves there.
/// </summary>
public sealed partial class KilledRunTests : TemporaryFolder
{
    [Test]
    public void ARunKilledAtAnyChangeOfItsFolder_EndsAsOneThatWasNot()
    {
        TinyRun.WriteData(In("data"));
        TrainSettings settings = TinyRun.Settings(In("data"));
        using var device = new CpuDevice(1);
        List<string> killed = Watched("whole", () => TinyRun.Go(device, settings, In("whole")));
        // The 12 steps and 4 epochs are a line in two files each.
        Assert.That(killed, Has.Count.GreaterThan(2 * 16 + 20), "and settings, vocabulary, checkpoints and results");

        foreach (string copy in killed)
        {
            // Before config.json is announced nothing has begun, and the run is started as it was the first time.
            TinyRun.Go(device, settings, copy, resume: TrainingRun.FindConfig(copy) is not null);
            AssertSame(copy, In("whole"));
            Directory.Delete(copy, recursive: true);
        }
    }

    [Test]
    public void ARunKilledWhileItWritesOverAnother_LeavesTheOldOneWholeOrTheNewOneBegun()
    {
        TinyRun.WriteData(In("data"));
        TrainSettings first = TinyRun.Settings(In("data"), seed: 1), second = TinyRun.Settings(In("data"), seed: 2);
        using var device = new CpuDevice(1);
        TinyRun.Go(device, first, In("old"));
        TinyRun.Go(device, second, In("new"));
        Copy(In("old"), In("over"));
        List<string> killed = Watched("over", () => TinyRun.Go(device, second, In("over"), overwrite: true,
            told: told =>
            {
                // From the first step on it is a run like any other.
                if (told is StepEvent)
                    FolderChanges.Watch = null;
            }));
        AssertSame(In("over"), In("new"));

        int old = 0;
        foreach (string copy in killed)
        {
            string config = TrainingRun.FindConfig(copy)!;
            TrainSettings left = TrainSettings.OfRun(config);
            if (left.Seed == 1)
            {
                old++;
                AssertSame(copy, In("old"));
            }
            else if (CheckpointFiles.HasNone(copy))
            {
                Assert.That(() => Checkpoint.Find(copy), Throws.InstanceOf<InputException>(), "the old model is gone");
            }
            TinyRun.Go(device, left, copy, resume: true);
            AssertSame(copy, left.Seed == 1 ? In("old") : In("new"));
            Directory.Delete(copy, recursive: true);
        }
        Assert.That(old, Is.InRange(1, killed.Count / 2));
    }

    [Test]
    public void AnOverwriteThatIsRefused_LeavesTheOldRunAsItWas()
    {
        TinyRun.WriteData(In("data"));
        TrainSettings settings = TinyRun.Settings(In("data"));
        using var device = new CpuDevice(1);
        TinyRun.Go(device, settings, In("run"));
        Dictionary<string, string> before = Content(In("run"));

        foreach (TrainSettings wrong in new[]
        {
            settings with { Data = In("none") },
            settings with { Weights = In("none"), Pretrain = new StageSettings() },
            settings with { Tokens = 40 },
        })
            Assert.That(() => TinyRun.Go(device, wrong, In("run"), overwrite: true),
                Throws.InstanceOf<InputException>().Or.InstanceOf<SettingsException>());
        Assert.That(() => TinyRun.Go(device, settings with { Subclasses = 3 }, In("run"), resume: true),
            Throws.InstanceOf<SettingsException>());

        Assert.That(Content(In("run")), Is.EqualTo(before));
    }

    /// <summary>Copies a folder before each of its changes. Returns the copies, in order.</summary>
    private List<string> Watched(string run, Action work)
    {
        List<string> copies = [];
        FolderChanges.Watch = _ =>
        {
            string copy = In($"killed-{run}-{copies.Count}");
            Copy(In(run), copy);
            copies.Add(copy);
        };
        try
        {
            work();
        }
        finally
        {
            FolderChanges.Watch = null;
        }
        return copies;
    }

    private static void Copy(string from, string to)
    {
        Directory.CreateDirectory(to);
        if (!Directory.Exists(from))
            return;
        foreach (string file in Directory.GetFiles(from, "*", SearchOption.AllDirectories))
        {
            string target = Path.Combine(to, Path.GetRelativePath(from, file));
            Directory.CreateDirectory(Path.GetDirectoryName(target)!);
            // A lock that is held cannot be read, and that of a killed program is free.
            if (Path.GetFileName(file) == RunLock.FileName)
                File.WriteAllText(target, "");
            else
                File.Copy(file, target);
        }
    }

    private static void AssertSame(string run, string expected)
    {
        Dictionary<string, string> found = Content(run), wanted = Content(expected);
        Assert.That(found.Keys, Is.EquivalentTo(wanted.Keys), run);
        foreach ((string name, string content) in wanted)
            Assert.That(found[name], Is.EqualTo(content), $"{run}: {name}");
    }

    /// <summary>The files of a run whose content does not depend on the clock, without what of it does.</summary>
    private static Dictionary<string, string> Content(string run) => Directory
        .GetFiles(run, "*", SearchOption.AllDirectories)
        .Select(file => Path.GetRelativePath(run, file))
        .Where(name => !name.Contains("events.out", StringComparison.Ordinal)
            && name is not ("report.html" or "metrics.csv" or RunLock.FileName)
            && Path.GetExtension(name) != ".tmp")
        .ToDictionary(name => name, name => name is "metrics.jsonl" or "result.json"
            ? Clock().Replace(File.ReadAllText(Path.Combine(run, name)), "")
            : Convert.ToHexString(System.Security.Cryptography.SHA256.HashData(
                File.ReadAllBytes(Path.Combine(run, name)))));

    [GeneratedRegex("\"(imagesPerSecond|dataWait|seconds)\":[^,}]*")]
    private static partial Regex Clock();
}
