using Cliper.Kernels.Operations;

namespace Cliper.Kernels.Tests.Operations;

public sealed class FlipTests
{
    [Test]
    public void MirrorsPixelsNotChannels([Values(1, 2, 7, 48)] int width, [Values(1, 3)] int channels)
    {
        byte[] source = ResizeTests.Noise(5 * width * channels, 1), pixels = [.. source];
        Flip.Horizontal(pixels, width, channels);

        for (int y = 0; y < 5; y++)
            for (int x = 0; x < width; x++)
                for (int c = 0; c < channels; c++)
                    Assert.That(pixels[(y * width + x) * channels + c],
                        Is.EqualTo(source[(y * width + width - 1 - x) * channels + c]));
    }

    [Test]
    public void PartRowsAreNamed() =>
        Assert.That(() => Flip.Horizontal(new byte[10], 3, 3), Throws.ArgumentException);
}
