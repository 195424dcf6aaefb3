using System.Text.Json;

namespace Cliper.Cli.Tests;

public sealed class DoctorTests
{
    [Test]
    public void TheMachineIsOneDocument()
    {
        ProgramRun run = ProgramRun.InProcess("doctor", "--json", "--threads", "1");

        Assert.That((run.ExitCode, run.Error), Is.EqualTo((0, "")));
        Assert.That(run.Json.GetProperty("threads").GetInt32(), Is.EqualTo(1));
        Assert.That(run.Json.GetProperty("peakGflops").GetDouble(), Is.Positive);
        Assert.That(run.Json.GetProperty("bandwidthGBs").GetDouble(), Is.Positive);
        Assert.That(run.Json.GetProperty("gpu").ValueKind, Is.EqualTo(JsonValueKind.Null));
        Assert.That(run.Json.GetProperty("selfTest").EnumerateArray(), Is.Not.Empty);
        Assert.That(run.Json.GetProperty("passed").GetBoolean());
        foreach (JsonElement operation in run.Json.GetProperty("operations").EnumerateArray())
            Assert.That(operation.GetProperty("implementation").GetString(),
                Is.EqualTo(run.Json.GetProperty("instructionSet").GetString()));
    }

    [Test]
    public void EveryOperationSaysWhatComputesItOnEachDevice([Values("fp16", "bf16")] string precision)
    {
        ProgramRun run = ProgramRun.InProcess("doctor", "--json", "--threads", "1", "--device", "emulated",
            "--precision", precision);

        Assert.That(run.ExitCode, Is.Zero, run.Error);
        Assert.That(run.Json.GetProperty("precision").GetString(), Is.EqualTo(precision));
        JsonElement[] operations = [.. run.Json.GetProperty("operations").EnumerateArray()];
        string[][] devices = [.. operations.GroupBy(operation => operation.GetProperty("device").GetString()!,
            operation => operation.GetProperty("name").GetString()!).Select(names => (string[])[names.Key, .. names])];
        Assert.That(devices.Select(names => names[0]),
            Is.EqualTo(new[] { $"emulated GPU, portable kernels, {precision}", $"CPU, {Level(run)}, 1 thread" }));
        Assert.That(devices[0][1..], Is.EqualTo(devices[1][1..]).And.SupersetOf(new[]
        {
            "matrix product", "attention, causal, gradient", "CLIPER losses", "CLIPER losses, gradient", "gather",
                "gather, gradient", "place",
            "place, gradient", "patch embedding", "patch embedding, gradient", "resize", "warp", "normalize, erase",
                "color jitter",
        }));
        foreach (JsonElement operation in operations)
        {
            bool emulated = operation.GetProperty("device").GetString()!.StartsWith("emulated",
                StringComparison.Ordinal);
            Assert.That(operation.GetProperty("implementation").GetString(), Is.EqualTo(emulated ? "portable"
                : Level(run)));
            Assert.That(operation.GetProperty("deviation").GetDouble(),
                Is.LessThanOrEqualTo(operation.GetProperty("bound").GetDouble()));
            Assert.That(operation.GetProperty("passed").GetBoolean());
        }

        static string Level(ProgramRun run) => run.Json.GetProperty("instructionSet").GetString()!;
    }

    [Test]
    public void TheTableNamesWhatMatters()
    {
        ProgramRun run = ProgramRun.InProcess("doctor");

        Assert.That(run.ExitCode, Is.Zero);
        foreach (string row in new[] { "processor", "instruction set", "threads", "memory", "FMA peak", "GPU",
            "precision", "ffmpeg", "self-test", "operations on", "  matrix product" })
            Assert.That(run.Out, Does.Match($"(?m)^{row}"));
    }
}
