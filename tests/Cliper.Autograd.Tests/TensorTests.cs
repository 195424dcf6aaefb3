using Cliper.Kernels.Memory;

namespace Cliper.Autograd.Tests;

public sealed class TensorTests : TapeTests
{
    [Test]
    public void ViewsLookAtTheSameElements()
    {
        Tensor x = Random([4, 3], 1);
        float[] all = x.ToArray();

        Assert.That(x.Rows(1, 2).ToArray(), Is.EqualTo(all[3..9]));
        Assert.That(x.Rows(1, 2).Rows(1, 1).ToArray(), Is.EqualTo(all[6..9]));
        Assert.That(x.Rows(1, 2).Reshape(new Shape(6)).ToArray(), Is.EqualTo(all[3..9]));
        x.Rows(1, 2).Data.AsSpan<float>()[0] = 9;
        Assert.That(x.ToArray()[3], Is.EqualTo(9));
    }

    [Test]
    public void ARangeOrShapeThatDoesNotFitIsNamed()
    {
        Tensor x = Random([4, 3], 1);
        Assert.That(() => x.Rows(3, 2),
            Throws.InstanceOf<ArgumentOutOfRangeException>().With.Message.Contains("rows [3, 5) of [4, 3]"));
        Assert.That(() => x.Rows(-1, 2), Throws.InstanceOf<ArgumentOutOfRangeException>());
        Assert.That(() => x.Reshape(new Shape(5, 2)), Throws.ArgumentException.With.Message.Contains("12 elements"));
        Assert.That(() => new Tensor(x.Data, new Shape(5)), Throws.ArgumentException);
    }

    [Test]
    public void APartsGradientLeavesZerosElsewhere()
    {
        Tensor x = Random([4, 3], 1);
        x.RequiresGrad = true;
        // The values that an earlier step left must not shine through.
        x.GradientTarget().Array.AsSpan<float>().Fill(7);
        x.ClearGradient();
        using var tape = new Tape(Device);
        tape.Backward(tape.Sum(tape.Scale(x.Rows(1, 2), 2)));
        Assert.That(Device.ToFloats(x.Gradient), Is.EqualTo(new float[] { 0, 0, 0, 2, 2, 2, 2, 2, 2, 0, 0, 0 }));
    }

    [Test]
    public void GradientsOfViewsMatchFiniteDifferences()
    {
        Tensor x = Random([4, 3], 1);
        AssertGradients(tape =>
        {
            Tensor y = tape.Multiply(x, x);
            return tape.Multiply(tape.Add(y.Rows(0, 2), x.Rows(1, 2)), y.Reshape(new Shape(2, 6)).Rows(1, 1)
                .Reshape(new Shape(2, 3)));
        }, x);
    }

    [Test]
    public void AViewSharesWhatBelongsToItsTensor()
    {
        Tensor x = Random([4, 3], 1), view = x.Rows(0, 2);
        x.RequiresGrad = true;
        view.MarkWritten();
        view.Dispose();

        Assert.That((view.RequiresGrad, view.HasGradient, x.Version, view.Version), Is.EqualTo((true, false, 1, 1)));
        Assert.That(() => view.RequiresGrad = false, Throws.InvalidOperationException);
        Assert.That(view.ClearGradient, Throws.InvalidOperationException);
        Assert.That(() => view.Gradient, Throws.InvalidOperationException);
        Assert.That(x.ToArray(), Has.Length.EqualTo(12), "a view ends nothing");
    }

    [Test]
    public void AnEndedTensorIsAnError()
    {
        var x = new Tensor(Device, new Shape(3));
        Tensor view = x.Rows(0, 1);
        x.Dispose();
        x.Dispose();
        Assert.That(() => x.Data, Throws.InstanceOf<ObjectDisposedException>());
        Assert.That(() => view.Data, Throws.InstanceOf<ObjectDisposedException>());
        Assert.That(() => x.GradientTarget(), Throws.InstanceOf<ObjectDisposedException>());
    }

    [Test]
    public void AGradientIsHandedOnOnlyToATensorWithoutOne()
    {
        Tensor from = Random([3], 1), to = Random([3], 2);
        DeviceArray gradient = from.GradientTarget().Array;
        Assert.That(from.TryMoveGradientTo(to.Rows(0, 3)), Is.False);
        Assert.That(from.TryMoveGradientTo(to), Is.True);
        Assert.That((from.HasGradient, to.Gradient), Is.EqualTo((false, gradient)));
        from.GradientTarget();
        Assert.That(from.TryMoveGradientTo(to), Is.False);
    }

    [Test]
    public void ShapesCountFromBothEnds()
    {
        var shape = new Shape(2, 3, 4);
        Assert.That((shape.Count, shape.Rows, shape.Width, shape[0], shape[-1]), Is.EqualTo((24L, 6, 4, 2, 4)));
        Assert.That(shape.WithWidth(5), Is.EqualTo(new Shape(2, 3, 5)));
        Assert.That(shape.ToString(), Is.EqualTo("[2, 3, 4]"));
        Assert.That((new Shape([]).Count, new Shape([]).Width), Is.EqualTo((1L, 1)));
        Assert.That(() => shape[3], Throws.InstanceOf<ArgumentOutOfRangeException>());
        Assert.That(() => new Shape(1, 2, 3, 4, 5), Throws.ArgumentException);
        Assert.That(() => new Shape(-1), Throws.InstanceOf<ArgumentOutOfRangeException>());
    }
}
