using System.Runtime.CompilerServices;
using Cliper.Kernels.Cpu;
using Cliper.Kernels.Gpu.Runtime;

namespace Cliper.Kernels.Operations;

/// <summary>A map from output to source pixel centers: x' = A x + B y + C, y' = D x + E y + F.</summary>
/// <param name="A">x' a step in x.</param>
/// <param name="B">x' a step in y.</param>
/// <param name="C">x' at the origin.</param>
/// <param name="D">y' a step in x.</param>
/// <param name="E">y' a step in y.</param>
/// <param name="F">y' at the origin.</param>
public readonly record struct AffineMap(double A, double B, double C, double D, double E, double F)
{
    /// <summary>
    /// Where a picture of <paramref name="width"/> x <paramref name="height"/> is read so that it appears turned by
    /// <paramref name="radians"/> (clockwise), magnified by <paramref name="zoom"/> about its center, then shifted.
    /// </summary>
    /// <param name="width">Columns.</param>
    /// <param name="height">Rows.</param>
    /// <param name="radians">Angle.</param>
    /// <param name="zoom">Magnification, above 0.</param>
    /// <param name="shiftX">To the right, in pixels.</param>
    /// <param name="shiftY">Down, in pixels.</param>
    /// <param name="flip">Whether the picture is mirrored left to right before all that.</param>
    public static AffineMap About(int width, int height, double radians, double zoom, double shiftX, double shiftY,
        bool flip)
    {
        double centerX = (width - 1) / 2.0, centerY = (height - 1) / 2.0;
        double cos = Math.Cos(radians) / zoom, sin = Math.Sin(radians) / zoom;
        double a = cos, b = sin, d = -sin, e = cos;
        double c = centerX - a * (centerX + shiftX) - b * (centerY + shiftY);
        double f = centerY - d * (centerX + shiftX) - e * (centerY + shiftY);
        return flip ? new(-a, -b, width - 1 - c, d, e, f) : new(a, b, c, d, e, f);
    }
}

/// <summary>
/// Turns, magnifies, shifts and mirrors a picture in one pass: each output pixel is the bilinear mix of the four source
/// pixels around the point that it maps to; outside the picture the nearest edge pixel counts.
/// </summary>
/// <remarks>
/// Source positions are computed in fp64, each step rounded, and then have 16 fractional bits, of which the upper 8 are
/// the weights; the mix is one of integers, rounded to nearest. Every device gives the same bytes.
/// </remarks>
public static partial class AffineWarp
{
    /// <summary>Largest picture side: positions must fit 16.16 bits.</summary>
    public const int MaxSide = 16384;

    private const int FractionBits = 16;

    /// <summary>Resamples pictures of any sizes in device memory.</summary>
    /// <param name="parts">Picture, from output pixels to source pixels, and the output, of the picture's shape; no two
    /// may overlap.</param>
    public static void Forward(ReadOnlySpan<(ImageView Source, AffineMap Map, ImageView Target)> parts)
    {
        if (parts.IsEmpty)
            return;
        foreach ((ImageView source, _, ImageView target) in parts)
        {
            source.Check(nameof(source));
            target.Check(nameof(target));
            if ((source.Width, source.Height, source.Channels) != (target.Width, target.Height, target.Channels))
                throw new ArgumentException(
                    $"the target is [{target.Height}, {target.Width}, {target.Channels}], expected "
                    + $"[{source.Height}, {source.Width}, {source.Channels}]", nameof(parts));
            CheckSides(source.Width, source.Height);
        }
        switch (parts[0].Source.Pixels.Device)
        {
            case CpuDevice host: ForwardHost(host, parts.ToArray()); break;
            case GpuDevice gpu: ForwardGpu(gpu, parts); break;
            default: throw Check.NoImplementation(nameof(AffineWarp), parts[0].Source.Pixels.Device);
        }
    }

    /// <summary>Resamples a picture.</summary>
    /// <param name="source">Picture, [height, width, channels].</param>
    /// <param name="width">Columns of both pictures.</param>
    /// <param name="height">Rows of both pictures.</param>
    /// <param name="channels">1 or 3.</param>
    /// <param name="map">From output pixels to source pixels.</param>
    /// <param name="target">Output of the same shape; must not overlap the picture.</param>
    public static void Forward(ReadOnlySpan<byte> source, int width, int height, int channels, AffineMap map,
        Span<byte> target)
    {
        if (channels is not (1 or 3))
            throw new ArgumentOutOfRangeException(nameof(channels), channels, "1 or 3 channels");
        CheckSides(width, height);
        if (source.Length != width * height * channels || target.Length != source.Length)
            throw new ArgumentException(
                $"{source.Length} and {target.Length} bytes, expected [{height}, {width}, {channels}]", nameof(source));
        ForwardHost(source, width, height, channels, map, target);
    }

    /// <summary>A source position in fixed point, moved to the nearest within the picture.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static int Fixed(double position, int max)
    {
        double scaled = position * (1 << FractionBits) + 0.5;
        return scaled <= 0 ? 0 : scaled >= max ? max : (int)scaled;
    }

    private static void CheckSides(int width, int height)
    {
        if (width is < 1 or > MaxSide || height is < 1 or > MaxSide)
            throw new ArgumentOutOfRangeException(nameof(width), $"{width} x {height}, sides from 1 to {MaxSide}");
    }
}
