namespace Cliper.Autograd.Tests.Operations;

public sealed class AddMeanTokenTests : TapeTests
{
    [Test]
    public void GradientsMatchFiniteDifferences([Values(1, 3)] int samples, [Values(1, 4)] int pixels)
    {
        Tensor x = Random([samples, pixels, 9], 1), positions = Random([pixels + 1, 9], 2);
        AssertGradients(tape => tape.AddMeanToken(x, positions), x, positions);
        AssertGradients(tape => tape.Add(tape.AddMeanToken(x, positions), tape.AddMeanToken(x, positions)), x);
    }
}
