using Kernel = Cliper.Kernels.Operations.SoftmaxCrossEntropy;

namespace Cliper.Autograd;

public sealed partial class Tape
{
    /// <summary>Mean over rows of the cross-entropy between the targets and softmax(logits).</summary>
    /// <param name="logits">[rows, classes].</param>
    /// <param name="targets">int32 [rows], a class a row, or fp32 [rows, classes], a distribution a row; no gradient
    /// flows here.</param>
    /// <returns>[1].</returns>
    /// <exception cref="ArgumentOutOfRangeException">A class outside the range; the message names row and
    /// class.</exception>
    public Tensor SoftmaxCrossEntropy(Tensor logits, Tensor targets)
    {
        int rows = logits.Shape.Rows, classes = logits.Shape.Width;
        Tensor loss = New(new Shape(1)), logSum = New(new Shape(rows));
        Kernel.Forward(logits.Data, targets.Data, loss.Data, logSum.Data, rows, classes);
        if (Needs(logits))
            Record(loss, () => Kernel.Backward(logits.Data, targets.Data, logSum.Data, loss.Gradient,
                Target(logits), rows, classes), [logits, targets, logSum]);
        return loss;
    }
}
