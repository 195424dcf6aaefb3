using System.Diagnostics;
using System.Globalization;
using System.Text.Json;

namespace Cliper.Cli.Tests;

/// <summary>
/// Rehearses benchmarks/gpu.sh as a machine with a GPU would run it: packed, unpacked into an empty folder, without
/// .NET on the path and with the fake driver (Driver/cuda.c). Kernels compute nothing there, so that doctor and the
/// tests fail by their numbers: what is asserted is which steps ran, how each ended and which files are there.
/// CLIPER_GPU_PACK names a packed archive, the one to be carried to a GPU, to rehearse with; otherwise one is packed.
/// </summary>
[Category("Long"), Explicit("takes half an hour: --filter TestCategory=Long")]
public sealed class GpuScriptTests
{
    private const string Hopper = "FAKE_CAPABILITY=90 FAKE_VERSION=13000 FAKE_FREE_MIB=18000";
    private const int Packing = 1800, MostFiles = 8, MostBytes = 16 << 20;

    // The training of StepGraphTests and the repetitions of a benchmark are more launches than this, what doctor and
    // the tests of matmul and of optimizers do is fewer.
    private const int ManyLaunches = 1200;

    private static readonly string[] Tests =
    [
        "tests-matmul", "tests-attention", "tests-host", "tests-model", "tests-optimizer", "tests-graphs",
        "tests-device", "tests-rest",
    ];

    private static readonly string[] Benches =
        ["bench-matmul", "bench-attention", "bench-norm", "bench-adamw", "bench-steps", "bench"];

    private string _folder = "";

    private sealed record Step(string Name, string Status, double Seconds);

    [OneTimeSetUp]
    public void Pack()
    {
        if (!OperatingSystem.IsLinux() || !File.Exists("/usr/bin/cc") || !File.Exists("/usr/bin/python3"))
            Assert.Ignore("no Linux with cc and python3");
        _folder = Directory.CreateTempSubdirectory("cliper-gpu-script").FullName;
        string source = Path.Combine(AppContext.BaseDirectory, "Driver", "cuda.c");
        string gpu = Path.Combine(Checkout.Root, "benchmarks", "gpu.sh");
        // Everything but dotnet is on the path; ptxas is where there is one.
        (int code, string said) = Shell($"""
            mkdir driver bin packed && cc -shared -fPIC -o driver/libcuda.so.1 '{source}' &&
            find /usr/bin/ -mindepth 1 ! -name dotnet -exec ln -s -t bin -- '{"{}"}' + &&
            ln -sf "$(readlink -f /usr/bin/python3)" bin/python3 &&
            if [ -n "$CLIPER_PTXAS" ]; then ln -sf "$CLIPER_PTXAS" bin/ptxas; fi &&
            if [ -n "$CLIPER_GPU_PACK" ]; then ln -s "$CLIPER_GPU_PACK" gpu.tar.xz; else '{gpu}' --pack .; fi &&
            tar -C packed -xf gpu.tar.xz && stat -L -c %s gpu.tar.xz
            """, Packing);
        Assert.That(code, Is.Zero, said);
        Assert.That(long.Parse(said.TrimEnd().Split('\n')[^1], CultureInfo.InvariantCulture), Is.LessThan(48 << 20));
    }

    [OneTimeTearDown]
    public void Remove()
    {
        if (_folder.Length > 0)
            Directory.Delete(_folder, recursive: true);
    }

