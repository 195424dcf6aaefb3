namespace Cliper.Autograd.Tests.Operations;

public sealed class AddClassTokenTests : TapeTests
{
    [Test]
    public void GradientsMatchFiniteDifferences([Values(1, 3)] int samples, [Values(1, 4)] int patches)
    {
        Tensor x = Random([samples, patches, 9], 1), token = Random([9], 2), positions = Random([patches + 1, 9], 3);
        AssertGradients(tape => tape.AddClassToken(x, token, positions), x, token, positions);
    }
}
