using Cliper.Kernels.Operations;

namespace Cliper.Kernels.Tests.Operations;

public sealed class AffineWarpTests
{
    // Positions have 8 fractional bits of weight: off by at most 2^-9 along each axis, times a step of 255, and one
    // rounding.
    private const double Bound = 2 * 255.0 / 512 + 0.5 + 0.01;

    [Test]
    public void IsBilinearSampling([Values(1, 5, 48)] int width, [Values(1, 7, 31)] int height,
        [Values(1, 3)] int channels,
        [Values] bool flip)
    {
        byte[] source = ResizeTests.Noise(width * height * channels, 1), target = new byte[source.Length];
        AffineMap map = AffineMap.About(width, height, 0.3, 1.2, 1.7, -0.6, flip);

        AffineWarp.Forward(source, width, height, channels, map, target);

        for (int y = 0; y < height; y++)
            for (int x = 0; x < width; x++)
                for (int c = 0; c < channels; c++)
                    Assert.That((double)target[(y * width + x) * channels + c],
                        Is.EqualTo(At(map.A * x + map.B * y + map.C, map.D * x + map.E * y + map.F, c)).Within(Bound));

        double At(double x, double y, int c)
        {
            x = Math.Clamp(x, 0, width - 1);
            y = Math.Clamp(y, 0, height - 1);
            int left = (int)x, top = (int)y, right = Math.Min(left + 1, width - 1),
                below = Math.Min(top + 1, height - 1);
            double P(int px, int py) => source[(py * width + px) * channels + c];
            double upper = P(left, top) * (1 - x + left) + P(right, top) * (x - left);
            double lower = P(left, below) * (1 - x + left) + P(right, below) * (x - left);
            return upper * (1 - y + top) + lower * (y - top);
        }
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
