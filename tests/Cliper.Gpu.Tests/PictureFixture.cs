using Cliper.Kernels.Memory;
using Cliper.Kernels.Operations;

namespace Cliper.Gpu.Tests;

/// <summary>
/// Base of the tests that run operations on pictures, which lie in one array, one after the other, wherever they happen
/// to begin.
/// </summary>
public abstract class PictureFixture(ElementType stored = ElementType.Float16) : GpuFixture(stored)
{
    private readonly List<DeviceArray> _arrays = [];

    [TearDown]
    public void FreePictures()
    {
        foreach (DeviceArray array in _arrays)
            Device.Free(array);
        _arrays.Clear();
    }

    protected static byte[] Noise(int count, int seed)
    {
        var bytes = new byte[count];
        new Random(seed).NextBytes(bytes);
        return bytes;
    }

    /// <summary>Pictures on the device.</summary>
    protected ImageView[] Pack(IEnumerable<(byte[] Pixels, int Width, int Height, int Channels)> pictures) =>
        Cut(Own(Device.From(pictures.SelectMany(picture => picture.Pixels).ToArray())),
        pictures.Select(p => (p.Width, p.Height, p.Channels)));

    /// <summary>Pictures to be written.</summary>
    protected ImageView[] Empty(IEnumerable<(int Width, int Height, int Channels)> sizes) =>
        Cut(Own(Device.Allocate(sizes.Sum(s => s.Width * s.Height * s.Channels), ElementType.UInt8)), sizes);

    protected byte[] Bytes(ImageView picture) => Bytes(picture.Pixels);

    protected byte[] Bytes(DeviceArray array)
    {
        var bytes = new byte[array.Bytes];
        Device.Download(array, bytes);
        return bytes;
    }

    protected DeviceArray Own(DeviceArray array)
    {
        _arrays.Add(array);
        return array;
    }

    private static ImageView[] Cut(DeviceArray all, IEnumerable<(int Width, int Height, int Channels)> sizes)
    {
        long at = 0;
        return [.. sizes.Select(s =>
        {
            long bytes = (long)s.Width * s.Height * s.Channels;
            at += bytes;
            return new ImageView(all.Slice(at - bytes, bytes), s.Width, s.Height, s.Channels);
        })];
    }
}
