using Cliper.Autograd.Optimizers;

namespace Cliper.Autograd.Tests.Optimizers;

public sealed class SchedulesTests
{
    [Test]
    public void ConstantStays() =>
        Assert.That(new[] { 0, 0.5, 100 }.Select(new ConstantSchedule(0.01).At), Is.All.EqualTo(0.01f));

    [TestCase(0, 4)]
    [TestCase(5, 2.5)]
    [TestCase(10, 1)]
    [TestCase(11, 1)]
    public void CosineFallsToItsFloor(double position, double expected) =>
        Assert.That(new CosineSchedule(4, 10, 1).At(position), Is.EqualTo(expected).Within(1e-6));

    // CosineAnnealingWarmRestarts(T_0 = 10) of PyTorch, stepped once an epoch from 5e-6.
    [TestCase(0, 5e-6)]
    [TestCase(1, 4.877641290737884e-6)]
    [TestCase(9, 1.2235870926211618e-7)]
    [TestCase(10, 5e-6)]
    [TestCase(25, 2.5e-6)]
    public void RestartsBeginAnew(double epoch, double expected) =>
        Assert.That(new CosineWithRestartsSchedule(5e-6, 10).At(epoch), Is.EqualTo(expected).Within(1e-12));

    [TestCase(0, 0.4)]
    [TestCase(5, 2.2)]
    [TestCase(10, 4)]
    [TestCase(15, 2)]
    [TestCase(20, 0)]
    public void WarmUpLeadsToTheScheduleAfter(double position, double expected) =>
        Assert.That(new WarmUpSchedule(new CosineSchedule(4, 10), 10, From: 0.1).At(position),
        Is.EqualTo(expected).Within(1e-6));

    [Test]
    public void NoWarmUpIsTheScheduleItself() =>
        Assert.That(new WarmUpSchedule(new ConstantSchedule(3), 0).At(0), Is.EqualTo(3));
}
