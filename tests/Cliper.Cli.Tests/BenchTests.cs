using System.Text.Json;
using Cliper.Kernels.Gpu.Cuda;

namespace Cliper.Cli.Tests;

public sealed class BenchTests
{
    [TestCase("softmax", "cpu")]
    [TestCase("L2", "emulated")]
    public void EveryRowHasItsTimeRateAndRatio(string only, string device)
    {
        ProgramRun run = ProgramRun.InProcess("bench", "--only", only, "--device", device, "--json");

        Assert.That(run.ExitCode, Is.Zero, run.Error);
        JsonElement[] rows = [.. run.Json.GetProperty("operations").EnumerateArray()];
        Assert.That(rows, Has.Length.EqualTo(2));
        foreach (JsonElement row in rows)
        {
            Assert.That(row.GetProperty("name").GetString(), Does.Contain(only));
            Assert.That(row.GetProperty("ms").GetDouble(), Is.Positive);
            // Rounded away where a device moves a few kilobytes in milliseconds.
            Assert.That(row.GetProperty("gbPerSecond").GetDouble(), device == "cpu" ? Is.Positive
                : Is.GreaterThanOrEqualTo(0));
            Assert.That(row.GetProperty("ratio").GetDouble(), device == "cpu" ? Is.Positive
                : Is.GreaterThanOrEqualTo(0));
        }
    }

    [TestCase("cpu", "fp32")]
    [TestCase("emulated --precision bf16", "bf16")]
    public void ItSaysHowActivationsAreStored(string device, string precision)
    {
        ProgramRun run = ProgramRun.InProcess(["bench", "--only", "column sum", "--json", "--device",
            .. device.Split(' ')]);

        Assert.That(run.ExitCode, Is.Zero, run.Error);
        Assert.That(run.Json.GetProperty("precision").GetString(), Is.EqualTo(precision));
    }

    [TestCase("cpu", "column sum")]
    [TestCase("emulated", "L2")]
    public void RowsThatAFileHoldsAreNotMeasuredAgain(string device, string only)
    {
        using var file = new TemporaryFile();
        string[] arguments = ["bench", "--only", only, "--device", device, "--json", "--rows", file.Path];
        ProgramRun whole = ProgramRun.InProcess(arguments);
        Assert.That(whole.ExitCode, Is.Zero, whole.Error);
        string[] lines = File.ReadAllLines(file.Path);
        Assert.That(lines, Has.Length.EqualTo(3));
        Assert.That(JsonElement.Parse(lines[0]).GetProperty("device").GetString(),
            Is.EqualTo(whole.Json.GetProperty("device").GetString()));

        // The write of the last row was cut off.
        using (FileStream stream = File.OpenWrite(file.Path))
            stream.SetLength(stream.Length - 10);
        ProgramRun rest = ProgramRun.InProcess(arguments);

        Assert.That(rest.ExitCode, Is.Zero, rest.Error);
        string[] now = File.ReadAllLines(file.Path);
        Assert.That(now, Has.Length.EqualTo(3));
        Assert.That(now[..2], Is.EqualTo(lines[..2]));
        Assert.That(rest.Error.Split('\n').Count(line => line.EndsWith(" ms", StringComparison.Ordinal)),
            Is.EqualTo(1), rest.Error);
        Assert.That(NamesOf(rest), Is.EqualTo(NamesOf(whole)));
        foreach (int row in new[] { 0, 1 })
            Assert.That(rest.Json.GetProperty("operations")[row].GetProperty("ms").GetDouble(),
                Is.EqualTo(JsonElement.Parse(now[row + 1]).GetProperty("ms").GetDouble()));

        ProgramRun nothing = ProgramRun.InProcess(arguments);
        Assert.That(File.ReadAllLines(file.Path), Is.EqualTo(now), nothing.Error);

        static string[] NamesOf(ProgramRun run) =>
            [.. run.Json.GetProperty("operations").EnumerateArray().Select(NameOf)];
    }

