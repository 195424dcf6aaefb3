using System.Text.Json;

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
}
