using Cliper.Kernels.Operations;

namespace Cliper.Autograd.Tests.Operations;

public sealed class CliperLossTests : TapeTests
{
    [Test]
    public void GradientsMatchFiniteDifferences([Values(1, 6)] int batch, [Values(1, 3)] int subclasses,
        [Values] EmptySubclasses rule, [Values] bool modulates)
    {
        // Steps of 0.1 in a shuffled order: far enough apart that a difference of 0.01 moves no minimum or maximum.
        int width = 4 * subclasses;
        float[] values = [.. Enumerable.Range(0, batch * width).Select(i => 0.1f * (i * 7 % width))];
        Tensor logits = Own(Tensor.From(Device, values, new Shape(batch, width)));
        Tensor labels = Own(Tensor.From(Device, [.. Enumerable.Range(0, batch).Select(b => b % 4)], new Shape(batch)));
        AssertGradients(tape => tape.CliperLoss(logits, labels, 4, subclasses, rule, modulates), logits);
        AssertGradients(tape => tape.Sum(tape.CliperLoss(tape.Scale(logits, 1), labels, 4, subclasses, rule,
            modulates)), logits);
    }
}
