using Cliper.Kernels.Operations;

namespace Cliper.Kernels.Tests.Operations;

internal sealed class ReluReference : IElementwiseReference<Relu>
{
    public static double Forward(double x) => Math.Max(x, 0);
}
