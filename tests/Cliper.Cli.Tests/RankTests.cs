using System.Diagnostics;
using System.Globalization;
using System.Text.Json;

namespace Cliper.Cli.Tests;

/// <summary>Trainings on several ranks, under the launchers of Open MPI and of MPICH.</summary>
[TestFixture("openmpi")]
[TestFixture("mpich")]
[Platform("Linux")]
public sealed class RankTests(string mpi)
{
    // Three steps an epoch, the last of fewer pictures.
    private static readonly string[] Settings =
    [
        "--recipe", "demo", "--weights", "drawn-faces", "--set", "drawnPictures=126", "--device", "cpu",
        "--batch-size", "32", "--threads", "1",
    ];

    private static readonly string[] Stages = ["--stage1-epochs", "1", "--stage2-epochs", "2"];

    private string _folder = "";

    [OneTimeSetUp]
    public void MakeFolder()
    {
        if (!File.Exists($"/usr/bin/mpirun.{mpi}"))
            Missing($"no mpirun.{mpi} (Debian, Ubuntu: apt-get install openmpi-bin libopenmpi3 mpich libmpich12)");
        _folder = Directory.CreateTempSubdirectory("cliper-ranks-").FullName;
    }

    [OneTimeTearDown]
    public void RemoveFolder()
    {
        if (_folder.Length > 0)
            Directory.Delete(_folder, recursive: true);
    }

    [Test]
    public void TwoAndFourRanks_TrainWhatOneDoes()
    {
        ProgramRun one = ProgramRun.AsProcess(["train", .. Settings, .. Stages, "--out", In("one")]);
        ProgramRun two = Launch(2, ["train", .. Settings, .. Stages, "--out", In("two")]);
        ProgramRun four = Launch(4, ["train", .. Settings, .. Stages, "--out", In("four")]);
        ProgramRun again = Launch(2, ["train", .. Settings, .. Stages, "--out", In("again")]);

        Assert.That((one.ExitCode, two.ExitCode, four.ExitCode, again.ExitCode), Is.EqualTo((0, 0, 0, 0)),
            one.Error + two.Error + four.Error);
        (double[] losses, double[] norms) = Steps("one");
        Assert.That(losses, Has.Length.EqualTo(9), "3 steps an epoch");
        foreach (string run in new[] { "two", "four" })
        {
            // The sums of one row are those of one rank. The gradient of a weight is a sum over the 32 x 65 tokens of a
            // batch in another grouping: both have roundings of sqrt(2080) u, u = 2^-24, together less than 100 u. Each
            // of the nine steps adds as much.
            double bound = 9 * 100 * Math.Pow(2, -24);
            (double[] others, double[] otherNorms) = Steps(run);
            Assert.That(others.Zip(losses, (a, b) => Math.Abs(a - b) / b), Is.All.LessThan(bound), $"{run}: losses");
            Assert.That(otherNorms.Zip(norms, (a, b) => Math.Abs(a - b) / b), Is.All.LessThan(bound),
                $"{run}: gradient norms");
            Assert.That(File.ReadLines(In($"{run}/predictions.csv")).Count(),
                Is.EqualTo(File.ReadLines(In("one/predictions.csv")).Count()), "every sample is answered once");
        }
        Assert.That(File.ReadAllBytes(In("again/checkpoints/model.safetensors")),
            Is.EqualTo(File.ReadAllBytes(In("two/checkpoints/model.safetensors"))), "the same ranks, the same bits");
        Assert.That(two.Out, Does.Contain("run: ").And.Not.Match("(?s)run: .*run: "), "rank 0 alone prints");
        Assert.That(two.Out.Split("words nearest to the learned tokens"), Has.Length.EqualTo(2), "tables too");
    }

