namespace Cliper.Autograd.Tests.Operations;

public sealed class SumTests : TapeTests
{
    [Test]
    public void GradientsMatchFiniteDifferences()
    {
        Tensor x = Random([3, 7], 1);
        AssertGradients(tape => tape.Sum(x), x);
        AssertGradients(tape => tape.Add(tape.Sum(x), tape.Sum(tape.Scale(x, 2))), x);
    }
}
