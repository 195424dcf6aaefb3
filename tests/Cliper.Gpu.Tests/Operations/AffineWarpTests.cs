using Cliper.Kernels.Operations;

namespace Cliper.Gpu.Tests.Operations;

/// <summary>Each picture is the host's own to the byte; on the interpreter and on the emulated device.</summary>
[TestFixture(false)]
[TestFixture(true)]
public sealed class AffineWarpTests(bool emulated) : PictureFixture
{
    protected override bool Emulated => emulated;

    [Test]
    public void IsTheHostsToTheByteAndBilinearSampling()
    {
        (int Width, int Height, int Channels)[] sizes = emulated ? [(5, 7, 3), (8, 8, 1)]
            : [(1, 1, 1), (1, 1, 3), (1, 31, 3), (17, 1, 1), (5, 7, 3), (16, 16, 1), (29, 23, 3), (24, 24, 3)];
        byte[][] sources = [.. sizes.Select((s, seed) => Noise(s.Width * s.Height * s.Channels, seed))];
        ImageView[] pictures = Pack(sizes.Select((s, i) => (sources[i], s.Width, s.Height, s.Channels))),
            targets = Empty(sizes);
        // A turn, zoom and shift of its own for each; the last is all outside but for a few pixels, and one has no
        // place at all.
        AffineMap[] maps = [.. sizes.Select((s, i) => i == sizes.Length - 1
            ? new AffineMap(1e12, 0, -3e12, 0, 1, double.NaN)
            : AffineMap.About(s.Width, s.Height, 0.1 * i - 0.25, 0.8 + 0.1 * i, 1.3 * i, -0.7 * i, i % 2 == 1))];

        AffineWarp.Forward([.. sizes.Select((_, i) => (pictures[i], maps[i], targets[i]))]);

        for (int i = 0; i < sizes.Length; i++)
        {
            var expected = new byte[sources[i].Length];
            AffineWarp.Forward(sources[i], sizes[i].Width, sizes[i].Height, sizes[i].Channels, maps[i], expected);
            Assert.That(Bytes(targets[i]), Is.EqualTo(expected), $"{sizes[i]}");
            if (i == sizes.Length - 1)
                continue; // The map that has no place has no formula.
            double[] formula = AffineWarpReference.Forward(sources[i], sizes[i].Width, sizes[i].Height,
                sizes[i].Channels, maps[i]);
            Assert.That(Bytes(targets[i]).Zip(formula, (value, exact) => Math.Abs(value - exact)),
                Has.All.LessThanOrEqualTo(AffineWarpReference.Bound), $"{sizes[i]}");
        }
    }

    [Test]
    public void AnotherShapeIsNamed()
    {
        ImageView[] pictures = Empty([(3, 2, 1), (2, 3, 1)]);
        Assert.That(() => AffineWarp.Forward([(pictures[0], default, pictures[1])]),
            Throws.ArgumentException.With.Message.Contains("expected [2, 3, 1]"));
    }
}
