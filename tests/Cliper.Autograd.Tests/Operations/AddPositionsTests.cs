namespace Cliper.Autograd.Tests.Operations;

public sealed class AddPositionsTests : TapeTests
{
    [Test]
    public void GradientsMatchFiniteDifferences([Values(1, 3)] int samples, [Values(4, 6)] int tableRows)
    {
        Tensor x = Random([samples, 4, 7], 1), positions = Random([tableRows, 7], 2);
        AssertGradients(tape => tape.AddPositions(x, positions), x, positions);
    }

    [Test]
    public void TooFewPositionsIsAnError()
    {
        Tensor x = Random([2, 4, 7], 1), positions = Random([3, 7], 2);
        using var tape = new Tape(Device);
        Assert.That(() => tape.AddPositions(x, positions),
            Throws.ArgumentException.With.Message.Contains("4 tokens, but positions for 3"));
    }
}
