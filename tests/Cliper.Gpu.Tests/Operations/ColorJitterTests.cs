using Cliper.Kernels.Operations;
using static Cliper.Kernels.Operations.ColorJitter;

namespace Cliper.Gpu.Tests.Operations;

/// <summary>Each picture is the reference's to the byte; on the interpreter and on the emulated device.</summary>
[TestFixture(false)]
[TestFixture(true)]
public sealed class ColorJitterTests(bool emulated) : PictureFixture
{
    protected override bool Emulated => emulated;

    /// <summary>All 24 orders of the four changes.</summary>
    private static IEnumerable<Change[]> Orders =>
        from a in Enum.GetValues<Change>()
        from b in Enum.GetValues<Change>()
        from c in Enum.GetValues<Change>()
        from d in Enum.GetValues<Change>()
        where new[] { a, b, c, d }.Distinct().Count() == 4
        select new[] { a, b, c, d };

    [Test]
    public void IsTheFormulaToTheByteInEveryOrder()
    {
        Change[][] orders = [.. Orders.Where((_, i) => !emulated || i % 7 == 0)];
        // A pixel, less and more than a block's threads, and some hundred; every fourth gray.
        (int Width, int Height, int Channels)[] sizes = [.. orders.Select((_, i) =>
            (i == 0 ? 1 : 7 + i, i == 0 ? 1 : 5 + 2 * (i % 9), i % 4 == 3 ? 1 : 3))];
        byte[][] sources = [.. sizes.Select((s, seed) => Noise(s.Width * s.Height * s.Channels, seed))];
        Changes[] changes = [.. orders.Select((o, i) => new Changes(o[0], o[1], o[2], o[3], 0.5f + 0.05f * i, i % 5 == 4
            ? 1 : 1.7f - 0.06f * i,
            i % 6 == 5 ? 1 : 0.3f + 0.09f * i, i % 3 == 2 ? 0 : i % 2 == 0 ? 0.013f * i + 0.001f : -0.02f * i))];
        ImageView[] pictures = Pack(sizes.Select((s, i) => (sources[i], s.Width, s.Height, s.Channels)));

        Forward([.. changes.Select((c, i) => (pictures[i], c))]);

        for (int i = 0; i < sizes.Length; i++)
        {
            byte[] expected = ColorJitterReference.Forward(sources[i], sizes[i].Channels, changes[i]);
            Assert.That(Bytes(pictures[i]), Is.EqualTo(expected), $"{changes[i]}, {sizes[i]}");
        }
    }

    [TestCase(1e20f)]
    [TestCase(0f)]
    public void ExtremeFactorsAreCutToAByte(float factor)
    {
        byte[] source = Noise(3 * 40, 1);
        var changes = new Changes(Change.Contrast, Change.Saturation, Change.Hue, Change.Brightness, factor,
            factor, factor, 0);
        ImageView[] pictures = Pack([(source, 8, 5, 3)]);
        Forward([(pictures[0], changes)]);
        Assert.That(Bytes(pictures[0]), Is.EqualTo(ColorJitterReference.Forward(source, 3, changes)));
    }

    [Test]
    public void AChangeThatComesTwiceIsNamed()
    {
        ImageView[] pictures = Empty([(1, 1, 3)]);
        Assert.That(() =>
            Forward([(pictures[0], new Changes(Change.Hue, Change.Hue, Change.Contrast, Change.Brightness, 1,
            1, 1, 0))]),
            Throws.ArgumentException.With.Message.Contains("each comes once"));
    }
}
