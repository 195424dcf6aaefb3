using Cliper.Kernels.Cpu;
using Cliper.Kernels.Memory;
using Cliper.Kernels.Operations;

namespace Cliper.Kernels.Tests.Simd;

public sealed class VectorMathTests(SimdLevel level) : HostDevices(level)
{
    [Test]
    public void ExpIsGoodTo2e7OverItsRange()
    {
        float[] x = [.. Enumerable.Range(0, 400_001).Select(i => (float)(-87.3 + i * (88 + 87.3) / 400_000))],
            y = Exp(x);
        double worst = 0;
        for (int i = 0; i < x.Length; i++)
            worst = Math.Max(worst, Math.Abs(y[i] / Math.Exp(Math.Clamp(x[i], -87.3f, 88f)) - 1));
        TestContext.Out.WriteLine($"largest relative error {worst:E2}");
        Assert.That(worst, Is.LessThan(2e-7));
    }

    [Test]
    public void ExpStopsAtTheEndsOfItsRangeAndKeepsNaN()
    {
        float[] y = Exp([-88, -1e30f, float.NegativeInfinity, 89, 1e30f, float.PositiveInfinity, float.NaN, 0]);
        Assert.That(y[..3], Is.All.EqualTo(MathF.Exp(-87.3f)).Within(0.001).Percent);
        Assert.That(y[3..6], Is.All.EqualTo(MathF.Exp(88)).Within(0.001).Percent);
        Assert.That(y[6], Is.NaN);
        Assert.That(y[7], Is.EqualTo(1));
    }

    private float[] Exp(float[] x)
    {
        DeviceArray array = Device.From(x);
        Elementwise.Forward<Exp>(array, array);
        float[] y = Device.ToFloats(array);
        Free(array);
        return y;
    }
}
