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
            Assert.That(row.GetProperty("gbPerSecond").GetDouble(), device == "cpu" ? Is.Positive : Is.GreaterThanOrEqualTo(0));
            Assert.That(row.GetProperty("ratio").GetDouble(), device == "cpu" ? Is.Positive : Is.GreaterThanOrEqualTo(0));
        }
    }

    [TestCase("cpu", "fp32")]
    [TestCase("emulated --precision bf16", "bf16")]
    public void ItSaysHowActivationsAreStored(string device, string precision)
    {
        ProgramRun run = ProgramRun.InProcess(["bench", "--only", "column sum", "--json", "--device", .. device.Split(' ')]);

        Assert.That(run.ExitCode, Is.Zero, run.Error);
        Assert.That(run.Json.GetProperty("precision").GetString(), Is.EqualTo(precision));
    }

    [TestCase("", 4, "gpu.sh: no usable CUDA device: this machine has no NVIDIA driver (libcuda.so.1 is not found)\n")]
    [TestCase("--budget 9m", 2, "gpu.sh: --budget is '9m', expected seconds\n")]
    [TestCase("--only facts,peer,matmul", 2, "gpu.sh: --only names 'matmul'; the steps are facts doctor ptxas tests-matmul tests-attention "
        + "tests-host tests-model tests-optimizer tests-graphs sync bench-matmul bench-attention bench-norm bench-adamw bench-steps peer "
        + "training sanitizer tests-device tests-rest bench peer-compiled bench-bf16 peer-bf16\n")]
    [TestCase("--fast", 2, "gpu.sh: unknown option --fast; the options are --continue DIR, --only STEP, --budget SECONDS and --pack DIR\n")]
    public void TheScriptForACardSaysWhatIsMissing(string arguments, int exitCode, string message)
    {
        if (!OperatingSystem.IsLinux() || CudaDevice.HasDriver)
            Assert.Ignore("for a machine without a driver");
        ProgramRun run = ProgramRun.Shell($"'{Path.Combine(Checkout.Root, "benchmarks", "gpu.sh")}' {arguments}");

        Assert.That((run.ExitCode, run.Out, run.Error), Is.EqualTo((exitCode, "", message)));
    }
}
