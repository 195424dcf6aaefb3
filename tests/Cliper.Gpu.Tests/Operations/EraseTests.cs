using Cliper.Kernels.Devices;
using Cliper.Kernels.Operations;

namespace Cliper.Gpu.Tests.Operations;

/// <summary>Zeros where the host writes them and nowhere else.</summary>
[TestFixture(false)]
[TestFixture(true)]
public sealed class EraseTests(bool emulated) : PictureFixture
{
    protected override bool Emulated => emulated;

    [Test]
    public void IsTheHosts()
    {
        const int Images = 4, Width = 23, Height = 19, Picture = 3 * Width * Height;
        float[] expected = Random(Images * Picture, 1);
        DeviceArray y = Own(Device.From(expected));
        // Two rectangles of a picture, one pixel, and a whole picture; one picture has none.
        (int Image, PixelBox Box)[] boxes = [(0, new(2, 1, 20, 17)), (2, new(22, 18, 1, 1)), (2, new(0, 0, 3, 5)), (3, new(0, 0, Width, Height))];

        Erase.Forward(y, Width, Height, boxes);

        foreach ((int image, PixelBox box) in boxes)
            Erase.Forward(expected.AsSpan(image * Picture, Picture), Width, Height, box);
        Assert.That(Device.ToFloats(y), Is.EqualTo(expected));
    }

    [Test]
    public void NoRectanglesAreNothingAndOneOfNoPictureIsNamed()
    {
        DeviceArray y = Own(Device.From(new float[3 * 4]));
        Erase.Forward(y, 2, 2, []);
        Assert.That(Device.Launched, Is.Empty);
        Assert.That(() => Erase.Forward(y, 2, 2, [(1, new(0, 0, 1, 1))]), Throws.InstanceOf<ArgumentOutOfRangeException>());
    }
}