    [Test]
    public void AnotherPrecisionsRowsAreKeptApart()
    {
        using var file = new TemporaryFile();
        string[] arguments = ["bench", "--only", "column sum", "--device", "emulated", "--rows", file.Path];
        foreach (string precision in new[] { "fp16", "bf16", "fp16" })
        {
            ProgramRun run = ProgramRun.InProcess([.. arguments, "--precision", precision]);
            Assert.That(run.ExitCode, Is.Zero, run.Error);
        }

        JsonElement[] lines = [.. File.ReadAllLines(file.Path).Select(line => JsonElement.Parse(line))];
        Assert.That(lines.Where(line => line.TryGetProperty("name", out _)).Count(), Is.EqualTo(2));
        Assert.That(lines.Where(line => line.TryGetProperty("device", out _))
            .Select(line => line.GetProperty("precision").GetString()), Is.EqualTo(new[] { "fp16", "bf16", "fp16" }));
    }

    [Test]
    public void AKilledRunIsGoneOnWith()
    {
        if (!OperatingSystem.IsLinux())
            Assert.Ignore("for a shell");
        using var file = new TemporaryFile();
        string bench = $"$PROGRAM bench --only L2 --device cpu --rows '{file.Path}'";

        ProgramRun killed = ProgramRun.Shell($"{bench} & until [ $(wc -l <'{file.Path}') -ge 3 ]; do sleep 0.05; done; "
            + $"kill -9 $!; cat '{file.Path}'");
        ProgramRun run = ProgramRun.Shell(bench);

        Assert.That(run.ExitCode, Is.Zero, run.Error);
        string[] lines = File.ReadAllLines(file.Path);
        Assert.That(lines, Has.Length.EqualTo(5));
        Assert.That(killed.Out.Split('\n')[..3], Is.EqualTo(lines[..3]));
        Assert.That(lines[1..].Select(line => NameOf(JsonElement.Parse(line))), Is.Unique);
    }

    [Test]
    public void AFileOfSomethingElseIsLeftAlone()
    {
        using var file = new TemporaryFile();
        File.WriteAllText(file.Path,
            """{"device": "x", "precision": "fp16", "peakGflops": 1, "bandwidthGBs": 1}""" + "\nnotes\nmore");

        ProgramRun run = ProgramRun.InProcess("bench", "--only", "L2", "--device", "cpu", "--rows", file.Path);

        Assert.That((run.ExitCode, run.Out), Is.EqualTo((3, "")));
        Assert.That(run.Error.Trim(), Is.EqualTo($"cliper-gpu: {file.Path}: line 2 is no row of bench --rows, nor "
            + "facts of a device: name another file, or delete this one"));
        Assert.That(File.ReadAllText(file.Path), Does.EndWith("notes\nmore"));
    }

    [TestCase("", 4, "gpu.sh: no usable CUDA device: this machine has no NVIDIA driver (libcuda.so.1 is not found)\n")]
    [TestCase("--budget 9m", 2, "gpu.sh: --budget is '9m', expected seconds\n")]
    [TestCase("--only facts,peer,matmul", 2,
        "gpu.sh: --only names 'matmul'; the steps are facts doctor ptxas tests-matmul tests-attention "
        + "tests-host tests-model tests-optimizer tests-graphs sync bench-matmul bench-attention bench-norm "
        + "bench-adamw bench-steps "
        + "peer training sanitizer tests-device tests-rest bench peer-compiled bench-bf16 peer-bf16\n")]
    [TestCase("--fast", 2,
        "gpu.sh: unknown option --fast; the options are --continue DIR, --only STEP, --budget SECONDS and --pack "
        + "DIR\n")]
    public void TheScriptForACardSaysWhatIsMissing(string arguments, int exitCode, string message)
    {
        if (!OperatingSystem.IsLinux() || CudaDevice.HasDriver)
            Assert.Ignore("for a machine without a driver");
        ProgramRun run = ProgramRun.Shell($"'{Path.Combine(Checkout.Root, "benchmarks", "gpu.sh")}' {arguments}");

        Assert.That((run.ExitCode, run.Out, run.Error), Is.EqualTo((exitCode, "", message)));
    }

    private static string NameOf(JsonElement row) => $"{row.GetProperty("name")} {row.GetProperty("shape")}";

    private sealed class TemporaryFile : IDisposable
    {
        public string Path { get; } = System.IO.Path.GetTempFileName();

        public void Dispose() => File.Delete(Path);
    }
}
