using Cliper.Kernels.Cpu;
using Cliper.Kernels.Memory;
using Cliper.Kernels.Operations;

namespace Cliper.Kernels.Tests.Operations;

public sealed class NormalizeTests(SimdLevel level) : HostDevices(level)
{
    private static readonly float[] Mean = [0.48f, 0.46f, 0.41f], Deviation = [0.27f, 0.26f, 0.28f];

    // Planes, and patches of which there is one, a row, a column or more.
    [TestCase(1, 7, 7, 7)]
    [TestCase(3, 1, 1, 1)]
    [TestCase(3, 12, 4, 4)]
    [TestCase(2, 3, 9, 3)]
    [TestCase(2, 32, 16, 8)]
    public void IsTheFormulaInPatches(int images, int width, int height, int patch)
    {
        int size = 3 * width * height;
        byte[] pixels = ResizeTests.Noise(images * size, 1);
        DeviceArray x = Device.From(pixels), table = Device.From(Normalize.Table(Mean, Deviation)),
            y = Device.Allocate(pixels.Length);
        // All of the last picture but the first row is erased, where it has more than one.
        PixelBox? erased = height > 1 ? new(0, 1, width, height - 1) : null;

        Normalize.Forward([.. Enumerable.Range(0, images).Select(image =>
            (new ImageView(x.Slice(image * size, size), width, height, 3), image == images - 1 ? erased : null))],
            table, y, patch);

        float[] expected = [.. Enumerable.Range(0, images).SelectMany(image => NormalizeReference.Forward(
            pixels[(image * size)..((image + 1) * size)], (width, height, 3), (Mean, Deviation),
            image == images - 1 ? erased : null, patch))];
        Assert.That(Device.ToFloats(y), Is.EqualTo(expected));
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
        ImageView whole = new(x, 2, 2, 3), small = new(x.Slice(0, 3), 1, 1, 3);
        AssertNamed([(whole with { Width = 3 }, null)], table, 1, "12 elements, expected 18");
        AssertNamed([(whole, null), (small, null)], table, 1, "pictures of 2 x 2 and of 1 x 1 pixels");
        AssertNamed([(whole, null)], y, 1, "table has 12 elements, expected 768");
        AssertNamed([(whole with { Channels = 2 }, null)], table, 1, "1 or 3 channels");
        AssertNamed([(whole, null)], table, 3, "2 x 2 pixels do not divide into patches of 3");
        AssertNamed([(whole, new(1, 0, 2, 1))], table, 1, "outside a picture of 2 x 2");
        AssertNamed([(small, null)], table, 1, "patches has 12 elements, expected 3");
        Free(x, y, table);

        void AssertNamed((ImageView, PixelBox?)[] pictures, DeviceArray values, int patch, string what) =>
            Assert.That(() => Normalize.Forward(pictures, values, y, patch),
            Throws.ArgumentException.With.Message.Contains(what));
    }
}