    [Test]
    public void BatchStatistics_AreThoseOfAllRanks()
    {
        string[] work =
        [
            "train", "--recipe", "demo", "--init", "photographs", "--pretrain-epochs", "0", "--stage1-epochs", "0",
            "--stage2-epochs", "1", "--set", "drawnPictures=35", "--set", "dropLast=true", "--device", "cpu",
            "--batch-size", "16", "--threads", "1",
        ];
        ProgramRun one = ProgramRun.AsProcess([.. work, "--out", In("bn1")]);
        ProgramRun two = Launch(2, [.. work, "--out", In("bn2")]);

        Assert.That((one.ExitCode, two.ExitCode), Is.EqualTo((0, 0)), one.Error + two.Error);
        (double[] losses, double[] norms) = Steps("bn1");
        (double[] others, double[] otherNorms) = Steps("bn2");
        Assert.That(losses, Is.Not.Empty);
        // Fifty normalized layers on the way forward and as many back. Each divides by statistics of at least 16 x 9
        // pixels whose sums are grouped otherwise: roundings of 2 sqrt(144) u, u = 2^-24.
        double bound = 50 * 24 * Math.Pow(2, -24);
        Assert.That(others[0], Is.EqualTo(losses[0]).Within(losses[0] * bound));
        Assert.That(otherNorms[0], Is.EqualTo(norms[0]).Within(norms[0] * 2 * bound));
    }

    [Test]
    public void AnInterruptionOfAnyRank_LeavesACheckpoint_FromWhichBothGoOn()
    {
        string[] work = ["train", .. Settings, "--stage1-epochs", "1", "--stage2-epochs", "6", "--out"];
        ProgramRun straight = Launch(2, [.. work, In("straight")]);

        ProgramRun cut = Launch(2, [.. work, In("cut")], "stage2 epoch 2", pid => Signal("INT", pid));
        ProgramRun copied = ProgramRun.Shell($"cp -r {In("cut")} {In("alone")}");
        ProgramRun resumed = Launch(2, ["train", "--resume-if-there", In("cut"), "--threads", "1"]);
        ProgramRun alone = ProgramRun.AsProcess("train", "--resume", In("alone"), "--threads", "1");

        Assert.That((straight.ExitCode, cut.ExitCode, copied.ExitCode, resumed.ExitCode, alone.ExitCode),
            Is.EqualTo((0, 130, 0, 0, 0)), cut.Error + resumed.Error + alone.Error);
        Assert.That(File.ReadAllBytes(In("cut/checkpoints/model.safetensors")),
            Is.EqualTo(File.ReadAllBytes(In("straight/checkpoints/model.safetensors"))));
    }

    [Test]
    public void AKilledRank_EndsAll()
    {
        ProgramRun run = Launch(2, ["train", .. Settings, "--stage1-epochs", "1", "--stage2-epochs", "400", "--out",
            In("killed")], "stage2 epoch 2", pid => Signal("KILL", pid));

        Assert.That(run.ExitCode, Is.Not.Zero);
        Assert.That(Running(In("killed")), Is.Empty, "no process is left");
    }

    [Test]
    public void AStoppedRank_CountsAsLostAfterItsTime()
    {
        int stopped = 0;
        ProgramRun run = Launch(2, ["train", .. Settings, "--stage1-epochs", "1", "--stage2-epochs", "400",
            "--rank-timeout", "3", "--out", In("stopped")], "stage2 epoch 2", pid => Signal("STOP", stopped = pid));
        Signal("KILL", stopped);

        Assert.That(run.ExitCode, Is.EqualTo(5));
        Assert.That(run.Error, Does.Contain("the other ranks have not answered for 3 s"));
    }

    [Test]
    public void AnErrorOfAllRanks_IsToldOnce()
    {
        ProgramRun run = Launch(2, ["train", .. Settings, .. Stages, "--data", In("none"), "--dataset", "folder",
            "--out", In("wrong")]);

        Assert.That(run.ExitCode, Is.EqualTo(3));
        Assert.That(run.Error.Split('\n').Count(line => line.Contains("none: ", StringComparison.Ordinal)),
            Is.EqualTo(1), run.Error);
    }

    [Test]
    public void AnotherLaunchersLibrary_IsRefused()
    {
        string other = mpi == "mpich" ? "openmpi" : "mpich";
        ProgramRun run = Launch(2, ["train", .. Settings, .. Stages, "--mpi", other, "--out", In("other")]);

        Assert.That(run.ExitCode, Is.Not.Zero);
        Assert.That(run.Error, Does.Contain("the library is not the launcher's own"));
    }

