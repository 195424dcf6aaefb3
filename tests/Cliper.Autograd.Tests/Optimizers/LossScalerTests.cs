using Cliper.Autograd.Optimizers;
using Cliper.Kernels.Cpu;

namespace Cliper.Autograd.Tests.Optimizers;

public sealed class LossScalerTests
{
    [Test]
    public void ItHalvesAtOnceAndDoublesAfterManyFiniteSteps()
    {
        var scaler = new LossScaler(1024, interval: 3);

        scaler.Update(finite: false);
        Assert.That(scaler.Scale, Is.EqualTo(512));
        scaler.Update(finite: true);
        scaler.Update(finite: true);
        scaler.Update(finite: false);
        scaler.Update(finite: true);
        scaler.Update(finite: true);
        Assert.That(scaler.Scale, Is.EqualTo(256), "the count starts again");
        scaler.Update(finite: true);
        Assert.That(scaler.Scale, Is.EqualTo(512));
    }

    [Test]
    public void ARestoredOneDoublesWhenTheOriginalWould()
    {
        LossScaler original = new(1024, interval: 3), restored = new(4, interval: 3);
        original.Update(finite: false);
        original.Update(finite: true);
        original.Update(finite: true);
        restored.Restore(original.Current!.Value);
        foreach (bool finite in new[] { true, true, false, true })
        {
            original.Update(finite);
            restored.Update(finite);
            Assert.That(restored.Current, Is.EqualTo(original.Current));
        }
        Assert.That(() => restored.Restore(new(float.NaN, 0)), Throws.ArgumentException);
        Assert.That(() => restored.Restore(new(8, -1)), Throws.ArgumentException);
    }

    [Test]
    public void OnTheHostItIsOneForGood()
    {
        using var host = new CpuDevice(1);
        LossScaler scaler = LossScaler.For(host);
        scaler.Update(finite: false);
        Assert.That(scaler.Scale, Is.EqualTo(1));
        Assert.That(scaler.Current, Is.Null);
        scaler.Restore(new(1024, 5));
        Assert.That(scaler.Scale, Is.EqualTo(1), "a run that began on a card");
    }
}
