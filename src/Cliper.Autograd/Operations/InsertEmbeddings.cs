using Cliper.Kernels.Memory;
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
        int sequences = x.Shape[0], tokens = x.Shape[1], inserted = insert.Shape[1], width = x.Shape[2];
        Tensor y = NewActivation(x.Shape);
        Kernel.Forward(x.Data, insert.Data, y.Data, sequences, tokens, inserted, start, width);
        if (Needs(x, insert))
            Record(y, () =>
            {
                DeviceArray dx = Target(x, out bool addX), dinsert = Target(insert, out bool addInsert);
                Kernel.Backward(y.Gradient, dx, addX, dinsert, addInsert, sequences, tokens, inserted, start, width);
            }, []);
        return y;
    }
}
