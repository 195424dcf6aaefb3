using Kernel = Cliper.Kernels.Operations.Place;

namespace Cliper.Autograd;

public sealed partial class Tape
{
    /// <summary>
    /// Replaces the tokens of every sequence that <paramref name="slots"/> names by <paramref name="insert"/>: learned
    /// vectors in prompts.
    /// </summary>
    /// <param name="x">[P, T, W].</param>
    /// <param name="insert">[P, L, W].</param>
    /// <param name="slots">int32 [P, L], each in [0, T) and once in its sequence.</param>
    /// <returns>[P, T, W].</returns>
    public Tensor Place(Tensor x, Tensor insert, Tensor slots)
    {
        var sizes = new Kernel.Sizes(x.Shape[0], x.Shape[1], insert.Shape[1], x.Shape[2]);
        Tensor y = NewActivation(x.Shape);
        Kernel.Forward(x.Data, insert.Data, slots.Data, y.Data, sizes);
        if (Needs(x, insert))
            Record(y, () => Kernel.Backward(y.Gradient, slots.Data, Target(x), Target(insert), sizes), [slots]);
        return y;
    }
}
