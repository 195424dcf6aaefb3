using Cliper.Kernels.Cpu;

namespace Cliper.Kernels.Tests.Simd;

public sealed unsafe class LanesTests(SimdLevel level) : HostDevices(level)
{
    [Test]
    public void Exp2IsWithinItsBoundAndReachesZero()
    {
        for (float x = -126; x < 127; x += 0.0137f)
            Assert.That(Map(x, Function.Exp2) / Math.Pow(2, x) - 1, Is.EqualTo(0).Within(1.2e-7), $"2^{x}");
        Assert.That(Map(0, Function.Exp2), Is.EqualTo(1f));
        Assert.That(Map(-151, Function.Exp2), Is.Zero);
        Assert.That(Map(float.NegativeInfinity, Function.Exp2), Is.Zero);
        Assert.That(Map(float.NaN, Function.Exp2), Is.NaN);
    }

    [Test]
    public void LogIsWithinItsBound()
    {
        for (float x = 1e-30f; x < 1e30f; x *= 1.0137f)
        {
            double expected = Math.Log(x);
            Assert.That(Map(x, Function.Log), Is.EqualTo(expected).Within(Math.Max(1, Math.Abs(expected)) / (1 << 23)),
                $"log {x}");
        }
        Assert.That(Map(1, Function.Log), Is.Zero);
        Assert.That(Map(float.PositiveInfinity, Function.Log), Is.EqualTo(float.PositiveInfinity));
        Assert.That(Map(float.NaN, Function.Log), Is.NaN);
    }

    [Test]
    public void BoundsKeepANaN()
    {
        float[] x = [-3, 0.5f, 7, float.NaN, float.NegativeInfinity, float.PositiveInfinity];
        Assert.That(x.Select(value => Map(value, Function.AtLeastMinusOne)),
            Is.EqualTo(new[] { -1, 0.5f, 7, float.NaN, -1, float.PositiveInfinity }));
        Assert.That(x.Select(value => Map(value, Function.AtMostMinusOne)),
            Is.EqualTo(new[] { -3, -1, -1, float.NaN, float.NegativeInfinity, -1 }));
    }

    private enum Function
    {
        Exp2,
        Log,
        AtLeastMinusOne,
        AtMostMinusOne,
    }

    private float Map(float x, Function function) => Device.Level switch
    {
        SimdLevel.Avx512 => Map<Lanes512>(x, function),
        SimdLevel.Avx2 => Map<Lanes256>(x, function),
        _ => Map<LanesPortable>(x, function),
    };

    private static float Map<V>(float x, Function function) where V : struct, ILanes<V>
    {
        V v = V.Create(x), result = function switch
        {
            Function.Exp2 => VectorMath.Exp2(v),
            Function.Log => VectorMath.Log(v),
            Function.AtLeastMinusOne => V.AtLeast(v, V.Create(-1)),
            _ => V.AtMost(v, V.Create(-1)),
        };
        float* lanes = stackalloc float[V.Count];
        result.Store(lanes);
        return lanes[V.Count - 1];
    }
}
