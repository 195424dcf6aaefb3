using Cliper.Kernels.Operations;

namespace Cliper.References;

/// <summary>
/// (pixel / 255 - mean) / deviation for each channel, or zero in a box, in patches: [corners, 3, patch, patch].
/// </summary>
/// <remarks>It is in fp32, because the operation promises the bits of this formula in fp32.</remarks>
internal static class NormalizeReference
{
    /// <summary>The patches of one picture; that of one channel fills all three.</summary>
    public static IEnumerable<float> Forward(byte[] pixels, (int Width, int Height, int Channels) sizes,
        (float[] Mean, float[] Deviation) table, PixelBox? erased, int patch)
    {
        (int width, int height, int channels) = sizes;
        for (int corner = 0; corner < width * height / (patch * patch); corner++)
            for (int channel = 0; channel < 3; channel++)
                for (int i = 0; i < patch * patch; i++)
                {
                    int row = corner / (width / patch) * patch + i / patch,
                        column = corner % (width / patch) * patch + i % patch;
                    byte pixel = pixels[(row * width + column) * channels + (channels == 1 ? 0 : channel)];
                    yield return erased is { } box && EraseReference.IsInside(box, column, row) ? 0
                        : (pixel / 255f - table.Mean[channel]) / table.Deviation[channel];
                }
    }
}
