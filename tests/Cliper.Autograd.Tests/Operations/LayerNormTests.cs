namespace Cliper.Autograd.Tests.Operations;

public sealed class LayerNormTests : TapeTests
{
    [Test]
    public void GradientsMatchFiniteDifferences([Values(1, 5)] int rows, [Values(8, 19)] int width)
    {
        Tensor x = Random([rows, width], 1), gamma = Random([width], 2), beta = Random([width], 3);
        AssertGradients(tape => tape.LayerNorm(x, gamma, beta), x, gamma, beta);
    }
}
