using Cliper.Kernels.Operations;

namespace Cliper.References;

internal sealed class ExpReference : IElementwiseReference<Exp>
{
    public static double Forward(double x) => Math.Exp(x);
}
