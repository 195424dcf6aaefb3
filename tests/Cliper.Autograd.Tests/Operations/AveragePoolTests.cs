namespace Cliper.Autograd.Tests.Operations;

public sealed class AveragePoolTests : TapeTests
{
    [Test]
    public void GradientsMatchFiniteDifferences([Values(1, 2, 3)] int size)
    {
        Tensor x = Random([2, 4, 5, 3], 1);
        AssertGradients(tape => tape.AveragePool(x, size), x);
        AssertGradients(tape => tape.Add(tape.AveragePool(x, size), tape.AveragePool(x, size)), x);
    }
}
