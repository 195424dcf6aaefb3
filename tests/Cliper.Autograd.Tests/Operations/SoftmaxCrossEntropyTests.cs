namespace Cliper.Autograd.Tests.Operations;

public sealed class SoftmaxCrossEntropyTests : TapeTests
{
    [Test]
    public void GradientsMatchFiniteDifferences([Values(1, 3)] int rows, [Values(2, 19)] int classes,
        [Values] bool soft)
    {
        Tensor logits = Random([rows, classes], 1);
        float[] distribution = [.. Enumerable.Range(0, rows * classes).Select(i => i % classes < 2 ? 0.5f : 0)];
        Tensor targets = Own(soft ? Tensor.From(Device, distribution, logits.Shape)
            : Tensor.From(Device, [.. Enumerable.Range(0, rows).Select(row => row % classes)], new Shape(rows)));
        AssertGradients(tape => tape.SoftmaxCrossEntropy(logits, targets), logits);
        AssertGradients(tape => tape.Add(tape.SoftmaxCrossEntropy(logits, targets),
            tape.SoftmaxCrossEntropy(logits, targets)), logits);
    }
}
