using Cliper.Kernels.Devices;
using Cliper.Kernels.Operations;
using Cliper.Kernels.Simd;

namespace Cliper.Kernels.Tests.Operations;

public sealed class EraseTests(SimdLevel level) : HostDevices(level)
{
    [Test]
    public void ClearsTheBoxInEveryChannelAndNothingElse()
    {
        float[] y = [.. Enumerable.Repeat(1f, 3 * 5 * 7)];
        Erase.Forward(y, 7, 5, new PixelBox(2, 1, 3, 4));
        for (int i = 0; i < y.Length; i++)
        {
            int column = i % 7, row = i / 7 % 5;
            Assert.That(y[i], Is.EqualTo(column is >= 2 and < 5 && row >= 1 ? 0f : 1f), $"column {column} row {row}");
        }
    }

    [Test]
    public void OfManyPicturesOnlyThoseThatAreNamedChange()
    {
        const int Width = 7, Height = 5, Picture = 3 * Width * Height;
        float[] before = Random(4 * Picture, 1), expected = [.. before];
        PixelBox first = new(0, 0, 7, 1), second = new(6, 4, 1, 1);
        Erase.Forward(expected.AsSpan(Picture, Picture), Width, Height, first);
        Erase.Forward(expected.AsSpan(3 * Picture, Picture), Width, Height, second);
        DeviceArray y = Device.From(before);

        Erase.Forward(y, Width, Height, [(1, first), (3, second)]);

        Assert.That(Device.ToFloats(y), Is.EqualTo(expected));
        Assert.That(() => Erase.Forward(y, Width, Height, [(4, first)]), Throws.InstanceOf<ArgumentOutOfRangeException>());
        Free(y);
    }

    [Test]
    public void ABoxOutsideIsNamed() =>
        Assert.That(() => Erase.Forward(new float[35], 7, 5, new PixelBox(5, 0, 3, 1)), Throws.ArgumentException.With.Message.Contains("box"));
}
