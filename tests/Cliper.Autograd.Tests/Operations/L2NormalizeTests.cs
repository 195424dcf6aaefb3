namespace Cliper.Autograd.Tests.Operations;

public sealed class L2NormalizeTests : TapeTests
{
    [Test]
    public void GradientsMatchFiniteDifferences([Values(1, 5)] int rows, [Values(8, 19)] int width)
    {
        Tensor x = Random([rows, width], 1);
        AssertGradients(tape => tape.L2Normalize(x), x);
        AssertGradients(tape => tape.Add(tape.L2Normalize(x), tape.L2Normalize(x)), x);
    }
}
