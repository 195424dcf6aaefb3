using Cliper.Kernels.Devices;

namespace Cliper.Kernels.Operations;

/// <summary>
/// 8-bit pixels to a network's input: y = (x / 255 - mean) / deviation, channel by channel, in fp32 with each step rounded, as
/// torchvision's ToTensor and Normalize do; interleaved pixels become planes.
/// </summary>
public static partial class Normalize
{
    /// <summary>Values that a byte becomes, [3, 256]: what every implementation looks up.</summary>
    /// <param name="mean">Mean a channel, of pixels in [0, 1].</param>
    /// <param name="deviation">Standard deviation a channel; not 0.</param>
    public static float[] Table(ReadOnlySpan<float> mean, ReadOnlySpan<float> deviation)
    {
        if (mean.Length != 3 || deviation.Length != 3)
            throw new ArgumentException("mean and deviation have one value for each of 3 channels");
        var table = new float[3 * 256];
        for (int channel = 0; channel < 3; channel++)
            for (int value = 0; value < 256; value++)
                table[channel * 256 + value] = (value / 255f - mean[channel]) / deviation[channel];
        return table;
    }

    /// <summary>Normalises one picture on the host.</summary>
    /// <param name="pixels">Picture, [size, channels]; one channel (gray) is used for all three.</param>
    /// <param name="channels">1 or 3.</param>
    /// <param name="table">As <see cref="Table"/> made it.</param>
    /// <param name="y">Output, [3, size].</param>
    public static void Picture(ReadOnlySpan<byte> pixels, int channels, ReadOnlySpan<float> table, Span<float> y)
    {
        if (channels is not (1 or 3))
            throw new ArgumentOutOfRangeException(nameof(channels), channels, "1 or 3 channels");
        if (table.Length != 3 * 256)
            throw new ArgumentException($"{table.Length} values, expected [3, 256]", nameof(table));
        if (y.Length % 3 != 0 || pixels.Length != y.Length / 3 * channels)
            throw new ArgumentException(
                $"{pixels.Length} bytes of {channels} channels for {y.Length} values", nameof(y));
        PictureHost(pixels, channels, table, y);
    }

    /// <summary>Normalises pictures of one size in device memory.</summary>
    /// <param name="pictures">Pictures; the one channel of a gray one is used for all three.</param>
    /// <param name="y">Output, fp32 [pictures, 3, height, width].</param>
    /// <param name="table">As <see cref="Table"/> made it, fp32 [3, 256].</param>
    public static void Forward(ReadOnlySpan<Picture> pictures, DeviceArray y, DeviceArray table)
    {
        Check.Length(table, 3 * 256, nameof(table));
        int size = pictures.IsEmpty ? 0 : pictures[0].Width * pictures[0].Height;
        foreach (Picture picture in pictures)
        {
            picture.Check(nameof(pictures));
            if (picture.Width * picture.Height != size)
                throw new ArgumentException($"pictures of {size} and of {picture.Width * picture.Height} pixels", nameof(pictures));
        }
        Check.Length(y, 3L * pictures.Length * size, nameof(y));
        switch (y.Device)
        {
            case HostDevice host: ForwardHost(host, pictures.ToArray(), y, table, size); break;
            case GpuDevice gpu: ForwardGpu(gpu, pictures, y, table, size); break;
            default: throw Check.NoImplementation(nameof(Normalize), y.Device);
        }
    }
}
