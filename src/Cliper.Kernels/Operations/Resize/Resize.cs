namespace Cliper.Kernels.Operations;

/// <summary>
/// Separable resize of 8-bit pictures, equal to Pillow's to the byte. Output pixel x of an axis scaled by s = in / out has
/// its centre at c = (x + 1/2) s; source pixels within support * max(s, 1) of it are weighted by the filter, stretched by
/// max(s, 1) so that shrinking averages (no aliasing), and normalised to sum 1. Weights are rounded to 22 fractional bits,
/// half away from zero; rows are done first, rounded to 8 bits, then columns. An axis that keeps its size is copied.
/// </summary>
/// <remarks>
/// Integer arithmetic throughout, so every instruction set gives the same bytes. Only source rows and columns that the
/// window needs are touched. A crop comes before the resize: pixels outside it have no influence.
/// </remarks>
public static partial class Resize
{
    /// <summary>
    /// Resizes the <paramref name="crop"/> of a picture to <paramref name="width"/> x <paramref name="height"/> and writes
    /// the <paramref name="window"/> of the result.
    /// </summary>
    /// <typeparam name="TFilter">The weighting.</typeparam>
    /// <param name="source">Picture, [sourceHeight, sourceWidth, channels].</param>
    /// <param name="sourceWidth">Columns of the picture.</param>
    /// <param name="sourceHeight">Rows of the picture.</param>
    /// <param name="channels">1 (gray) or 3.</param>
    /// <param name="crop">Part of the picture that is resized.</param>
    /// <param name="width">Columns that the crop becomes.</param>
    /// <param name="height">Rows that the crop becomes.</param>
    /// <param name="window">Part of the resized crop that is wanted.</param>
    /// <param name="target">Output, [window.Height, window.Width, channels]; must not overlap the picture.</param>
    public static void Forward<TFilter>(ReadOnlySpan<byte> source, int sourceWidth, int sourceHeight, int channels,
        PixelBox crop, int width, int height, PixelBox window, Span<byte> target) where TFilter : struct, IResizeFilter
    {
        if (channels is not (1 or 3))
            throw new ArgumentOutOfRangeException(nameof(channels), channels, "1 or 3 channels");
        if (source.Length != (long)sourceWidth * sourceHeight * channels)
            throw new ArgumentException(
                $"{source.Length} bytes, expected [{sourceHeight}, {sourceWidth}, {channels}]", nameof(source));
        crop.Check(sourceWidth, sourceHeight, nameof(crop));
        window.Check(width, height, nameof(window));
        if (target.Length != (long)window.Width * window.Height * channels)
            throw new ArgumentException(
                $"{target.Length} bytes, expected [{window.Height}, {window.Width}, {channels}]", nameof(target));
        ForwardHost<TFilter>(source, sourceWidth, channels, crop, width, height, window, target);
    }

    /// <summary>Resizes a whole picture.</summary>
    /// <inheritdoc cref="Forward{TFilter}(ReadOnlySpan{byte}, int, int, int, PixelBox, int, int, PixelBox, Span{byte})"/>
    public static void Forward<TFilter>(ReadOnlySpan<byte> source, int sourceWidth, int sourceHeight, int channels,
        int width, int height, Span<byte> target) where TFilter : struct, IResizeFilter =>
        Forward<TFilter>(source, sourceWidth, sourceHeight, channels, new(0, 0, sourceWidth, sourceHeight), width, height,
            new(0, 0, width, height), target);
}
