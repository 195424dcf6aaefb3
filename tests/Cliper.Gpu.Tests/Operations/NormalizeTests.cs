using Cliper.Kernels.Devices;
using Cliper.Kernels.Operations;

namespace Cliper.Gpu.Tests.Operations;

/// <summary>A table is looked up on both sides and nothing is computed: the same bits.</summary>
[TestFixture(false)]
[TestFixture(true)]
public sealed class NormalizeTests(bool emulated) : PictureFixture
{
    protected override bool Emulated => emulated;

    // Beyond a block's pixels, and no multiple of four.
    [Test]
    public void IsTheHostsToTheBit([Values(1, 49, 64, 603)] int size, [Values(1, 3)] int channels)
    {
        float[] table = Normalize.Table([.48f, .46f, .41f], [.27f, .26f, .28f]), expected = new float[2 * 3 * size];
        // Both forms of a picture may come in one batch.
        (byte[] Pixels, int Width, int Height, int Channels)[] sources = [(Noise(size * channels, 1), size, 1, channels), (Noise(size * 3, 2), size, 1, 3)];
        Picture[] pictures = Pack(sources);
        DeviceArray y = Own(Device.Allocate(expected.Length));

        Normalize.Forward(pictures, y, Own(Device.From(table)));

        for (int i = 0; i < 2; i++)
            Normalize.Picture(sources[i].Pixels, sources[i].Channels, table, expected.AsSpan(3 * size * i, 3 * size));
        Assert.That(Device.ToFloats(y), Is.EqualTo(expected));
    }
}
