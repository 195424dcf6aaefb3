using Cliper.Kernels.Cpu;
using Cliper.Kernels.Memory;
using Cliper.Kernels.Operations;

namespace Cliper.Kernels.Tests.Operations;

public sealed class GradientNormTests(SimdLevel level) : HostDevices(level)
{
    [TestCase(6.5, 1, 13f, 0.5f)]
    [TestCase(14, 1, 13f, 1f)]
    [TestCase(double.PositiveInfinity, 4, 3.25f, 0.25f)]
    [TestCase(1.625, 4, 3.25f, 0.125f)]
    public void ItIsTheLengthOfAllTogetherOverTheScale(double maximum, double scale, float norm, float factor) =>
        Assert.That(Measure(maximum, scale, [3, 0], [], [0, 4, 12]), Is.EqualTo(new[] { norm, factor }));

    [TestCase(0.5, 1)]
    [TestCase(1e6, 1)]
    [TestCase(0.5, 1024)]
    public void ItIsTheReferences(double maximum, double scale)
    {
        float[][] gradients = [Random(40_001, 1), Random(7, 2)];
        (double norm, double factor) = GradientNormReference.Measure(gradients, maximum, scale);
        // The roundings of the squares' sums are below a random walk's 4 sqrt(n) u32, of which the root halves the
        // effect.
        double bound = Math.Pow(2, -24) * (8 + 2 * Math.Sqrt(40_008));
        float[] found = Measure(maximum, scale, gradients);
        Assert.That(found[0], Is.EqualTo(norm).Within(bound * norm));
        Assert.That(found[1], Is.EqualTo(factor).Within(bound * factor));
    }

    [Test]
    public void WithoutGradientsItIsZero() => Assert.That(Measure(1, 2), Is.EqualTo(new[] { 0f, 0.5f }));

    [TestCase(float.NaN)]
    [TestCase(float.NegativeInfinity)]
    [TestCase(1e30f)]
    public void WhatIsNotFiniteHasAFactorOfZero(float bad)
    {
        float[] found = Measure(1, 1, [1, 2], [0, bad]);
        Assert.That((float.IsFinite(found[0]), found[1]), Is.EqualTo((false, 0f)));
    }

    [Test]
    public void ThreadsDoNotChangeABit() => AssertSameBits(device =>
    {
        DeviceArray gradient = device.From(Random(100_003, 1)), result = device.Allocate(GradientNorm.Results);
        GradientNorm.Measure([gradient], 1, 1, result);
        device.Free(gradient);
        return [result];
    });

    private float[] Measure(double maximum, double scale, params float[][] values)
    {
        DeviceArray[] gradients = [.. values.Select(part => Device.From(part))];
        DeviceArray result = Device.Allocate(GradientNorm.Results);
        GradientNorm.Measure(gradients, maximum, scale, result);
        float[] found = Device.ToFloats(result);
        Free([.. gradients, result]);
        return found;
    }
}
