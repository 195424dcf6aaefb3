using Kernel = Cliper.Kernels.Operations.InsertEmbeddings;

namespace Cliper.Autograd;

public sealed partial class Tape
{
    /// <summary>
    /// Replaces tokens [start, start + L) of every sequence by <paramref name="insert"/>: learned descriptors in
    /// prompts.
    /// </summary>
    /// <param name="x">[P, T, W].</param>
    /// <param name="insert">[P, L, W].</param>
    /// <param name="start">First token replaced; start + L is at most T.</param>
    /// <returns>[P, T, W].</returns>
    public Tensor InsertEmbeddings(Tensor x, Tensor insert, int start)
    {
        var sizes = new Kernel.Sizes(x.Shape[0], x.Shape[1], insert.Shape[1], start, x.Shape[2]);
        Tensor y = NewActivation(x.Shape);
        Kernel.Forward(x.Data, insert.Data, y.Data, sizes);
        if (Needs(x, insert))
            Record(y, () => Kernel.Backward(y.Gradient, Target(x), Target(insert), sizes), []);
        return y;
    }
}
