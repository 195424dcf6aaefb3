using Cliper.Kernels.Operations;
using Cliper.Model.Samples;

namespace Cliper.Model.Tests.Data;

public sealed class FrameSamplingTests
{
    // Worked by hand from the published samplers.
    [TestCase(32, 16, 1, new[] { 1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31 })]
    [TestCase(16, 16, 1, new[] { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15 })]
    [TestCase(41, 8, 2, new[] { 2, 3, 7, 8, 12, 13, 17, 18, 22, 23, 27, 28, 32, 33, 37, 38 })]
    [TestCase(7, 1, 1, new[] { 3 })]
    [TestCase(3, 3, 1, new[] { 0, 1, 2 })]
    public void TestTakesTheMiddles(int frames, int segments, int perSegment, int[] expected) =>
        Assert.That(FrameSampling.Indices(frames, segments, perSegment, ShortClips.RepeatLast, null),
        Is.EqualTo(expected));

    [Test]
    public void ClipsWithFewFrames([Values] bool training)
    {
        RandomStream? random = training ? new RandomStream(1, RandomPurpose.FrameSampling) : null;
        Assert.That(FrameSampling.Indices(3, 5, 1, ShortClips.RepeatLast, random), Is.EqualTo(new[] { 0, 1, 2, 2, 2 }));
        Assert.That(FrameSampling.Indices(3, 5, 1, ShortClips.RepeatFirst, random),
            Is.EqualTo(new[] { 0, 0, 0, 0, 0 }));
        Assert.That(FrameSampling.Indices(3, 4, 2, ShortClips.RepeatFirst, random),
            Is.EqualTo(new[] { 0, 1, 0, 1, 0, 1, 0, 1 }));
        Assert.That(FrameSampling.Indices(1, 2, 2, ShortClips.RepeatLast, random), Is.EqualTo(new[] { 0, 0, 0, 0 }));
    }

    [Test]
    public void TrainingDrawsOnePlaceInEverySegment()
    {
        var seen = new HashSet<int>();
        for (uint sample = 0; sample < 200; sample++)
        {
            int[] indices = FrameSampling.Indices(50, 16, 1, ShortClips.RepeatLast,
                new RandomStream(1, RandomPurpose.FrameSampling, 0, sample));
            for (int u = 0; u < 16; u++)
                Assert.That(indices[u], Is.InRange(u * 3, u * 3 + 2));
            seen.UnionWith(indices);
        }
        Assert.That(seen, Has.Count.EqualTo(48));
    }

    [Test]
    public void EveryLengthStaysInside([Range(1, 40)] int frames, [Values(1, 5, 16)] int segments,
        [Values(1, 2, 3)] int perSegment, [Values] ShortClips shortClips)
    {
        for (uint sample = 0; sample < 20; sample++)
        {
            RandomStream? random = sample == 0 ? null : new RandomStream(1, RandomPurpose.FrameSampling, 0, sample);
            int[] indices = FrameSampling.Indices(frames, segments, perSegment, shortClips, random);
            Assert.That(indices, Has.Length.EqualTo(segments * perSegment).And.All.InRange(0, frames - 1));
        }
    }
}
