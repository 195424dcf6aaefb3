using Cliper.Kernels.Operations;

namespace Cliper.Autograd.Tests.Operations;

public sealed class DepthwiseConvolutionTests : TapeTests
{
    [TestCase(3, 1, 1, 1)]
    [TestCase(3, 2, 0, 1)]
    [TestCase(5, 1, 2, 2)]
    public void GradientsMatchFiniteDifferences(int kernel, int stride, int before, int after)
    {
        var axis = new WindowAxis(kernel, stride, before, after);
        Tensor x = Random([2, 5, 6, 3], 1), weight = Random([kernel, kernel, 3], 2);
        AssertGradients(tape => tape.DepthwiseConvolution(x, weight, axis, axis), x, weight);
        AssertGradients(tape => tape.Add(tape.DepthwiseConvolution(x, weight, axis, axis),
            tape.DepthwiseConvolution(x, weight, axis, axis)),
            x, weight);
    }

    [Test]
    public void SizesThatDoNotFitAreNamed()
    {
        Tensor x = Random([1, 4, 6, 3], 1), weight = Random([3, 3, 2], 2);
        var axis = WindowAxis.Padded(3, 1, 1);
        using var tape = new Tape(Device);
        Assert.That(() => tape.DepthwiseConvolution(x, weight, axis, axis),
            Throws.ArgumentException.With.Message.Contains("[1, 4, 6, 3] and weight [3, 3, 2]"));
    }
}
