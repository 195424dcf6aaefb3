using Cliper.Kernels.Devices;

namespace Cliper.Kernels.Operations;

/// <summary>
/// Random erasing (Zhong et al. 2020, arXiv 1708.04896): sets a rectangle of a normalised picture to 0, the mean colour, in
/// every channel.
/// </summary>
public static partial class Erase
{
    /// <summary>Clears a rectangle.</summary>
    /// <param name="y">Picture, [channels, height, width], changed in place.</param>
    /// <param name="width">Columns.</param>
    /// <param name="height">Rows.</param>
    /// <param name="box">The rectangle, inside the picture.</param>
    public static void Forward(Span<float> y, int width, int height, PixelBox box)
    {
        box.Check(width, height, nameof(box));
        int plane = width * height;
        if (y.Length % plane != 0)
            throw new ArgumentException($"{y.Length} values are not whole planes of {width} x {height}", nameof(y));
        for (int start = 0; start < y.Length; start += plane)
            for (int row = box.Y; row < box.Y + box.Height; row++)
                y.Slice(start + row * width + box.X, box.Width).Clear();
    }

    /// <summary>Clears rectangles of some of many pictures in device memory.</summary>
    /// <param name="y">Pictures, fp32 [images, 3, height, width], changed in place.</param>
    /// <param name="width">Columns.</param>
    /// <param name="height">Rows.</param>
    /// <param name="boxes">Rectangles, each inside its picture.</param>
    public static void Forward(DeviceArray y, int width, int height, ReadOnlySpan<(int Image, PixelBox Box)> boxes)
    {
        long picture = 3L * width * height;
        Check.Length(y, y.Length / picture * picture, nameof(y));
        foreach ((int image, PixelBox box) in boxes)
        {
            box.Check(width, height, nameof(boxes));
            if (image < 0 || image >= y.Length / picture)
                throw new ArgumentOutOfRangeException(nameof(boxes), image, $"{y.Length / picture} pictures");
        }
        switch (y.Device)
        {
            case HostDevice: ForwardHost(y, width, height, boxes); break;
            case GpuDevice gpu: ForwardGpu(gpu, y, width, height, boxes); break;
            default: throw Check.NoImplementation(nameof(Erase), y.Device);
        }
    }
}
