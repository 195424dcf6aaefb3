namespace Cliper.Kernels.Operations;

/// <summary>
/// Changes of brightness, contrast, saturation and hue of 8-bit pictures, in place, equal to Pillow's ImageEnhance and
/// torchvision's hue on Pillow pictures to the byte.
/// </summary>
/// <remarks>
/// The first three blend with a degenerate picture d: y = d + factor (x - d) in fp32, cut to [0, 255], rounded down; d is
/// black, the rounded mean of the luma, or each pixel's luma. Luma is (19595 R + 38470 G + 7471 B + 2^15) / 2^16, rounded
/// down. Gray pictures (1 channel) have no saturation and no hue: these leave them as they are.
/// </remarks>
public static partial class ColorJitter
{
    /// <summary>Blends with black: 0 gives black, 1 the picture itself.</summary>
    /// <param name="pixels">Picture, any layout.</param>
    /// <param name="factor">At least 0.</param>
    public static void Brightness(Span<byte> pixels, float factor)
    {
        CheckFactor(factor);
        BlendWith(0, pixels, factor);
    }

    /// <summary>Blends with the gray of the picture's mean luma: 0 gives that gray, 1 the picture itself.</summary>
    /// <param name="pixels">Picture, [pixels, channels].</param>
    /// <param name="channels">1 or 3.</param>
    /// <param name="factor">At least 0.</param>
    public static void Contrast(Span<byte> pixels, int channels, float factor)
    {
        CheckFactor(factor);
        CheckPixels(pixels, channels);
        BlendWith(MeanLuma(pixels, channels), pixels, factor);
    }

    /// <summary>Blends each pixel with its luma: 0 gives a gray picture, 1 the picture itself.</summary>
    /// <param name="pixels">Picture, [pixels, channels].</param>
    /// <param name="channels">1 or 3.</param>
    /// <param name="factor">At least 0.</param>
    public static void Saturation(Span<byte> pixels, int channels, float factor)
    {
        CheckFactor(factor);
        CheckPixels(pixels, channels);
        if (channels == 3 && factor != 1)
            SaturationHost(pixels, factor);
    }

    /// <summary>
    /// Turns the hue, in 8-bit HSV: hue and saturation are rounded down to 1/255 on the way, so that colours change a little
    /// even when the turn is 0 (then nothing is done here).
    /// </summary>
    /// <param name="pixels">Picture, [pixels, channels].</param>
    /// <param name="channels">1 or 3.</param>
    /// <param name="turn">Part of the colour circle, in [-0.5, 0.5]; times 255 and cut to a whole number.</param>
    public static void Hue(Span<byte> pixels, int channels, float turn)
    {
        if (!(turn is >= -0.5f and <= 0.5f))
            throw new ArgumentOutOfRangeException(nameof(turn), turn, "within [-0.5, 0.5]");
        CheckPixels(pixels, channels);
        if (channels == 3 && turn != 0)
            HueHost(pixels, (byte)(int)(turn * 255.0));
    }

    private static void CheckFactor(float factor)
    {
        if (!(factor >= 0 && float.IsFinite(factor)))
            throw new ArgumentOutOfRangeException(nameof(factor), factor, "finite and at least 0");
    }

    private static void CheckPixels(ReadOnlySpan<byte> pixels, int channels)
    {
        if (channels is not (1 or 3))
            throw new ArgumentOutOfRangeException(nameof(channels), channels, "1 or 3 channels");
        if (pixels.Length % channels != 0 || pixels.Length == 0)
            throw new ArgumentException($"{pixels.Length} bytes are not whole pixels of {channels}", nameof(pixels));
    }
}
