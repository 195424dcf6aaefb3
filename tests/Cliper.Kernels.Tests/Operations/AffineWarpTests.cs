using Cliper.Kernels.Operations;

namespace Cliper.Kernels.Tests.Operations;

public sealed class AffineWarpTests
{
    [Test]
    public void IsBilinearSampling([Values(1, 5, 48)] int width, [Values(1, 7, 31)] int height,
        [Values(1, 3)] int channels,
        [Values] bool flip)
    {
        byte[] source = ResizeTests.Noise(width * height * channels, 1), target = new byte[source.Length];
        AffineMap map = AffineMap.About(width, height, 0.3, 1.2, 1.7, -0.6, flip);

        AffineWarp.Forward(source, width, height, channels, map, target);

        double[] expected = AffineWarpReference.Forward(source, width, height, channels, map);
        for (int i = 0; i < target.Length; i++)
            Assert.That((double)target[i], Is.EqualTo(expected[i]).Within(AffineWarpReference.Bound));
    }

    [Test]
    public void DoingNothingAndTurningByQuarters([Values(1, 3)] int channels)
    {
        const int Side = 9;
        byte[] source = ResizeTests.Noise(Side * Side * channels, 2), target = new byte[source.Length],
            flipped = [.. source];
        AffineWarp.Forward(source, Side, Side, channels, AffineMap.About(Side, Side, 0, 1, 0, 0, false), target);
        Assert.That(target, Is.EqualTo(source));

        AffineWarp.Forward(source, Side, Side, channels, AffineMap.About(Side, Side, 0, 1, 0, 0, true), target);
        Flip.Horizontal(flipped, Side, channels);
        Assert.That(target, Is.EqualTo(flipped));

        // Clockwise: what was at the left of the lowest row comes to the top left.
        AffineWarp.Forward(source, Side, Side, channels, AffineMap.About(Side, Side, Math.PI / 2, 1, 0, 0, false),
            target);
        Assert.That(target[0], Is.EqualTo(source[(Side - 1) * Side * channels]));
    }

    [Test]
    public void AShiftMovesAndRepeatsTheEdge()
    {
        byte[] source = [1, 2, 3, 4], target = new byte[4];
        AffineWarp.Forward(source, 4, 1, 1, AffineMap.About(4, 1, 0, 1, 2, 0, false), target);
        Assert.That(target, Is.EqualTo(new byte[] { 1, 1, 1, 2 }));
    }

    [Test]
    public void FarOutsideIsTheEdge()
    {
        byte[] source = ResizeTests.Noise(25, 3), target = new byte[25];
        AffineWarp.Forward(source, 5, 5, 1, new AffineMap(1e12, 0, -1e15, 0, 1e12, 1e15), target);
        Assert.That(target[0], Is.EqualTo(source[20]));

        // NaN has no place; it must still read inside the picture.
        Assert.That(() => AffineWarp.Forward(source, 5, 5, 1, new AffineMap(double.NaN, 0, 0, 0, 1, 0), target),
            Throws.Nothing);
    }
}
