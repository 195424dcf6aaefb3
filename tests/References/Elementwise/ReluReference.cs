using Cliper.Kernels.Operations;

namespace Cliper.References;

internal sealed class ReluReference : IElementwiseReference<Relu>
{
    public static double Forward(double x) => Math.Max(x, 0);
}
