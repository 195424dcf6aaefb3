using Cliper.Model.Metrics;

namespace Cliper.Model.Tests.Metrics;

public sealed class MeanDeviationTests
{
    [Test]
    public void TheDeviationIsThatOfASample()
    {
        // Mean 2.5; squares 2.25 + 0.25 + 0.25 + 2.25 = 5 over 3.
        MeanDeviation four = MeanDeviation.Of([1.0, 2.0, 3.0, 4.0]);
        Assert.That(four.Mean, Is.EqualTo(2.5).Within(1e-15));
        Assert.That(four.Deviation, Is.EqualTo(Math.Sqrt(5.0 / 3)).Within(1e-15));
    }

    [Test]
    public void WhatIsNotDefinedIsNull()
    {
        Assert.That(MeanDeviation.Of([]), Is.EqualTo(new MeanDeviation(null, null)));
        Assert.That(MeanDeviation.Of([0.5]), Is.EqualTo(new MeanDeviation(0.5, null)));
        Assert.That(MeanDeviation.Of([0.5, null]), Is.EqualTo(new MeanDeviation(null, null)));
    }
}
