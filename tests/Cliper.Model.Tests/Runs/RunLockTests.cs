using Cliper.Kernels.Cpu;
using Cliper.Model.IO;
using Cliper.Model.Runs;
using Cliper.Model.Settings;
using Cliper.Model.Stages;

namespace Cliper.Model.Tests.Runs;

public sealed class RunLockTests : TemporaryFolder
{
    [Test]
    public void AFolderThatIsTaken_IsRefusedWithProcessAndHost()
    {
        using (RunLock.Take(In("run")))
            Assert.That(() => RunLock.Take(In("run")), Throws.InstanceOf<RunInUseException>().With.Message.Contains(
                $"process {Environment.ProcessId} on {Environment.MachineName} works in this folder"));

        // Free again, and nothing is left of it.
        RunLock.Take(In("run")).Dispose();
        Assert.That(In("run"), Does.Not.Exist);
    }

    [Test]
    public void TheFileOfAProgramThatWasKilled_HoldsNobodyOff()
    {
        Directory.CreateDirectory(In("run"));
        File.WriteAllText(In("run/.lock"), "process 1 on another, 0");

        Assert.That(() => RunLock.Take(In("run")).Dispose(), Throws.Nothing);
    }

    [Test]
    public void FoldsThatAreWrittenOver_AreHeldUntilTheyAreRemoved()
    {
        TinyRun.WriteData(In("data"));
        RunFolder.Begin(In("run/fold1"), "{}").Dispose();
        int changes = 0;
        using RunStart start = RunStart.Check(TinyRun.Settings(In("data")), In("run"), resume: false, overwrite: true);
        FolderChanges.Watch = path =>
        {
            if (!path.StartsWith(In("run/fold1"), StringComparison.Ordinal))
                return;
            Assert.That(() => RunLock.Take(In("run/fold1")), Throws.InstanceOf<RunInUseException>());
            changes++;
        };
        try
        {
            start.Open().Dispose();
        }
        finally
        {
            FolderChanges.Watch = null;
        }

        Assert.That(changes, Is.GreaterThan(2), "settings, metrics, events");
        Assert.That(Directory.GetFiles(In("run/fold1")), Is.Empty);
    }

    [Test]
    public void ASecondRunInAFolder_ChangesNothingOfTheFirst()
    {
        TinyRun.WriteData(In("data"));
        TrainSettings settings = TinyRun.Settings(In("data"));
        using var device = new CpuDevice(1);
        int refused = 0;
        TinyRun.Go(device, settings, In("alone"));

        TinyRun.Go(device, settings, In("run"), told: told =>
        {
            if (told is not EpochEvent)
                return;
            foreach (bool resume in new[] { true, false })
                Assert.That(() => TinyRun.Go(device, settings with { Seed = 2 }, In("run"), resume, overwrite: !resume),
                    Throws.InstanceOf<RunInUseException>(), $"resume is {resume}");
            refused++;
        });

        Assert.That(refused, Is.EqualTo(4));
        Assert.That(File.ReadAllLines(In("run/metrics.jsonl")), Has.Length.EqualTo(
            File.ReadAllLines(In("alone/metrics.jsonl")).Length));
        Assert.That(File.ReadAllBytes(In("run/checkpoints/model.safetensors")),
            Is.EqualTo(File.ReadAllBytes(In("alone/checkpoints/model.safetensors"))));
        Assert.That(In("run/.lock"), Does.Not.Exist);
    }
}
