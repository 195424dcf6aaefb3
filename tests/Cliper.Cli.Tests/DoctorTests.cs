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
    }

    [Test]
    public void TheTableNamesWhatMatters()
    {
        ProgramRun run = ProgramRun.InProcess("doctor");

        Assert.That(run.ExitCode, Is.Zero);
        foreach (string row in new[] { "processor", "instruction set", "threads", "memory", "FMA peak", "GPU", "ffmpeg", "self-test" })
            Assert.That(run.Out, Does.Match($"(?m)^{row}"));
    }
}
