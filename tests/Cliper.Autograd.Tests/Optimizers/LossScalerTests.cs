using Cliper.Autograd.Optimizers;
using Cliper.Kernels.Devices;

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
    public void OnTheHostItIsOneForGood()
    {
        using var host = new HostDevice(1);
        LossScaler scaler = LossScaler.For(host);
        scaler.Update(finite: false);
        Assert.That(scaler.Scale, Is.EqualTo(1));
    }
}
