using Cliper.Kernels.Operations;

namespace Cliper.Kernels.Tests.Operations;

internal sealed class ExpReference : IElementwiseReference<Exp>
{
    public static double Forward(double x) => Math.Exp(x);
}
