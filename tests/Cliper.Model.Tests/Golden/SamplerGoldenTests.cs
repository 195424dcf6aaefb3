using System.Text.Json;
using Cliper.Model.Samples;

namespace Cliper.Model.Tests.Golden;

/// <summary>The frames of clips against the published samplers, restated in Python.</summary>
[Category("Golden")]
public sealed class SamplerGoldenTests
{
    private static IEnumerable<TestCaseData> Files => GoldenSet.Files("samplers.json");

    [TestCaseSource(nameof(Files))]
    public void FramesAreThePublishedOnes(GoldenSet set)
    {
        using JsonDocument golden = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(set.Folder, set.Name)));
        foreach (string sampler in new[] { "Former-DFER", "IAL", "DFER-CLIP" })
            foreach (bool training in new[] { true, false })
                Assert.That(golden.RootElement.EnumerateArray().Count(one => one.GetProperty("sampler")
                    .GetString() == sampler
                    && one.GetProperty("draws").ValueKind == JsonValueKind.Array == training), Is.GreaterThan(40),
                    $"{sampler}, training: {training}");
        foreach (JsonElement one in golden.RootElement.EnumerateArray())
        {
            int frames = one.GetProperty("frames").GetInt32(), segments = one.GetProperty("segments").GetInt32();
            int duration = one.GetProperty("duration").GetInt32();
            ShortClips shortClips = one.GetProperty("short").GetString() == "first" ? ShortClips.RepeatFirst
                : ShortClips.RepeatLast;
            (int Limit, int Value)[]? draws = one.GetProperty("draws") is { ValueKind: JsonValueKind.Array } given
                ? [.. given.EnumerateArray().Select(pair => (pair[0].GetInt32(), pair[1].GetInt32()))] : null;
            string what = $"{one.GetProperty("sampler")}, {frames} frames, {(draws is null ? "testing" : "training")}";
            int drawn = 0;
            Func<int, int>? draw = draws is null ? null : limit =>
            {
                Assert.That(drawn, Is.LessThan(draws.Length), $"{what}: more random numbers than the sampler draws");
                Assert.That(limit, Is.EqualTo(draws[drawn].Limit), $"{what}: limit of draw {drawn}");
                return draws[drawn++].Value;
            };

            int[] indices = FrameSampling.DrawnIndices(frames, segments, duration, shortClips, draw);

            Assert.That(indices,
                Is.EqualTo(one.GetProperty("indices").EnumerateArray().Select(index => index.GetInt32())), what);
            Assert.That(drawn, Is.EqualTo(draws?.Length ?? 0), $"{what}: random numbers drawn");
        }
    }
}
