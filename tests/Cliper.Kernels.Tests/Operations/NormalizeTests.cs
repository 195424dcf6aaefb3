using Cliper.Kernels.Devices;
using Cliper.Kernels.Operations;
using Cliper.Kernels.Simd;

namespace Cliper.Kernels.Tests.Operations;

public sealed class NormalizeTests(SimdLevel level) : HostDevices(level)
{
    private static readonly float[] Mean = [0.48f, 0.46f, 0.41f], Deviation = [0.27f, 0.26f, 0.28f];

    [Test]
    public void IsTheFormulaInPlanes([Values(1, 3)] int images, [Values(1, 7, 49)] int size)
    {
        byte[] pixels = ResizeTests.Noise(images * size * 3, 1);
        DeviceArray x = Device.From(pixels), table = Device.From(Normalize.Table(Mean, Deviation)), y = Device.Allocate(pixels.Length);

        Normalize.Forward([.. Enumerable.Range(0, images).Select(image => new Picture(x.Slice(3L * image * size, 3 * size), size, 1, 3))], y, table);

        float[] values = Device.ToFloats(y);
        for (int image = 0; image < images; image++)
            for (int channel = 0; channel < 3; channel++)
                for (int i = 0; i < size; i++)
                    Assert.That(values[(image * 3 + channel) * size + i],
                        Is.EqualTo((pixels[(image * size + i) * 3 + channel] / 255f - Mean[channel]) / Deviation[channel]));
        Free(x, table, y);
    }

    [Test]
    public void GrayFillsAllChannels()
    {
        byte[] gray = ResizeTests.Noise(35, 2), rgb = [.. gray.SelectMany(v => new[] { v, v, v })];
        float[] table = Normalize.Table(Mean, Deviation), one = new float[105], three = new float[105];
        Normalize.Picture(gray, 1, table, one);
        Normalize.Picture(rgb, 3, table, three);
        Assert.That(one, Is.EqualTo(three));
    }

    [Test]
    public void WrongLengthsAreNamed()
    {
        DeviceArray x = Device.From(new byte[12]), y = Device.Allocate(12), table = Device.Allocate(768);
        Picture whole = new(x, 2, 2, 3), small = new(x.Slice(0, 3), 1, 1, 3);
        Assert.That(() => Normalize.Forward([whole with { Width = 3 }], y, table), Throws.ArgumentException.With.Message.Contains("12 elements, expected 18"));
        Assert.That(() => Normalize.Forward([whole, small], y, table), Throws.ArgumentException.With.Message.Contains("pictures of 4 and of 1 pixels"));
        Assert.That(() => Normalize.Forward([whole], y, y), Throws.ArgumentException.With.Message.Contains("table has 12 elements, expected 768"));
        Assert.That(() => Normalize.Forward([whole with { Channels = 2 }], y, table), Throws.ArgumentException.With.Message.Contains("1 or 3 channels"));
        Free(x, y, table);
    }
}
