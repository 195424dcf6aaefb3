namespace Cliper.Autograd.Tests.Operations;

public sealed class GemmTests : TapeTests
{
    [Test]
    public void GradientsMatchFiniteDifferences([Values] bool transposeA, [Values] bool transposeB)
    {
        Tensor a = Random(transposeA ? [7, 5] : [5, 7], 1), b = Random(transposeB ? [6, 7] : [7, 6], 2);
        AssertGradients(tape => tape.MatMul(a, b, transposeA, transposeB, 0.5f), a, b);
    }

    [Test]
    public void GradientsOfStacksMatchFiniteDifferences([Values] bool transposeA, [Values] bool transposeB)
    {
        Tensor a = Random(transposeA ? [3, 4, 5] : [3, 5, 4], 1), b = Random(transposeB ? [3, 6, 4] : [3, 4, 6], 2);
        AssertGradients(tape => tape.MatMul(a, b, transposeA, transposeB), a, b);
    }

    [Test]
    public void GradientsOfBothOperandsAddUpInOneTensor()
    {
        Tensor x = Random([4, 4], 1);
        AssertGradients(tape => tape.MatMul(x, x, transposeB: true), x);
    }

    [Test]
    public void OperandsThatDoNotFitAreNamed()
    {
        using var tape = new Tape(Device);
        Tensor a = Random([4, 5], 1), b = Random([4, 6], 2), c = Random([2, 5, 6], 3);
        Assert.That(() => tape.MatMul(a, b), Throws.ArgumentException.With.Message.Contains("depths 5 and 4"));
        Assert.That(() => tape.MatMul(a, c), Throws.ArgumentException.With.Message.Contains("[4, 5] and [2, 5, 6]"));
    }
}
