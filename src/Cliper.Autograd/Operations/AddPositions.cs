using Kernel = Cliper.Kernels.Operations.AddPositions;

namespace Cliper.Autograd;

public sealed partial class Tape
{
    /// <summary>Adds a position embedding to every sequence; sequences may be shorter than the table.</summary>
    /// <param name="x">[N, T, W].</param>
    /// <param name="positions">[at least T, W]; the first T rows are used.</param>
    /// <returns>[N, T, W].</returns>
    /// <exception cref="ArgumentException">The table has fewer than T rows.</exception>
    public Tensor AddPositions(Tensor x, Tensor positions)
    {
        int samples = x.Shape[0], tokens = x.Shape[1], width = x.Shape[2];
        if (positions.Shape[0] < tokens)
            throw new ArgumentException($"sequences of {tokens} tokens, but positions for {positions.Shape[0]}",
                nameof(x));
        Tensor used = positions.Rows(0, tokens), y = NewActivation(x.Shape);
        Kernel.Forward(x.Data, used.Data, y.Data, samples, tokens, width);
        if (Needs(x, positions))
            Record(y, () =>
            {
                if (positions.RequiresGrad)
                    Kernel.Backward(y.Gradient, Target(used), samples, tokens, width);
                PassGradient(y, x);
            }, []);
        return y;
    }
}
