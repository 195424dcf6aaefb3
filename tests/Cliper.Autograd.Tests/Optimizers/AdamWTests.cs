using Cliper.Autograd.Optimizers;

namespace Cliper.Autograd.Tests.Optimizers;

public sealed class AdamWTests : TapeTests
{
    [Test]
    public void FindsTheMinimumOfASquare()
    {
        Tensor x = Random([7], 1), target = Random([7], 2);
        x.RequiresGrad = true;
        using var optimizer = new AdamW();
        optimizer.AddGroup([("x", x)], weightDecay: 0);
        for (int step = 0; step < 300; step++)
            Descend(x, target, optimizer, 0.03f);
        Assert.That(x.ToArray(), Is.EqualTo(target.ToArray()).Within(1e-2));
    }

    [Test]
    public void AParameterWithoutGradientIsLeftAlone()
    {
        Tensor x = Random([7], 1), frozen = Random([5], 2);
        float[] before = frozen.ToArray();
        x.RequiresGrad = true;
        using var optimizer = new AdamW();
        optimizer.AddGroup([("x", x), ("frozen", frozen)], weightDecay: 0.1f);

        Descend(x, Random([7], 3), optimizer, 0.1f);

        Assert.That(frozen.ToArray(), Is.EqualTo(before));
        Assert.That(optimizer.State.Select(moments => moments.Name), Is.EqualTo(new[] { "x" }));
        Assert.That(x.Version, Is.EqualTo(1));
        Assert.That(frozen.Version, Is.Zero);
    }

    [Test]
    public void ARestoredRunGoesOnBitByBit()
    {
        Tensor target = Random([19], 3);
        float[] Run(int interruptAfter)
        {
            Tensor x = Random([19], 1);
            x.RequiresGrad = true;
            var optimizer = new AdamW();
            optimizer.AddGroup([("x", x)], weightDecay: 0.1f);
            for (int step = 0; step < 6; step++)
            {
                if (step == interruptAfter)
                {
                    OptimizerState kept = optimizer.State.Single();
                    (float[] first, float[] second) = (kept.Tensors[0].ToArray(), kept.Tensors[1].ToArray());
                    optimizer.Dispose();
                    optimizer = new AdamW();
                    optimizer.AddGroup([("x", x)], weightDecay: 0.1f);
                    optimizer.Restore("x", kept.Step, [first, second]);
                }
                Descend(x, target, optimizer, 0.1f);
            }
            optimizer.Dispose();
            return x.ToArray();
        }

        Assert.That(Run(3), Is.EqualTo(Run(-1)));
    }

    [Test]
    public void GroupsHaveTheirOwnRateAndDecay()
    {
        Tensor a = Random([3], 1), b = Random([3], 1), target = Random([3], 2);
        (a.RequiresGrad, b.RequiresGrad) = (true, true);
        using AdamW optimizer = new(), plain = new();
        optimizer.AddGroup([("a", a)], weightDecay: 0, learningRateFactor: 0.5f);
        plain.AddGroup([("b", b)], weightDecay: 0);

        Descend(a, target, optimizer, 0.1f);
        Descend(b, target, plain, 0.05f);

        Assert.That(a.ToArray(), Is.EqualTo(b.ToArray()));
    }

    [Test]
    public void WrongNamesAndSizesAreNamed()
    {
        Tensor x = Random([7], 1);
        using var optimizer = new AdamW();
        optimizer.AddGroup([("x", x)], 0);
        Assert.That(() => optimizer.AddGroup([("x", x)], 0),
            Throws.ArgumentException.With.Message.Contains("two parameters called x"));
        Assert.That(() => optimizer.Restore("y", 1, [[], []]),
            Throws.ArgumentException.With.Message.Contains("no parameter called y"));
        Assert.That(() => optimizer.Restore("x", 1, [new float[7], new float[6]]),
            Throws.ArgumentException.With.Message.Contains("the state 'second' of x [7] has 6 elements"));
    }

    private void Descend(Tensor x, Tensor target, AdamW optimizer, float rate)
    {
        using var tape = new Tape(Device);
        Tensor difference = tape.Add(x, tape.Scale(target, -1));
        tape.Backward(tape.Sum(tape.Multiply(difference, difference)));
        optimizer.Step(rate);
        optimizer.ClearGradients();
    }
}
