namespace Cliper.Autograd.Tests.Operations;

public sealed class SoftmaxTests : TapeTests
{
    [Test]
    public void GradientsMatchFiniteDifferences([Values(1, 5)] int rows, [Values(8, 19)] int width)
    {
        Tensor x = Random([rows, width], 1);
        AssertGradients(tape => tape.Softmax(x), x);
        AssertGradients(tape => tape.Add(tape.Softmax(x), tape.Softmax(x)), x);
    }
}
