using Cliper.Kernels.Operations;

namespace Cliper.Autograd.Tests.Operations;

public sealed class BatchNormTests : TapeTests
{
    [Test]
    public void GradientsMatchFiniteDifferences([Values] bool training)
    {
        Tensor x = Random([2, 3, 4, 5], 1), residual = Random([2, 3, 4, 5], 2);
        BatchNormWeights weights = Weights(5);
        AssertGradients(tape => tape.BatchNorm(x, weights, training), x, weights.Gamma, weights.Beta);
        AssertGradients(tape => tape.BatchNorm(x, weights, training, residual: residual), x, weights.Gamma,
            weights.Beta, residual);
        AssertGradients(tape => tape.BatchNorm(x, weights, training, residual: x), x);
    }

    [Test]
    public void GradientsThroughTheReluMatchFiniteDifferences([Values] bool training, [Values] bool residual)
    {
        // Every channel holds -1, 1 or twice that, so that no sum is near zero, where the ReLU has its edge.
        float[] values = [.. Enumerable.Range(0, 48).Select(i =>
            (i / 3 % 2 == 0 ? 1 : -1) * (1f + i / 6 % 2) + 0.01f * i)];
        Tensor x = Own(Tensor.From(Device, values, new Shape(4, 2, 2, 3))), added = Own(Tensor.From(Device,
            [.. values.Select(value => value / 2)], x.Shape));
        BatchNormWeights weights = Weights(3) with
        {
            Gamma = Own(Tensor.From(Device, [0.8f, 1, 1.2f], new Shape(3))),
            Beta = Own(Tensor.From(Device, [0.1f, 0, -0.1f], new Shape(3))),
        };
        AssertGradients(tape => tape.BatchNorm(x, weights, training, relu: true, residual ? added : null),
            residual ? [x, weights.Gamma, weights.Beta, added] : [x, weights.Gamma, weights.Beta]);
        AssertGradients(tape => tape.Add(x, tape.BatchNorm(x, weights, training, relu: true, residual ? added : null)),
            x);
    }

    [Test]
    public void RunningStatisticsAreUpdatedOnceInARecomputedBlock([Values] bool nested)
    {
        Tensor x = Random([2, 3, 4, 5], 1);
        x.RequiresGrad = true;
        (float[] Running, float[] Gradient) Run(Func<Tape, BatchNormWeights, Tensor> network)
        {
            x.FreeGradient();
            BatchNormWeights weights = Weights(5);
            using var tape = new Tape(Device);
            tape.Backward(tape.Sum(network(tape, weights)));
            return ([.. weights.RunningMean.ToArray(), .. weights.RunningVariance.ToArray()],
                Device.ToFloats(x.Gradient));
        }
        Tensor Block(Tape tape, Tensor input, BatchNormWeights weights) =>
            tape.Multiply(x, tape.BatchNorm(input, weights, training: true, relu: true));

        (float[] once, float[] gradient) = Run((tape, weights) => Block(tape, x, weights));
        (float[] recomputed, float[] again) = Run((tape, weights) => tape.Checkpoint((inner, input) => nested
            ? inner.Checkpoint((innermost, same) => Block(innermost, same, weights), input)
            : Block(inner, input, weights), x));

        Assert.That(once[..5], Is.Not.EqualTo(Weights(5).RunningMean.ToArray()));
        Assert.That(once[5..], Is.Not.EqualTo(Weights(5).RunningVariance.ToArray()));
        Assert.That(recomputed, Is.EqualTo(once));
        Assert.That(again, Is.EqualTo(gradient));
    }

    [Test]
    public void InferenceLeavesTheRunningStatistics()
    {
        Tensor x = Random([2, 3, 4, 5], 1);
        BatchNormWeights weights = Weights(5);
        using var tape = new Tape(Device, recording: false);
        tape.BatchNorm(x, weights, training: false);
        Assert.That(weights.RunningMean.ToArray(), Is.EqualTo(Weights(5).RunningMean.ToArray()));
        Assert.That(weights.RunningVariance.ToArray(), Is.EqualTo(Weights(5).RunningVariance.ToArray()));
    }

    [Test]
    public void FoldedIntoAConvolutionItGivesTheSame()
    {
        Tensor x = Random([2, 5, 6, 4], 1), weight = Random([7, 3, 3, 4], 2);
        BatchNormWeights weights = Weights(7);
        var axis = WindowAxis.Padded(3, 1, 1);
        using var tape = new Tape(Device, recording: false);
        float[] expected = tape.BatchNorm(tape.Convolution(x, weight, null, axis, axis), weights, training: false)
            .ToArray();

        (Tensor foldedWeight, Tensor bias) = weights.Fold(weight);
        float[] folded = tape.Convolution(x, Own(foldedWeight), Own(bias), axis, axis).ToArray();

        // Sums of 36 terms below 1.5, of another scale: each of the roundings is 2^-24 of at most 54.
        Assert.That(folded, Is.EqualTo(expected).Within(54 * 8 * Math.Pow(2, -24)));
        Assert.That(() => weights.Fold(x), Throws.ArgumentException.With.Message.Contains("expected 7 features"));
    }

    private BatchNormWeights Weights(int channels) => new(Random([channels], 11), Random([channels], 12),
        Random([channels], 13), Own(Tensor.From(Device, [.. Enumerable.Range(0, channels).Select(c => 0.5f + 0.2f * c)],
            new Shape(channels))));
}
