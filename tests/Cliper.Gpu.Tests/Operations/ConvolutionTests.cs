using Cliper.Kernels.Memory;
using Cliper.Kernels.Operations;

namespace Cliper.Gpu.Tests.Operations;

/// <summary>
/// Convolutions and pooling on a GPU against their references in double. Inputs are numbers of 16 bits, so both compute
/// the same function; each result is rounded once to 16 bits, and so are the unfolded gradients that the input's
/// gradient is the sum of.
/// </summary>
[TestFixture(ElementType.Float16)]
[TestFixture(ElementType.BFloat16)]
[Parallelizable(ParallelScope.Self)]
public sealed class ConvolutionTests(ElementType stored) : GpuFixture(stored)
{
    private static IEnumerable<TestCaseData> Convolutions()
    {
        yield return Case("1 x 1", SlidingWindow.Padded(new(2, 3, 5, 16), 1, 1, 0), 24, false);
        yield return Case("3 x 3 of PyTorch", SlidingWindow.Padded(new(2, 6, 7, 8), 3, 1, 1), 16, false);
        yield return Case("5 x 5 with stride 2 of TensorFlow on pixels", SlidingWindow.Same(new(1, 10, 8, 3), 5, 2), 8,
            true);
        yield return Case("channels that are no multiple of eight", SlidingWindow.Padded(new(2, 5, 4, 5), 3, 2, 1), 7,
            false);

        static TestCaseData Case(string name, SlidingWindow window, int features, bool pixels) =>
            new TestCaseData(window, features, pixels).SetArgDisplayNames(name);
    }

    private static IEnumerable<TestCaseData> Windows()
    {
        yield return Case("3 x 3", SlidingWindow.Same(new(2, 6, 7, 24), 3, 1));
        yield return Case("5 x 5 with stride 2", SlidingWindow.Same(new(1, 9, 8, 16), 5, 2));
        yield return Case("channels that are no multiple of eight", SlidingWindow.Padded(new(2, 5, 4, 11), 3, 2, 1));
        yield return Case("more than 256 channels", SlidingWindow.Padded(new(1, 3, 3, 264), 3, 1, 1));

        static TestCaseData Case(string name, SlidingWindow window) => new TestCaseData(window)
            .SetArgDisplayNames(name);
    }

    [TestCaseSource(nameof(Convolutions))]
    public void ConvolutionAndItsGradients_AreTheFormula(SlidingWindow window, int features, bool pixels)
    {
        FeatureMap output = window.Output(features);
        float[] x = Random(window.Input.Count, 1), weight = Random((long)features * window.Elements, 2),
            dy = Random(output.Count, 3),
            bias = Random(features, 4), beforeX = Random(x.Length, 5), beforeWeight = Random(weight.Length, 6);
        double[] wide = Doubles.Of(x), weights = Doubles.Of(weight), gradient = Doubles.Of(dy),
            y = new double[dy.Length], dx = Doubles.Of(beforeX), dweight = Doubles.Of(beforeWeight);
        ConvolutionReference.Forward(wide, weights, y, window, features);
        y = [.. y.Select((value, i) => Math.Max(0, value + bias[i % features]))];
        ConvolutionReference.BackwardInput(weights, gradient, dx, window, features);
        ConvolutionReference.BackwardWeight(wide, gradient, dweight, window, features);
        (float[] Y, float[] Dx, float[] Dw) actual = Run();

        // Sums in fp32: K terms below 1.
        double sums = 8 * U32 * window.Elements;
        AssertClose(actual.Y, y, value => sums + U16 * Math.Abs(value) + Tiny, "y");
        // The error of each tap's product, below the number of features, and of the sum.
        double taps = window.Taps * U16 * Math.Sqrt(features) * 2;
        AssertClose(actual.Dx, dx, value => taps + 8 * U32 * features + 2 * U16 * Math.Abs(value)
            + Tiny, "dx");
        AssertClose(actual.Dw, dweight, value => 8 * U32 * output.Pixels, "dweight");

        (float[], float[], float[]) Run()
        {
            DeviceArray ax = StoreX(x), aw = Halves(weight), ab = Device.From(bias), ady = Halves(dy),
                ay = Halves(new float[dy.Length]), adx = StoreX(beforeX), adw = Device.From(beforeWeight);
            Convolution.Forward(ax, aw, ay, window, features, new ActivationEpilogue<Relu>(ab, default, features));
            Convolution.BackwardInput(aw, ady, new(adx, Accumulate: true), window, features);
            Convolution.BackwardWeight(ax, ady, new(adw, Accumulate: true), window, features);
            (float[], float[], float[]) results = (Device.ToFloats(ay), Device.ToFloats(adx), Device.ToFloats(adw));
            Free(ax, aw, ab, ady, ay, adx, adw);
            return results;
        }

        DeviceArray StoreX(float[] values) => pixels ? Device.From(values) : Halves(values);
    }

