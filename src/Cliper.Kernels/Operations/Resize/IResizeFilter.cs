namespace Cliper.Kernels.Operations;

/// <summary>A kernel that pixels are weighted with when a picture is resized. A new one is one struct.</summary>
public interface IResizeFilter
{
    /// <summary>The weight is zero at this distance and beyond, in pixels of the smaller picture.</summary>
    static abstract double Support { get; }

    /// <summary>Weight at the distance <paramref name="x"/>, before normalization.</summary>
    static abstract double Weight(double x);
}

/// <summary>Cubic convolution with a = -1/2 (Keys 1981): CLIP's own preprocessing.</summary>
public readonly struct Bicubic : IResizeFilter
{
    private const double A = -0.5;

    /// <inheritdoc/>
    public static double Support => 2;

    /// <inheritdoc/>
    public static double Weight(double x)
    {
        x = Math.Abs(x);
        return x < 1 ? ((A + 2) * x - (A + 3)) * x * x + 1
            : x < 2 ? (((x - 5) * x + 8) * x - 4) * A
            : 0;
    }
}

/// <summary>A triangle: linear between neighbors, and a weighted mean when shrinking.</summary>
public readonly struct Bilinear : IResizeFilter
{
    /// <inheritdoc/>
    public static double Support => 1;

    /// <inheritdoc/>
    public static double Weight(double x) => Math.Max(0, 1 - Math.Abs(x));
}
