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

    /// <summary>Normalises pictures of one size.</summary>
    /// <param name="pixels">Pictures, uint8 [images, size, 3].</param>
    /// <param name="y">Output, fp32 [images, 3, size].</param>
    /// <param name="table">As <see cref="Table"/> made it, fp32 [3, 256].</param>
    /// <param name="images">Number of pictures.</param>
    /// <param name="size">Pixels of a picture.</param>
    public static void Forward(DeviceArray pixels, DeviceArray y, DeviceArray table, int images, int size)
    {
        Check.Length(pixels, 3L * images * size, nameof(pixels), ElementType.UInt8);
        Check.Length(y, 3L * images * size, nameof(y));
        Check.Length(table, 3 * 256, nameof(table));
        switch (pixels.Device)
        {
            case HostDevice host: ForwardHost(host, pixels, y, table, images, size); break;
            case GpuDevice gpu: ForwardGpu(gpu, pixels, y, table, images, size); break;
            default: throw Check.NoImplementation(nameof(Normalize), pixels.Device);
        }
    }
}