    [Test]
    public void HalfAnEnvironment_IsAnError_ThatRanksOffAvoids()
    {
        string line = $"RANK=0 $PROGRAM train {string.Join(' ', Settings)} --stage1-epochs 1 --stage2-epochs 0";
        ProgramRun half = ProgramRun.Shell($"{line} --out {In("half")}");
        ProgramRun off = ProgramRun.Shell($"{line} --ranks off --out {In("off")}");

        Assert.That((half.ExitCode, off.ExitCode), Is.EqualTo((2, 0)), off.Error);
        Assert.That(half.Error, Does.Contain("RANK is set and WORLD_SIZE is not").And.Contain("--ranks off"));
    }

    private string In(string name) => Path.Combine(_folder, name);

    private (double[] Losses, double[] Norms) Steps(string run)
    {
        JsonElement[] steps = [.. File.ReadLines(In($"{run}/metrics.jsonl"))
            .Select(line => JsonDocument.Parse(line).RootElement)
            .Where(row => row.GetProperty("event").GetString() == "step")];
        return ([.. steps.Select(row => row.GetProperty("loss").GetDouble())],
            [.. steps.Select(row => row.GetProperty("gradientNorm").GetDouble())]);
    }

    /// <summary>Starts the program on several ranks.</summary>
    /// <param name="ranks">Their number.</param>
    /// <param name="args">Arguments of the program.</param>
    /// <param name="sign">Text of standard error at which <paramref name="act"/> is called.</param>
    /// <param name="act">Given the process of the last rank.</param>
    private ProgramRun Launch(int ranks, string[] args, string? sign = null, Action<int>? act = null)
    {
        string oversubscribe = mpi == "openmpi" ? "--oversubscribe" : "";
        var start = new ProcessStartInfo("bash")
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            Environment = { ["OMPI_ALLOW_RUN_AS_ROOT"] = "1", ["OMPI_ALLOW_RUN_AS_ROOT_CONFIRM"] = "1" },
        };
        start.ArgumentList.Add("-c");
        start.ArgumentList.Add($"exec mpirun.{mpi} {oversubscribe} -n {ranks.ToString(CultureInfo.InvariantCulture)} "
            + $"dotnet {Path.Combine(AppContext.BaseDirectory, "cliper-gpu.dll")} "
            + string.Join(' ', args));
        using Process process = Process.Start(start)!;
        Task<string> output = process.StandardOutput.ReadToEndAsync();
        var error = new System.Text.StringBuilder();
        while (process.StandardError.ReadLine() is { } line)
        {
            error.AppendLine(line);
            if (sign is null || !line.Contains(sign, StringComparison.Ordinal))
                continue;
            act!(Running(args[^1]).Max());
            sign = null;
        }
        Assert.That(process.WaitForExit(TimeSpan.FromMinutes(4)), Is.True, "the ranks hang");
        return new ProgramRun(process.ExitCode, output.Result, error.ToString());
    }

    // The ranks' processes: those of the program, not of the launcher.
    private static int[] Running(string argument) => [.. Directory.GetDirectories("/proc")
        .Select(folder => int.TryParse(Path.GetFileName(folder), out int pid) ? pid : 0).Where(pid => pid > 0)
        .Where(pid =>
        {
            try
            {
                string[] words = File.ReadAllText($"/proc/{pid}/cmdline").Split('\0');
                return words[0].EndsWith("dotnet", StringComparison.Ordinal) && words.Contains(argument);
            }
            catch (IOException)
            {
                return false;
            }
        })];

    private static void Signal(string name, int pid)
    {
        using var kill = Process.Start("kill", [$"-{name}", $"{pid}"]);
        kill.WaitForExit();
    }

    private static void Missing(string reason)
    {
        if (Environment.GetEnvironmentVariable("CI") == "true")
            Assert.Fail(reason);
        Assert.Ignore(reason);
    }
}
