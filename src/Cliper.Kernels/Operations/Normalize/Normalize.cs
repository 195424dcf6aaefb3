using Cliper.Kernels.Cpu;
using Cliper.Kernels.Gpu.Runtime;
using Cliper.Kernels.Memory;

namespace Cliper.Kernels.Operations;

/// <summary>
/// 8-bit pixels to a network's input: y = (x / 255 - mean) / deviation, channel by channel, in fp32 with each step
/// rounded, as torchvision's ToTensor and Normalize do; interleaved pixels become planes or patches.
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

    /// <summary>Normalizes one picture on the host.</summary>
    /// <param name="pixels">Picture, [size, channels]; one channel (gray) is used for all three.</param>
    /// <param name="channels">1 or 3.</param>
    /// <param name="table">The table that <see cref="Table"/> made.</param>
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

    /// <summary>
    /// Normalizes pictures in device memory and unfolds them into the patches that <see cref="PatchEmbedding"/>
    /// multiplies; on a GPU in one pass, from bytes to activations. A rectangle of a picture can be erased on the way
    /// (<see cref="Erase"/>).
    /// </summary>
    /// <param name="pictures">Pictures of one size, and of each the rectangle that becomes 0 in every channel, or null;
    /// the one channel of a gray picture is used for all three.</param>
    /// <param name="table">The table that <see cref="Table"/> made, fp32 [3, 256].</param>
    /// <param name="patches">Output as the device stores activations, [pictures, patches, 3, patch, patch], patches row
    /// by row.</param>
    /// <param name="patch">Side of a patch, which divides width and height; a square picture's own side makes planes of
    /// it.</param>
    public static void Forward(ReadOnlySpan<(ImageView Picture, PixelBox? Erased)> pictures, DeviceArray table,
        DeviceArray patches, int patch)
    {
        Check.Length(table, 3 * 256, nameof(table));
        (int width, int height) = pictures.IsEmpty ? (0, 0) : (pictures[0].Picture.Width, pictures[0].Picture.Height);
        foreach ((ImageView picture, PixelBox? erased) in pictures)
        {
            picture.Check(nameof(pictures));
            if ((picture.Width, picture.Height) != (width, height))
                throw new ArgumentException(
                    $"pictures of {width} x {height} and of {picture.Width} x {picture.Height} pixels",
                    nameof(pictures));
            erased?.Check(width, height, nameof(erased));
        }
        var sizes = new PatchEmbedding.Sizes(pictures.Length, 3, height, width, patch, 0);
        sizes.Check();
        Check.Length(patches, sizes.Images * sizes.ImageLength, nameof(patches));
        switch (patches.Device)
        {
            case CpuDevice host: ForwardHost(host, pictures.ToArray(), table, patches, sizes); break;
            case GpuDevice gpu: ForwardGpu(gpu, pictures, table, patches, sizes); break;
            default: throw Check.NoImplementation(nameof(Normalize), patches.Device);
        }
    }
}
