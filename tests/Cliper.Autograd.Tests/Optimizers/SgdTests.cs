using System.Runtime.InteropServices;
using Cliper.Autograd.Optimizers;

namespace Cliper.Autograd.Tests.Optimizers;

public sealed class SgdTests : TapeTests
{
    private const float Rate = 0.1f, Decay = 0.01f;

    [Test]
    public void Step_ByHand_AddsTheDecayToTheVelocity()
    {
        using var x = Tensor.From(Device, [2f], new Shape(1));
        x.RequiresGrad = true;
        using var optimizer = new Sgd(momentum: 0.5);
        optimizer.AddGroup([("x", x)], weightDecay: 0.25f, learningRateFactor: 2);

        Step(x, optimizer, 1);
        // v = 1 + 0.25 * 2 = 1.5; x = 2 - 0.2 * 1.5 = 1.7.
        Assert.That(x.Item(), Is.EqualTo(1.7f).Within(1e-6));
        Step(x, optimizer, 1);
        // v = 0.5 * 1.5 + 1 + 0.25 * 1.7 = 2.175; x = 1.7 - 0.2 * 2.175 = 1.265.
        Assert.That(x.Item(), Is.EqualTo(1.265f).Within(1e-6));
    }

    [Test]
    public void Restore_InterruptedRun_GoesOnBitByBit()
    {
        Assert.That(Run(interruptAfter: 2), Is.EqualTo(Run(interruptAfter: -1)));

        float[] Run(int interruptAfter)
        {
            using var x = Tensor.From(Device, [1f, -2f, 3f], new Shape(3));
            x.RequiresGrad = true;
            Sgd optimizer = New(x);
            for (int step = 0; step < 5; step++)
            {
                if (step == interruptAfter)
                {
                    OptimizerState kept = optimizer.State.Single();
                    float[] velocity = kept.Tensors[0].ToArray();
                    optimizer.Dispose();
                    optimizer = New(x);
                    optimizer.Restore("x", kept.Step, [velocity]);
                }
                Step(x, optimizer, step + 1);
            }
            optimizer.Dispose();
            return x.ToArray();
        }

        static Sgd New(Tensor x)
        {
            var optimizer = new Sgd();
            optimizer.AddGroup([("x", x)], Decay);
            return optimizer;
        }
    }

    [Test]
    public void Step_ParameterWithoutGradient_IsLeftAlone()
    {
        using var x = Tensor.From(Device, [2f], new Shape(1));
        using var optimizer = new Sgd();
        optimizer.AddGroup([("x", x)], Decay);

        optimizer.Step(Rate);

        Assert.That(x.Item(), Is.EqualTo(2));
        Assert.That(optimizer.State, Is.Empty);
    }

    private static void Step(Tensor x, Sgd optimizer, float gradient)
    {
        float[] gradients = [.. Enumerable.Repeat(gradient, (int)x.Shape.Count)];
        x.Device.Upload(MemoryMarshal.AsBytes(gradients.AsSpan()), x.GradientTarget().Array);
        optimizer.Step(Rate);
        optimizer.ClearGradients();
    }
}
