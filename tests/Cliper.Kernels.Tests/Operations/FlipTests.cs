using Cliper.Kernels.Operations;

namespace Cliper.Kernels.Tests.Operations;

public sealed class FlipTests
{
    [Test]
    public void MirrorsPixelsNotChannels([Values(1, 2, 7, 48)] int width, [Values(1, 3)] int channels)
    {
        byte[] source = ResizeTests.Noise(5 * width * channels, 1), pixels = [.. source];
        Flip.Horizontal(pixels, width, channels);

        Assert.That(pixels, Is.EqualTo(FlipReference.Horizontal(source, width, channels)));
    }

    [Test]
    public void PartRowsAreNamed() =>
        Assert.That(() => Flip.Horizontal(new byte[10], 3, 3), Throws.ArgumentException);
}
