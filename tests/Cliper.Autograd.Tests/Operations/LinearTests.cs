using Cliper.Kernels.Operations;

namespace Cliper.Autograd.Tests.Operations;

public sealed class LinearTests : TapeTests
{
    [Test]
    public void GradientsMatchFiniteDifferences([Values] Activation activation, [Values] bool biased)
    {
        Tensor x = Random([2, 3, 5], 1), weight = Random([7, 5], 2), bias = Random([7], 3);
        if (biased)
            AssertGradients(tape => tape.Linear(x, weight, bias, activation), x, weight, bias);
        else
            AssertGradients(tape => tape.Linear(x, weight, null, activation), x, weight);
    }

    [Test]
    public void GradientsOfAFrozenWeightsInputMatchFiniteDifferences()
    {
        Tensor x = Random([6, 5], 1), weight = Random([7, 5], 2), bias = Random([7], 3);
        AssertGradients(tape => tape.Linear(x, weight, bias, Activation.QuickGelu), x);
    }

    [Test]
    public void ResidualGradientsMatchFiniteDifferences([Values] bool biased)
    {
        Tensor x = Random([4, 5], 1), weight = Random([5, 5], 2), bias = Random([5], 3), residual = Random([4, 5], 4);
        if (biased)
            AssertGradients(tape => tape.LinearResidual(x, weight, bias, residual), x, weight, bias, residual);
        else
            AssertGradients(tape => tape.LinearResidual(x, weight, null, residual), x, weight, residual);
    }

    [Test]
    public void APerceptronThatReadsItsInputTwiceHasTheRightGradients()
    {
        Tensor x = Random([4, 6], 1), up = Random([9, 6], 2), down = Random([6, 9], 3);
        AssertGradients(tape => tape.LinearResidual(tape.Linear(x, up, null, Activation.QuickGelu), down, null, x),
            x, up, down);
    }

    [Test]
    public void AnActivationThatIsReadTwiceHasTheRightGradients([Values(Activation.QuickGelu,
        Activation.Gelu)] Activation activation)
    {
        Tensor x = Random([4, 6], 1), up = Random([9, 6], 2), down = Random([6, 9], 3), other = Random([6, 9], 4);
        AssertGradients(tape =>
        {
            Tensor hidden = tape.Linear(x, up, null, activation);
            return tape.LinearResidual(hidden, down, null, tape.Linear(hidden, other));
        }, x, up, down, other);
    }

    [Test]
    public void TheGradientThroughAFusedActivationIsThatOfThePlainOne([Values(Activation.QuickGelu,
        Activation.Gelu)] Activation activation)
    {
        Tensor x = Random([40, 30], 1), up = Random([50, 30], 2), down = Random([30, 50], 3);
        up.RequiresGrad = true;
        float[] fused = Gradient(tape => tape.Linear(x, up, null, activation));
        float[] plain = Gradient(tape => activation == Activation.Gelu
            ? tape.Apply<Gelu>(tape.Linear(x, up)) : tape.Apply<QuickGelu>(tape.Linear(x, up)));
        // The same roundings in the same order, but for the product's last one.
        Assert.That(fused, Is.EqualTo(plain).Within(1e-5f));

        float[] Gradient(Func<Tape, Tensor> hidden)
        {
            up.ClearGradient();
            using var tape = new Tape(Device);
            tape.Backward(tape.Sum(tape.Linear(hidden(tape), down)));
            return Device.ToFloats(up.Gradient);
        }
    }

    [Test]
    public void AConvolutionsWeightIsReadAsAMatrix()
    {
        Tensor x = Random([3, 12], 1), weight = Random([5, 3, 2, 2], 2);
        AssertGradients(tape => tape.Linear(x, weight), x, weight);
    }

    [Test]
    public void PackedWeightsFollowWhatIsWritten()
    {
        Tensor x = Random([3, 8], 1), weight = Random([10, 8], 2), views = weight.Rows(4, 3);
        float[] before = Infer(weight), part = Infer(views);
        Assert.That(part[..3], Is.EqualTo(before[4..7]), "a view has its own packed copy");

        Device.Clear(weight.Data);
        Assert.That(Infer(weight), Is.EqualTo(before), "kept packed");
        weight.MarkWritten();
        Assert.That(Infer(weight), Has.All.Zero);
        Assert.That(Infer(weight.Rows(4, 3)), Has.All.Zero);

        float[] Infer(Tensor w)
        {
            using var tape = new Tape(Device, recording: false);
            return tape.Linear(x, w).ToArray();
        }
    }

    [Test]
    public void InferenceAndTrainingGiveTheSameBits()
    {
        Tensor x = Random([50, 800], 1), weight = Random([70, 800], 2), bias = Random([70], 3);
        weight.RequiresGrad = true;
        using var training = new Tape(Device);
        using var inference = new Tape(Device, recording: false);
        Assert.That(inference.Linear(x, weight, bias, Activation.QuickGelu).ToArray(),
            Is.EqualTo(training.Linear(x, weight, bias, Activation.QuickGelu).ToArray()));
    }

    [Test]
    public void SizesThatDoNotFitAreNamed()
    {
        using var tape = new Tape(Device);
        Tensor x = Random([4, 5], 1), weight = Random([3, 6], 2), other = Random([5, 5], 3);
        Assert.That(() => tape.Linear(x, weight),
            Throws.ArgumentException.With.Message.Contains("x is [4, 5], weight [3, 6]"));
        Assert.That(() => tape.LinearResidual(x, other, null, other),
            Throws.ArgumentException.With.Message.Contains("residual is [5, 5], expected [4, 5]"));
    }
}
