namespace Cliper.Autograd.Tests.Operations;

public sealed class ScaleTests : TapeTests
{
    [Test]
    public void GradientsMatchFiniteDifferences()
    {
        Tensor x = Random([3, 7], 1);
        AssertGradients(tape => tape.Scale(x, -0.7f), x);
        AssertGradients(tape => tape.Add(tape.Scale(x, -0.7f), tape.Scale(x, 3)), x);
    }
}
