using Cliper.Kernels.Operations;

namespace Cliper.References;

internal sealed class QuickGeluReference : IElementwiseReference<QuickGelu>
{
    public static double Forward(double x) => x / (1 + Math.Exp(-1.702 * x));
}
