using Cliper.Kernels.Memory;
using Kernel = Cliper.Kernels.Operations.Gather;

namespace Cliper.Autograd;

public sealed partial class Tape
{
    /// <summary>Rows of a table by index, such as token embeddings: y[i] = table[rows[i]].</summary>
    /// <param name="table">[rows of the table, width].</param>
    /// <param name="rows">int32 of any shape of at most three axes, each in the table.</param>
    /// <param name="type">How the result is stored; null for as the table.</param>
    /// <returns>The shape of <paramref name="rows"/> and one more axis, width.</returns>
    /// <exception cref="ArgumentOutOfRangeException">An index outside the table; the message names its
    /// place.</exception>
    public Tensor Gather(Tensor table, Tensor rows, ElementType? type = null)
    {
        int tableRows = table.Shape.Rows, width = table.Shape.Width;
        Tensor y = New(new Shape([.. rows.Shape.ToArray(), width]), type ?? table.Type);
        Kernel.Forward(table.Data, rows.Data, y.Data, tableRows, width);
        if (Needs(table))
            Record(y, () => Kernel.Backward(rows.Data, y.Gradient, Target(table), tableRows, width), [rows]);
        return y;
    }
}
