namespace Cliper.Autograd.Tests.Operations;

public sealed class MeanTests : TapeTests
{
    [Test]
    public void GradientsMatchFiniteDifferences([Values(1, 5)] int frames, [Values(1, 19)] int width)
    {
        Tensor x = Random([3, frames, width], 1);
        AssertGradients(tape => tape.Mean(x), x);
        AssertGradients(tape => tape.Add(tape.Mean(x), tape.Mean(x)), x);
    }
}
