using Cliper.Kernels.Memory;
using Cliper.Kernels.Operations;
using Kernel = Cliper.Kernels.Operations.CliperLoss;

namespace Cliper.Autograd;

public sealed partial class Tape
{
    /// <summary>
    /// CLIPER's fine-grained and margin loss (<see cref="Kernel"/>); their sum is what training minimizes.
    /// </summary>
    /// <param name="logits">Cosines over temperature, [B, K * M].</param>
    /// <param name="labels">int32 [B], each in [0, K).</param>
    /// <param name="classes">K.</param>
    /// <param name="subclasses">M.</param>
    /// <param name="rule">How a subclass that is nearest to no sample counts.</param>
    /// <param name="modulates">Whether the fine loss has its modulating factor; 1 otherwise.</param>
    /// <returns>[2]: fine, margin.</returns>
    /// <exception cref="ArgumentOutOfRangeException">A label outside the classes; the message names its
    /// row.</exception>
    public Tensor CliperLoss(Tensor logits, Tensor labels, int classes, int subclasses,
        EmptySubclasses rule = EmptySubclasses.MinusOneNinetyNinth, bool modulates = true)
    {
        int batch = logits.Shape.Rows;
        Tensor losses = New(new Shape(2)), alpha = New(new Shape(batch)),
            nearest = New(new Shape(batch), ElementType.Int32),
            counts = New(new Shape(classes, subclasses), ElementType.Int32);
        var sizes = new Kernel.Sizes(batch, classes, subclasses);
        var modulation = new Kernel.Modulation(alpha.Data, nearest.Data, counts.Data);
        Kernel.Forward(logits.Data, labels.Data, losses.Data, modulation, sizes, rule, modulates);
        if (Needs(logits))
            Record(losses, () => Kernel.Backward(logits.Data, labels.Data, modulation, losses.Gradient,
                Target(logits), sizes), [logits, labels, alpha, nearest]);
        return losses;
    }
}
