using Cliper.Kernels.Simd;

namespace Cliper.Kernels.Tests.Simd;

public sealed unsafe class VectorMathTests(SimdLevel level) : HostDevices(level)
{
    [Test]
    public void ExpIsWithinItsBoundAndClamps()
    {
        // The argument's own rounding is not at issue: the reference takes the same fp32 number.
        for (float x = -87; x < 88; x += 0.0137f)
            Assert.That(Map(x, Function.Exp) / Math.Exp(x) - 1, Is.EqualTo(0).Within(2e-7), $"exp({x})");
        Assert.That(Map(0, Function.Exp), Is.EqualTo(1f));
        Assert.That(Map(float.NegativeInfinity, Function.Exp), Is.GreaterThan(0f).And.LessThan(1.3e-38f));
        Assert.That(Map(float.PositiveInfinity, Function.Exp), Is.EqualTo(1.65e38f).Within(1).Percent);
        Assert.That(Map(float.NaN, Function.Exp), Is.NaN);
    }

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
            Assert.That(Map(x, Function.Log), Is.EqualTo(Math.Log(x)).Within(Math.Max(1, Math.Abs(Math.Log(x))) / (1 << 23)), $"log {x}");
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

    [TestCase(1, 1, 16)]
    [TestCase(16, 16, 16)]
    [TestCase(18, 64, 32)]
    [TestCase(31, 20, 32)]
    [TestCase(5, 35, 32)]
    public void TranspositionMovesEveryElementAndPadsWithZero(int rows, int columns, int paddedRows)
    {
        int stride = columns + 3, targetStride = paddedRows + 1;
        float[] source = Random(rows * stride, 1), target = [.. Enumerable.Repeat(7f, columns * targetStride)];
        fixed (float* s = source, t = target)
            switch (Device.Level)
            {
                case SimdLevel.Avx512: Transposition.Run<Lanes512>(s, stride, rows, columns, t, targetStride, paddedRows); break;
                case SimdLevel.Avx2: Transposition.Run<Lanes256>(s, stride, rows, columns, t, targetStride, paddedRows); break;
                default: Transposition.Run<LanesPortable>(s, stride, rows, columns, t, targetStride, paddedRows); break;
            }

        for (int column = 0; column < columns; column++)
            for (int row = 0; row < targetStride; row++)
                Assert.That(target[column * targetStride + row],
                    Is.EqualTo(row < rows ? source[row * stride + column] : row < paddedRows ? 0 : 7), $"{row}, {column}");
    }

    private enum Function
    {
        Exp,
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
            Function.Exp => VectorMath.Exp(v),
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
