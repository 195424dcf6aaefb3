using Kernel = Cliper.Kernels.Operations.Add;

namespace Cliper.Autograd;

public sealed partial class Tape
{
    /// <summary>a + b.</summary>
    /// <param name="a">Any shape.</param>
    /// <param name="b">The same shape.</param>
    /// <returns>The same shape.</returns>
    public Tensor Add(Tensor a, Tensor b)
    {
        Tensor y = New(a.Shape, a.Type);
        Kernel.Forward(a.Data, b.Data, y.Data);
        if (Needs(a, b))
            Record(y, () =>
            {
                if (b.RequiresGrad)
                    Kernel.Backward(y.Gradient, Target(b));
                PassGradient(y, a);
            }, []);
        return y;
    }

    /// <summary>
    /// Gives the gradient of <paramref name="y"/> to <paramref name="operand"/> unchanged: handed on where nothing is
    /// there yet, else added. The last thing a backward pass does with y's gradient.
    /// </summary>
    private static void PassGradient(Tensor y, Tensor operand)
    {
        if (operand.RequiresGrad && !y.TryMoveGradientTo(operand))
            Kernel.Backward(y.Gradient, Target(operand));
    }
}
