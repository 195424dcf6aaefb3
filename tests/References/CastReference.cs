using Cliper.Kernels.Memory;

namespace Cliper.References;

/// <summary>Rounding to the nearest number of a format, to the even one at a tie.</summary>
internal static class CastReference
{
    /// <summary>Computes y, the numbers x in the format.</summary>
    public static void Forward(double[] x, double[] y, ElementType format)
    {
        for (int i = 0; i < x.Length; i++)
            y[i] = Round(x[i], format);
    }

    private static double Round(double x, ElementType format)
    {
        if (x == 0 || !double.IsFinite(x))
            return x;
        // Bits of a significand, the exponents of the least number and of the first power of two that is too large.
        (int bits, int least, int infinite) = format switch
        {
            ElementType.Float32 => (24, -149, 128),
            ElementType.Float16 => (11, -24, 16),
            ElementType.BFloat16 => (8, -133, 128),
            _ => throw new ArgumentException($"{format} is no format of floating-point numbers", nameof(format)),
        };
        int unit = Math.Max(Math.ILogB(x) - bits + 1, least);
        double rounded = Math.ScaleB(Math.Round(Math.ScaleB(x, -unit), MidpointRounding.ToEven), unit);
        return Math.Abs(rounded) >= Math.ScaleB(1, infinite) ? Math.CopySign(double.PositiveInfinity, x) : rounded;
    }
}
