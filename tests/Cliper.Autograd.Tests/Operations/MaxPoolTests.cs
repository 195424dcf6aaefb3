namespace Cliper.Autograd.Tests.Operations;

public sealed class MaxPoolTests : TapeTests
{
    [Test]
    public void GradientsMatchFiniteDifferences()
    {
        // Values further apart than the differences' step, so that none of them changes which one is the largest.
        float[] values = [.. Enumerable.Range(0, 2 * 4 * 5 * 3).Select(i => i * 0.05f)];
        new Random(1).Shuffle(values);
        Tensor x = Own(Tensor.From(Device, values, new Shape(2, 4, 5, 3)));
        AssertGradients(tape => tape.MaxPool(x), x);
        AssertGradients(tape => tape.Add(tape.MaxPool(x), tape.MaxPool(x)), x);
    }
}
