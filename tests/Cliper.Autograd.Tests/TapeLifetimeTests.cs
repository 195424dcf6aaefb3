using Cliper.Kernels.Operations;

namespace Cliper.Autograd.Tests;

/// <summary>The tests of what a tape keeps, frees and adds up.</summary>
public sealed class TapeLifetimeTests : TapeTests
{
    [Test]
    public void BackwardFreesActivationsAsItGoesAndDisposeTheRest()
    {
        Tensor x = Parameter([64, 64]);
        int before = Device.LiveArrays;
        using (var tape = new Tape(Device))
        {
            Tensor loss = Network(tape, x);
            tape.Backward(loss);
            // The gradient of x stays with x; nothing else survives but what nobody recorded.
            Assert.That(Device.LiveArrays, Is.EqualTo(before + 1));
        }
        Assert.That(Device.LiveArrays, Is.EqualTo(before + 1));
    }

    [Test]
    public void ABackwardThatThrows_KeepsItsErrorAndNothingIsFreedTwice()
    {
        Tensor x = Parameter([64, 64]);
        int before = Device.LiveArrays;

        Assert.That(() =>
        {
            using var tape = new Tape(Device);
            Tensor faulty = tape.Scale(x, 1);
            tape.Record(faulty, () => throw new InvalidOperationException("the card is lost"), []);
            tape.Backward(Network(tape, faulty));
        }, Throws.InvalidOperationException.With.Message.EqualTo("the card is lost"));
        Assert.That(Device.LiveArrays, Is.EqualTo(before));
    }

    [Test]
    public void ACanceledTape_EndsBeforeTheNextOperation()
    {
        using var source = new CancellationTokenSource();
        using var tape = new Tape(Device, recording: false) { Cancellation = source.Token };
        Tensor x = Random([3, 7], 1);
        tape.Scale(x, 2);
        source.Cancel();

        Assert.That(() => tape.Scale(x, 2), Throws.InstanceOf<OperationCanceledException>());
    }

    [Test]
    public void ATapeThatIsNeverPlayedBackFreesAll()
    {
        Tensor x = Parameter([64, 64]);
        int before = Device.LiveArrays;
        using (var tape = new Tape(Device))
            Network(tape, x);
        Assert.That(Device.LiveArrays, Is.EqualTo(before));
    }

    [Test]
    public void MicroBatchesAddUp()
    {
        Tensor x = Parameter([5, 7]);
        using (var tape = new Tape(Device))
            tape.Backward(tape.Sum(tape.Multiply(x, x)));
        float[] once = Device.ToFloats(x.Gradient);
        x.ClearGradient();
        for (int batch = 0; batch < 2; batch++)
            using (var tape = new Tape(Device))
                tape.Backward(tape.Sum(tape.Multiply(x, x)), scale: 0.5f);
        Assert.That(Device.ToFloats(x.Gradient), Is.EqualTo(once));
    }

    [Test]
    public void AScopeEndsTemporariesOfInference()
    {
        Tensor x = Random([64, 64], 1);
        using var tape = new Tape(Device, recording: false);
        Tensor kept;
        using (Tape.Scope scope = tape.BeginScope())
        {
            Tensor hidden = tape.Scale(x, 2);
            kept = scope.Keep(tape.Scale(hidden, 2).Reshape(new Shape(4096)));
            Assert.That(() => hidden.Data, Throws.Nothing);
        }
        Assert.That(Device.LiveArrays, Is.EqualTo(2), "x and what was kept");
        Assert.That(kept.ToArray(), Is.EqualTo(x.ToArray().Select(value => 4 * value)));
    }

    [Test]
    public void AScopeLeavesWhatBackwardNeeds()
    {
        Tensor x = Random([3, 7], 1), other = Random([3, 7], 2);
        AssertGradients(tape =>
        {
            using Tape.Scope scope = tape.BeginScope();
            return scope.Keep(tape.Multiply(x, tape.Scale(other, 2)));
        }, x);
    }

    [Test]
    public void ALossThatNothingLeadsToIsAnError()
    {
        using var tape = new Tape(Device);
        Assert.That(() => tape.Backward(tape.Sum(Random([3], 1))), Throws.InvalidOperationException);
        Assert.That(() => tape.Backward(tape.Scale(Parameter([3]), 2)),
            Throws.InvalidOperationException.With.Message.Contains("[3]"));
    }

    [Test]
    public void AFrozenTensorGetsNoGradient()
    {
        Tensor x = Parameter([3, 7]), frozen = Random([3, 7], 2);
        using var tape = new Tape(Device);
        tape.Backward(tape.Sum(tape.Multiply(x, frozen)));
        Assert.That((x.HasGradient, frozen.HasGradient), Is.EqualTo((true, false)));
    }

    [Test]
    public void ASecondStepTakesNoMoreMemory()
    {
        Tensor x = Parameter([256, 256]);
        long reserved = 0, peak = 0;
        for (int step = 0; step < 4; step++)
        {
            Device.ResetPeak();
            using (var tape = new Tape(Device))
                tape.Backward(Network(tape, x));
            x.ClearGradient();
            if (step == 1)
                (reserved, peak) = (Device.ReservedBytes, Device.PeakBytes);
        }
        Assert.That((Device.ReservedBytes, Device.PeakBytes), Is.EqualTo((reserved, peak)));
    }

    private Tensor Parameter(ReadOnlySpan<int> axes)
    {
        Tensor x = Random(axes, 1);
        x.RequiresGrad = true;
        return x;
    }

    private static Tensor Network(Tape tape, Tensor x) =>
        tape.Sum(tape.Apply<QuickGelu>(tape.L2Normalize(tape.Add(x, tape.Multiply(x, x)))));
}