    [Test]
    public void AllWellEveryStepRunsAndEveryFileIsThere()
    {
        (int code, string said, Step[] steps) = Run("well",
            $"{Hopper} PYTHONPATH=@python CLIPER_GPU_LIMITS=400", "--budget 3600");

        Assert.That(code, Is.EqualTo(1), said);
        Assert.That(steps.Select(step => step.Name), Is.EqualTo(
            [
                "facts", "doctor", "ptxas", .. Tests[..6], "sync", .. Benches[..5], "peer", "training", "sanitizer",
                .. Tests[6..], "bench",
            ]));
        Assert.That(Statuses(["facts", "peer", "training", .. Benches]), Has.All.EqualTo("passed"), said);
        Assert.That(Statuses(["doctor", .. Tests]), Has.All.EqualTo("failed"), said);
        Assert.That(Names("well"), Is.EquivalentTo(
        [
            "steps.jsonl", "log.txt", "tests.log", "doctor.json", "rows.jsonl", "peer.jsonl", "curve.csv", "table.csv",
        ]));
        // The first line is the device's, and the table has titles: the rest is a row a line.
        string[] rows = File.ReadAllLines(In("well", "rows.jsonl"))[1..];
        string[] table = File.ReadAllLines(In("well", "table.csv"));
        Assert.That(table.Count(line => !line.StartsWith('#')), Is.EqualTo(rows.Length + 1));
        string[] curve = File.ReadAllLines(In("well", "curve.csv"));
        Assert.That(curve, Has.Length.GreaterThan(100));
        Assert.That(curve.Count(line => !line.EndsWith(',')), Is.GreaterThan(1), "steps that both took");

        IEnumerable<string> Statuses(string[] names) =>
            steps.Where(step => names.Contains(step.Name)).Select(step => step.Status);
    }

    [Test]
    public void AFaultingKernelFailsTheFixturesThatLaunchItAlone()
    {
        // Each process counts its own launches.
        (int code, string said, Step[] steps) = Run("fault",
            $"{Hopper} FAKE_FAULT_KERNEL={ManyLaunches} CLIPER_GPU_LIMITS=400",
            "--only doctor,tests-matmul,tests-optimizer,tests-graphs,bench-attention");

        Assert.That(code, Is.EqualTo(1), said);
        Assert.That(steps.Select(step => (step.Name, step.Status)), Is.EqualTo(new[]
        {
            ("doctor", "failed"), ("tests-matmul", "failed"), ("tests-optimizer", "failed"),
            ("tests-graphs", "faulted"), ("bench-attention", "faulted"),
        }), said);
    }

    [Test]
    public void AHangingKernelCostsItsStepsTime()
    {
        (int code, string said, Step[] steps) = Run("hang", $"{Hopper} FAKE_HANG={ManyLaunches} CLIPER_GPU_LIMITS=50",
            "--only doctor,tests-optimizer,tests-graphs,bench-attention");

        Assert.That(code, Is.EqualTo(1), said);
        Assert.That(steps.Select(step => (step.Name, step.Status)), Is.EqualTo(new[]
        {
            ("doctor", "failed"), ("tests-optimizer", "failed"), ("tests-graphs", "timeout"),
            ("bench-attention", "timeout"),
        }), said);
        // Half of 60 and of 30 seconds, and five more for who does not listen.
        Assert.That(steps[2].Seconds, Is.InRange(30, 38));
        Assert.That(steps[3].Seconds, Is.InRange(15, 23));
    }

    [Test]
    public void TooOldADriverIsOneLineAndExitCode4()
    {
        (int code, string said, Step[] steps) = Run("old", "FAKE_VERSION=11040", "");

        Assert.That(code, Is.EqualTo(4));
        Assert.That(said, Does.Match(@"^facts: passed, \S+ s\ndoctor: absent, \S+ s\n"
            + "gpu.sh: no usable CUDA device: the NVIDIA driver is for CUDA 11.4, too old; one for 11.8 or later is "
            + "needed, or --device cpu\n$"));
        Assert.That(steps.Select(step => (step.Name, step.Status)),
            Is.EqualTo(new[] { ("facts", "passed"), ("doctor", "absent") }));
    }

    [Test]
    public void WithoutPyTorchTheTableHasNoPeer()
    {
        (int code, string said, Step[] steps) = Run("alone", $"{Hopper} CLIPER_GPU_LIMITS=400",
            "--only bench-norm,peer");

        Assert.That(code, Is.Zero, said);
        Assert.That(steps.Select(step => (step.Name, step.Status)),
            Is.EqualTo(new[] { ("bench-norm", "passed"), ("peer", "absent") }));
        Assert.That(File.ReadAllText(In("alone", "table.csv")),
            Does.Contain("# peer: none\n").And.Contain("layer norm forward,"));
    }

