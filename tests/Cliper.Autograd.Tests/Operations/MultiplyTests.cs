namespace Cliper.Autograd.Tests.Operations;

public sealed class MultiplyTests : TapeTests
{
    [Test]
    public void GradientsMatchFiniteDifferences([Values] bool broadcast)
    {
        Tensor a = Random([3, 7], 1), b = broadcast ? Random([1], 2) : Random([3, 7], 2);
        AssertGradients(tape => tape.Multiply(a, b), a, b);
        AssertGradients(tape => tape.Multiply(tape.Multiply(a, b), b), a, b);
    }

    [Test]
    public void BothOperandsMayBeOneTensor()
    {
        Tensor a = Random([3, 7], 1);
        AssertGradients(tape => tape.Multiply(a, a), a);
    }
}
