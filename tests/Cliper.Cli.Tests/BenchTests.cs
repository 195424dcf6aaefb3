using System.Text.Json;

namespace Cliper.Cli.Tests;

public sealed class BenchTests
{
    [Test]
    public void EveryRowHasItsTimeRateAndRatio()
    {
        ProgramRun run = ProgramRun.InProcess("bench", "--only", "softmax", "--json");

        Assert.That(run.ExitCode, Is.Zero, run.Error);
        JsonElement[] rows = [.. run.Json.GetProperty("operations").EnumerateArray()];
        Assert.That(rows, Has.Length.EqualTo(2));
        foreach (JsonElement row in rows)
        {
            Assert.That(row.GetProperty("name").GetString(), Does.Contain("softmax"));
            Assert.That(row.GetProperty("ms").GetDouble(), Is.Positive);
            Assert.That(row.GetProperty("gbPerSecond").GetDouble(), Is.Positive);
            Assert.That(row.GetProperty("ratio").GetDouble(), Is.Positive);
        }
    }
}
