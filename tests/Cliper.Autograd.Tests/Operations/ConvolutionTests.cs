using Cliper.Kernels.Operations;

namespace Cliper.Autograd.Tests.Operations;

public sealed class ConvolutionTests : TapeTests
{
    private static readonly WindowAxis Three = WindowAxis.Padded(3, 1, 1), One = WindowAxis.Padded(1, 1, 0);

    [TestCase(1, 1, 0, 0)]
    [TestCase(3, 2, 0, 1)]
    [TestCase(2, 1, 1, 0)]
    public void GradientsMatchFiniteDifferences(int kernel, int stride, int before, int after)
    {
        var axis = new WindowAxis(kernel, stride, before, after);
        Tensor x = Random([2, 5, 4, 3], 1), weight = Random([4, kernel, kernel, 3], 2), bias = Random([4], 3);
        AssertGradients(tape => tape.Convolution(x, weight, bias, axis, axis), x, weight, bias);
        AssertGradients(tape => tape.Convolution(x, weight, null, axis, axis), x, weight);
        AssertGradients(tape => tape.Add(tape.Convolution(x, weight, bias, axis, axis),
            tape.Convolution(x, weight, bias, axis, axis)),
            x, weight, bias);
    }

    [Test]
    public void TheReluPassesWhatIsAboveZero()
    {
        // Sums of 18 products lie within 6 with a probability of one in ten thousand: two features are always on, two
        // off.
        Tensor x = Random([2, 5, 4, 2], 1), weight = Random([4, 3, 3, 2], 2),
            bias = Own(Tensor.From(Device, [8f, -8, 8, -8], new Shape(4)));
        AssertGradients(tape => tape.Convolution(x, weight, bias, Three, Three, relu: true), x, weight, bias);
        using var tape = new Tape(Device, recording: false);
        float[] y = tape.Convolution(x, weight, bias, Three, Three, relu: true).ToArray();
        Assert.That(y.Where((_, i) => i % 2 == 0), Has.All.GreaterThan(0));
        Assert.That(y.Where((_, i) => i % 2 == 1), Has.All.Zero);
    }

    [Test]
    public void AWeightThatIsWrittenIsPackedAgain()
    {
        Tensor x = Random([1, 4, 4, 2], 1), weight = Random([3, 1, 1, 2], 2);
        using var tape = new Tape(Device, recording: false);
        float[] before = tape.Convolution(x, weight, null, One, One).ToArray();
        Device.Upload(System.Runtime.InteropServices.MemoryMarshal.AsBytes(weight.ToArray().Select(value => 2 * value)
            .ToArray().AsSpan()), weight.Data);
        weight.MarkWritten();
        Assert.That(tape.Convolution(x, weight, null, One, One).ToArray(),
            Is.EqualTo(before.Select(value => 2 * value)));
    }

    [Test]
    public void SizesThatDoNotFitAreNamed()
    {
        Tensor x = Random([1, 4, 6, 3], 1), weight = Random([5, 3, 3, 2], 2), flat = Random([4, 6], 3);
        using var tape = new Tape(Device);
        Assert.That(() => tape.Convolution(x, weight, null, Three, Three),
            Throws.ArgumentException.With.Message.Contains("[1, 4, 6, 3] and weight [5, 3, 3, 2]"));
        Assert.That(() => tape.MaxPool(flat), Throws.ArgumentException.With.Message.Contains("[4, 6]"));
    }
}
