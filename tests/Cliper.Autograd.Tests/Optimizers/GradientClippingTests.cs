using Cliper.Autograd.Optimizers;

namespace Cliper.Autograd.Tests.Optimizers;

public sealed class GradientClippingTests : TapeTests
{
    [Test]
    public void TheNormIsThatOfAllGradientsTogether()
    {
        Tensor a = WithGradient([3, 0]), b = WithGradient([0, 4, 12]), none = Random([5], 1);

        GradientClipping.Measurement found = Measure([a, none, b], 6.5);

        Assert.That(found, Is.EqualTo(new GradientClipping.Measurement(13, 0.5f)));
        Assert.That(Measure([a, b], 14).Factor, Is.EqualTo(1));
        Assert.That(Measure([none], 1), Is.EqualTo(new GradientClipping.Measurement(0, 1)));
    }

    [TestCase(float.NaN)]
    [TestCase(float.NegativeInfinity)]
    [TestCase(1e30f)]
    public void AGradientThatIsNotFiniteIsReported(float bad) =>
        Assert.That(Measure([WithGradient([1, 2]), WithGradient([0, bad])], 1).IsFinite, Is.False);

    [Test]
    public void AMaximumOfZeroIsAnError() =>
        Assert.That(() => new GradientClipping(Device, 0), Throws.InstanceOf<ArgumentOutOfRangeException>());

    private GradientClipping.Measurement Measure(Tensor[] parameters, double maximum)
    {
        using var clipping = new GradientClipping(Device, maximum);
        clipping.Measure(parameters);
        return clipping.Read();
    }

    private Tensor WithGradient(float[] gradient)
    {
        Tensor tensor = Random([gradient.Length], 1);
        tensor.RequiresGrad = true;
        gradient.CopyTo(tensor.GradientTarget().Array.AsSpan<float>());
        return tensor;
    }
}
