using Cliper.Kernels.Operations;

namespace Cliper.Autograd.Tests.Operations;

public sealed class CheckpointingTests : TapeTests
{
    [Test]
    public void GradientsMatchFiniteDifferences()
    {
        Tensor x = Random([3, 7], 1), gamma = Random([7], 2), beta = Random([7], 3);
        AssertGradients(tape => tape.Checkpoint(Block(gamma, beta), tape.Checkpoint(Block(gamma, beta), x)), x,
            gamma, beta);
    }

    [Test]
    public void OnlyAParameterInsideNeedsAGradient()
    {
        Tensor x = Random([3, 7], 1), gamma = Random([7], 2), beta = Random([7], 3);
        AssertGradients(tape => tape.Checkpoint(Block(gamma, beta), x), gamma, beta);
    }

    [Test]
    public void ABlockMayEndInAView()
    {
        Tensor x = Random([3, 7], 1), gamma = Random([7], 2), beta = Random([7], 3);
        AssertGradients(tape => tape.Scale(tape.Checkpoint((inner, input) =>
            Block(gamma, beta)(inner, input).Reshape(new Shape(7, 3)), x), 2), x, gamma, beta);
    }

    [Test]
    public void TheBitsAreThoseOfKeepingActivationsAndThePeakIsLower()
    {
        const int Rows = 64, Width = 256, Depth = 8;
        Tensor x = Random([Rows, Width], 1), gamma = Random([Width], 2), beta = Random([Width], 3);
        Tensor[] operands = [x, gamma, beta];
        foreach (Tensor operand in operands)
            operand.RequiresGrad = true;
        (float[] Gradients, long Peak) Run(bool recompute)
        {
            foreach (Tensor operand in operands)
                operand.FreeGradient();
            Device.ResetPeak();
            using var tape = new Tape(Device);
            Tensor y = x;
            for (int depth = 0; depth < Depth; depth++)
                y = recompute ? tape.Checkpoint(Block(gamma, beta), y) : Block(gamma, beta)(tape, y);
            tape.Backward(tape.Sum(y));
            return ([.. operands.SelectMany(operand => Device.ToFloats(operand.Gradient))], Device.PeakBytes);
        }

        (float[] kept, long keptPeak) = Run(recompute: false);
        (float[] again, long againPeak) = Run(recompute: true);

        Assert.That(again, Is.EqualTo(kept));
        // A block keeps three tensors of this size, a recomputed one its input alone.
        Assert.That(againPeak, Is.LessThan(keptPeak - Depth * (Rows * Width * sizeof(float))));
    }

    [Test]
    public void NothingIsKeptWithoutParameters()
    {
        Tensor x = Random([3, 7], 1), gamma = Random([7], 2), beta = Random([7], 3);
        using var tape = new Tape(Device);
        Assert.That(tape.Checkpoint(Block(gamma, beta), x).RequiresGrad, Is.False);
    }

    [Test]
    public void WhatABlockDidNotMakeIsAnError()
    {
        Tensor x = Random([3, 7], 1);
        using var tape = new Tape(Device);
        Assert.That(() => tape.Checkpoint((_, input) => input, x), Throws.InvalidOperationException);
    }

    private static Func<Tape, Tensor, Tensor> Block(Tensor gamma, Tensor beta) => (tape, input) =>
        tape.Add(input, tape.Apply<QuickGelu>(tape.LayerNorm(input, gamma, beta)));
}
