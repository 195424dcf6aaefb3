namespace Cliper.Autograd.Tests.Operations;

public sealed class AddTests : TapeTests
{
    [Test]
    public void GradientsMatchFiniteDifferences()
    {
        Tensor a = Random([3, 7], 1), b = Random([3, 7], 2);
        AssertGradients(tape => tape.Add(a, b), a, b);
    }

    [Test]
    public void BothOperandsMayBeOneTensor()
    {
        Tensor a = Random([3, 7], 1);
        AssertGradients(tape => tape.Add(tape.Add(a, a), a), a);
    }
}