    /// <remarks>
    /// The first kernel faults, so that each step of ours is over at once; PyTorch is timed when the call is killed.
    /// </remarks>
    [Test]
    public void AKilledCallGoesOnWithWhatIsMissing()
    {
        string driver = $"{Hopper} FAKE_FAULT_KERNEL=1 PYTHONPATH=@python CLIPER_GPU_LIMITS=400";
        string peer = In("killed", "peer.jsonl");
        const int Measured = 6;
        using (Process call = Start("killed", driver, "--budget 1800"))
        {
            var patience = Stopwatch.StartNew();
            while (!call.HasExited && patience.Elapsed < TimeSpan.FromMinutes(15)
                && !(File.Exists(peer) && File.ReadAllLines(peer).Length > Measured))
                Thread.Sleep(100);
            call.Kill(entireProcessTree: true);
            call.WaitForExit();
        }
        Step[] before = Steps("killed");
        (int code, string said, Step[] after) = Run("again", driver, $"--budget 1800 --continue '{In("killed", "")}'");

        Assert.That(before[^1].Name, Is.EqualTo("bench-steps"));
        Assert.That(before.Where(step => Tests.Contains(step.Name) || Benches.Contains(step.Name))
            .Select(step => step.Status), Has.All.EqualTo("faulted"));
        Assert.That(code, Is.EqualTo(1), said);
        Assert.That(after[..before.Length], Is.EqualTo(before));
        // Where there is no ptxas, the second call looks for it again.
        Assert.That(after[before.Length..].Select(step => step.Name).Where(name => name != "ptxas"), Is.EqualTo(
            ["peer", "training", "sanitizer", .. Tests[6..], "bench", "peer-compiled", "bench-bf16", "peer-bf16"]));
        string[] rows =
            [.. File.ReadLines(In("again", "peer.jsonl")).Skip(1).Select(line => line[..line.LastIndexOf(',')])];
        Assert.That(rows, Is.Unique.And.Length.GreaterThan(40));
        Assert.That(File.ReadLines(In("again", "peer.jsonl")).Take(Measured),
            Is.EqualTo(File.ReadLines(peer).Take(Measured)));
    }

    private string In(string run, string file) => Path.Combine(_folder, run, file);

    private string[] Names(string run) =>
        [.. new DirectoryInfo(In(run, "")).GetFileSystemInfos().Select(entry => entry.Name)];

    private Step[] Steps(string run) =>
    [
        .. File.ReadLines(In(run, "steps.jsonl")).Select(line => JsonDocument.Parse(line).RootElement)
            .Where(line => line.TryGetProperty("step", out _)).Select(line => new Step(
                line.GetProperty("step").GetString()!, line.GetProperty("status").GetString()!,
                line.GetProperty("seconds").GetDouble())),
    ];

    // The folder of a run takes its results; @python in the environment is where the fake PyTorch lies.
    private static string Call(string run, string environment, string options) =>
        $"rm -rf {run} && exec env -i PATH=\"$PWD/bin\" LD_LIBRARY_PATH=\"$PWD/driver\" OUT=\"$PWD/{run}\" "
        + environment.Replace("@python", $"'{Path.Combine(AppContext.BaseDirectory, "Driver", "python")}'")
        + $" packed/gpu.sh {options}";

    private (int Code, string Said, Step[] Steps) Run(string run, string environment, string options)
    {
        var clock = Stopwatch.StartNew();
        (int code, string said) = Shell(Call(run, environment, options), 3600);
        TestContext.Out.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"{run}: exit {code} after {clock.Elapsed.TotalSeconds:F0} s\n{said}"));
        FileInfo[] files = new DirectoryInfo(In(run, "")).GetFiles();
        Assert.That(files, Has.Length.LessThanOrEqualTo(MostFiles));
        Assert.That(files.Select(file => file.Length), Has.All.LessThan(MostBytes));
        return (code, said, Steps(run));
    }

    private Process Start(string run, string environment, string options) =>
        Bash(Call(run, environment, options) + " >/dev/null 2>&1");

    private (int Code, string Said) Shell(string line, int seconds)
    {
        using Process process = Bash($"exec 2>&1\n{line}");
        Task<string> said = process.StandardOutput.ReadToEndAsync();
        if (process.WaitForExit(TimeSpan.FromSeconds(seconds)))
            return (process.ExitCode, said.Result);
        process.Kill(entireProcessTree: true);
        throw new TimeoutException($"still running after {seconds} s: {line}");
    }

    private Process Bash(string line) =>
        Process.Start(new ProcessStartInfo("bash", ["-c", line])
        {
            WorkingDirectory = _folder,
            RedirectStandardOutput = true,
        })!;
}
