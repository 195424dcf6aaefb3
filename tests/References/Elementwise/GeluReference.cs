using Cliper.Kernels.Operations;

namespace Cliper.References;

internal sealed class GeluReference : IElementwiseReference<Gelu>
{
    public static double Forward(double x) => x * NormalDistribution(x);

    /// <summary>(1 + erf(x / sqrt 2)) / 2 by the series whose terms are all positive.</summary>
    private static double NormalDistribution(double x)
    {
        double term = x, sum = 0;
        for (int n = 1; n < 400; n++)
        {
            sum += term;
            term *= x * x / (2 * n + 1);
        }
        return 0.5 + sum * Math.Exp(-x * x / 2) / Math.Sqrt(2 * Math.PI);
    }
}