    [TestCaseSource(nameof(Windows))]
    public void DepthwiseConvolutionAndItsGradients_AreTheFormula(SlidingWindow window)
    {
        FeatureMap output = window.Output(window.Input.Channels);
        float[] x = Random(window.Input.Count, 1), weight = Random(window.Elements, 2, half: false),
            dy = Random(output.Count, 3),
            beforeX = Random(x.Length, 5), beforeWeight = Random(weight.Length, 6);
        double[] wide = Doubles.Of(x), weights = Doubles.Of(weight), gradient = Doubles.Of(dy),
            y = new double[dy.Length], dx = Doubles.Of(beforeX), dweight = Doubles.Of(beforeWeight);
        DepthwiseConvolutionReference.Forward(wide, weights, y, window);
        DepthwiseConvolutionReference.BackwardInput(weights, gradient, dx, window);
        DepthwiseConvolutionReference.BackwardWeight(wide, gradient, dweight, window);
        (float[] Y, float[] Dx, float[] Dw) actual = Run();

        double sums = 8 * U32 * window.Taps;
        AssertClose(actual.Y, y, value => sums + U16 * Math.Abs(value) + Tiny, "y");
        AssertClose(actual.Dx, dx, value => sums + U16 * Math.Abs(value) + Tiny, "dx");
        AssertClose(actual.Dw, dweight, value => 8 * U32 * output.Pixels, "dweight");

        (float[], float[], float[]) Run()
        {
            DeviceArray ax = Halves(x), aw = Device.From(weight), ady = Halves(dy), ay = Halves(new float[dy.Length]),
                adx = Halves(beforeX), adw = Device.From(beforeWeight);
            DepthwiseConvolution.Forward(ax, aw, ay, window);
            DepthwiseConvolution.BackwardInput(aw, ady, new(adx, Accumulate: true), window);
            DepthwiseConvolution.BackwardWeight(ax, ady, new(adw, Accumulate: true), window);
            (float[], float[], float[]) results = (Device.ToFloats(ay), Device.ToFloats(adx), Device.ToFloats(adw));
            Free(ax, aw, ady, ay, adx, adw);
            return results;
        }
    }

    [Test]
    public void Pooling_OfFewBits_IsTheFormulaToTheBit([Values("2 6 8 16", "1 5 7 11")] string sizes,
        [Values] bool accumulate, [Values] bool nan)
    {
        int[] s = [.. sizes.Split(' ').Select(int.Parse)];
        var input = new FeatureMap(s[0], s[1], s[2], s[3]);
        // Few different values, so that two of the four are often the same; gradients and what is there are sums of few
        // bits.
        float[] x = [.. Random(input.Count, 1).Select(value => MathF.Round(4 * value))],
            dy = [.. Random(MaxPool.Output(input).Count, 2).Select(value => MathF.Round(8 * value))],
            before = [.. Random(x.Length, 3).Select(value => MathF.Round(8 * value))];
        if (nan)
            (x[3], x[input.Channels + 1], x[input.Width * input.Channels + 2]) = (float.NaN, float.NaN, float.NaN);
        double[] y = new double[dy.Length], dx = Doubles.Before(before, accumulate);
        MaxPoolReference.Forward(Doubles.Of(x), y, input);
        MaxPoolReference.Backward(Doubles.Of(x), y, Doubles.Of(dy), dx, input);
        DeviceArray ax = Halves(x), ay = Halves(new float[dy.Length]), ady = Halves(dy), adx = Halves(before);

        MaxPool.Forward(ax, ay, input);
        MaxPool.Backward(ax, ay, ady, new(adx, accumulate), input);

        Assert.That(Device.ToFloats(ay), Is.EqualTo(Doubles.Rounded(y)));
        Assert.That(Device.ToFloats(adx), Is.EqualTo(Doubles.Rounded(dx)));
        Free(ax, ay, ady, adx);
    }

    [Test]
    public void Relu_OfAnyNumber_IsTheFormulaToTheBitAndKeepsNaN()
    {
        float[] x = [.. Random(37, 1).Append(float.NaN).Append(0f)], dy = Random(x.Length, 2);
        Func<double, double> f = ElementwiseReference.Forward(typeof(Relu));
        var dx = new double[x.Length];
        ElementwiseReference.Backward(f, Doubles.Of(x), Doubles.Of(dy), dx);
        // NaN is not above zero, so the derivative there is 0 by convention.
        dx[37] = 0;
        DeviceArray ax = Halves(x), ay = Halves(new float[x.Length]), ady = Halves(dy),
            adx = Halves(new float[x.Length]);

        Elementwise.Forward<Relu>(ax, ay);
        Elementwise.Backward<Relu>(ax, ady, adx);

        Assert.That(Device.ToFloats(ay), Is.EqualTo(Doubles.Of(x).Select(value => (float)f(value))));
        // The reference's slope is a central difference: the rounding to 16 bits takes its 1e-10 away.
        Assert.That(Device.ToFloats(adx), Is.EqualTo(Rounded(Doubles.Rounded(dx))));
        Free(ax, ay, ady, adx);
    }
}
