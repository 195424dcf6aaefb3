using Cliper.Kernels.Simd;

namespace Cliper.Kernels.Tests.Simd;

public sealed unsafe class VectorMathTests(SimdLevel level) : HostDevices(level)
{
    [Test]
    public void ExpIsWithinItsBoundAndClamps()
    {
        // The argument's own rounding is not at issue: the reference takes the same fp32 number.
        for (float x = -87; x < 88; x += 0.0137f)
            Assert.That(Exp(x) / Math.Exp(x) - 1, Is.EqualTo(0).Within(2e-7), $"exp({x})");
        Assert.That(Exp(0), Is.EqualTo(1f));
        Assert.That(Exp(float.NegativeInfinity), Is.GreaterThan(0f).And.LessThan(1.3e-38f));
        Assert.That(Exp(float.PositiveInfinity), Is.EqualTo(1.65e38f).Within(1).Percent);
        Assert.That(Exp(float.NaN), Is.NaN);
    }

    [Test]
    public void BoundsKeepANaN()
    {
        float[] x = [-3, 0.5f, 7, float.NaN, float.NegativeInfinity, float.PositiveInfinity];
        Assert.That(Map(x, Bound.Least), Is.EqualTo(new[] { -1, 0.5f, 7, float.NaN, -1, float.PositiveInfinity }));
        Assert.That(Map(x, Bound.Most), Is.EqualTo(new[] { -3, -1, -1, float.NaN, float.NegativeInfinity, -1 }));
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

    private enum Bound
    {
        Least,
        Most,
    }

    private float Exp(float x) => Device.Level switch
    {
        SimdLevel.Avx512 => Lanes512.MaxLane(VectorMath.Exp(Lanes512.Create(x))),
        SimdLevel.Avx2 => Lanes256.MaxLane(VectorMath.Exp(Lanes256.Create(x))),
        _ => LanesPortable.MaxLane(VectorMath.Exp(LanesPortable.Create(x))),
    };

    private float[] Map(float[] x, Bound bound) => Device.Level switch
    {
        SimdLevel.Avx512 => Map<Lanes512>(x, bound),
        SimdLevel.Avx2 => Map<Lanes256>(x, bound),
        _ => Map<LanesPortable>(x, bound),
    };

    private static float[] Map<V>(float[] x, Bound bound) where V : struct, ILanes<V>
    {
        float* lanes = stackalloc float[V.Count];
        return [.. x.Select(value =>
        {
            V v = V.Create(value), one = V.Create(-1);
            (bound == Bound.Least ? V.AtLeast(v, one) : V.AtMost(v, one)).Store(lanes);
            return lanes[V.Count - 1];
        })];
    }
}
