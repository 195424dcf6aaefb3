using Cliper.Kernels.Cpu;
using Cliper.Kernels.Memory;
using Cliper.Kernels.Operations;

namespace Cliper.Kernels.Tests.Operations;

public sealed class ConvolutionTests(SimdLevel level) : HostDevices(level)
{
    // Sums of `terms` products below 1 in fp32, times 4 for the order of the sum.
    private static double Bound(int terms) => 4 * Math.Pow(2, -24) * (2 + Math.Sqrt(terms)) * Math.Sqrt(terms);

    private static IEnumerable<TestCaseData> Cases()
    {
        yield return Case("one pixel", SlidingWindow.Padded(new(1, 1, 1, 1), 1, 1, 0), 1);
        yield return Case("1 x 1", SlidingWindow.Padded(new(2, 3, 5, 19), 1, 1, 0), 33);
        yield return Case("1 x 1 with stride 2", SlidingWindow.Padded(new(2, 5, 7, 6), 1, 2, 0), 5);
        yield return Case("3 x 3 of PyTorch", SlidingWindow.Padded(new(2, 6, 7, 16), 3, 1, 1), 24);
        yield return Case("5 x 5 with stride 2 of TensorFlow", SlidingWindow.Same(new(2, 10, 8, 3), 5, 2), 24);
        yield return Case("kernel of the input's size", SlidingWindow.Padded(new(3, 4, 4, 5), 4, 4, 0), 7);
        yield return Case("kernel larger than the input", SlidingWindow.Padded(new(1, 2, 2, 3), 3, 1, 1), 2);
        yield return Case("another kernel down than across",
            new SlidingWindow(new(2, 7, 9, 2), new(2, 3, 1, 0), new(5, 2, 0, 3)), 3);
        // More rows of unfolded elements than one block has.
        yield return Case("several blocks", SlidingWindow.Same(new(3, 40, 36, 12), 3, 1), 4);

        yield return Case("long lines", SlidingWindow.Padded(new(3, 11, 13, 16), 3, 1, 1), 33);
        yield return Case("long lines with stride 2", SlidingWindow.Same(new(3, 21, 23, 13), 5, 2), 9);
        yield return Case("long lines of another kernel down than across",
            new SlidingWindow(new(2, 9, 17, 40), new(2, 1, 0, 1), new(3, 1, 2, 0)), 16);
        // Blocks enough for each worker to take its own, and for slices of a weight's gradient.
        yield return Case("many blocks", SlidingWindow.Padded(new(10, 40, 36, 12), 3, 1, 1), 7);
        yield return Case("many blocks of another kernel down than across",
            new SlidingWindow(new(12, 40, 36, 6), new(5, 1, 1, 3), new(3, 1, 2, 0)), 3);
        yield return Case("many blocks of 1 x 1", SlidingWindow.Padded(new(4, 64, 64, 64), 1, 1, 0), 3);

        static TestCaseData Case(string name, SlidingWindow window, int features) =>
            new TestCaseData(window, features).SetArgDisplayNames(name);
    }

    [TestCaseSource(nameof(Cases))]
    public void IsTheSumOverTheWindowWithItsGradients(SlidingWindow window, int features)
    {
        FeatureMap output = window.Output(features);
        int elements = window.Elements;
        float[] x = Random(window.Input.Count, 1), weight = Random((long)features * elements, 2),
            dy = Random(output.Count, 3),
            beforeX = Random(x.Length, 4), beforeWeight = Random(weight.Length, 5);
        double[] wide = Doubles.Of(x), weights = Doubles.Of(weight), gradient = Doubles.Of(dy),
            y = new double[output.Count], dx = new double[x.Length], dweight = new double[weight.Length];
        ConvolutionReference.Forward(wide, weights, y, window, features);
        ConvolutionReference.BackwardInput(weights, gradient, dx, window, features);
        ConvolutionReference.BackwardWeight(wide, gradient, dweight, window, features);
        DeviceArray ax = Device.From(x), aw = Device.From(weight), ay = Device.Allocate(y.Length),
            ady = Device.From(dy);

        Convolution.Forward(ax, aw, ay, window, features, default(NoEpilogue));

        AssertClose(Device.ToFloats(ay), y, Bound(elements), "y");
        foreach (bool accumulate in new[] { false, true })
        {
            DeviceArray adx = Device.From(beforeX), adw = Device.From(beforeWeight);
            Convolution.BackwardInput(aw, ady, new(adx, accumulate), window, features);
            Convolution.BackwardWeight(ax, ady, new(adw, accumulate), window, features);
            AssertClose(Device.ToFloats(adx), Plus(dx, beforeX, accumulate), Bound(features * window.Taps + 1), "dx");
            AssertClose(Device.ToFloats(adw), Plus(dweight, beforeWeight, accumulate), Bound((int)output.Pixels + 1),
                "dweight");
            Free(adx, adw);
        }
        Free(ax, aw, ay, ady);
    }

    [Test]
    public void BiasActivationAndAccumulationAreOnePass([Values(7, 40)] int features)
    {
        var window = SlidingWindow.Same(new(2, 40, 30, 12), 3, 1);
        FeatureMap output = window.Output(features);
        DeviceArray x = Device.From(Random(window.Input.Count, 1)),
            w = Device.From(Random((long)features * window.Elements, 2)),
            bias = Device.From(Random(features, 3)), plain = Device.Allocate(output.Count),
            y = Device.From(Random(output.Count, 4));
        float[] before = Device.ToFloats(y), offsets = Device.ToFloats(bias);
        using PackedMatrix packed = Convolution.Pack(w, window, features);

        Convolution.Forward(x, packed, plain, window, default(NoEpilogue));
        Convolution.Forward(x, packed, y, window, new ActivationEpilogue<Relu>(bias, default, features),
            accumulate: true);

        double[] expected =
            [.. Device.ToFloats(plain).Select((value, i) =>
            Math.Max(0, (double)value + before[i] + offsets[i % features]))];
        // Two more sums, of numbers below 16: each is off by half a unit in its last place.
        AssertClose(Device.ToFloats(y), expected, 2 * 16 * Math.Pow(2, -24), "y");
        Free(x, w, bias, plain, y);
    }

    [Test]
    public void TheResidualOfEachBlockIsItsOwn()
    {
        var window = SlidingWindow.Same(new(2, 64, 48, 3), 5, 1);
        const int Features = 6;
        FeatureMap output = window.Output(Features);
        DeviceArray x = Device.From(Random(window.Input.Count, 1)),
            w = Device.From(Random(Features * window.Elements, 2)),
            residual = Device.From(Random(output.Count, 3)), plain = Device.Allocate(output.Count),
            y = Device.Allocate(output.Count);

        Convolution.Forward(x, w, plain, window, Features, default(NoEpilogue));
        Convolution.Forward(x, w, y, window, Features, new ResidualEpilogue(default, residual, Features));

        float[] added = Device.ToFloats(residual);
        Assert.That(Device.ToFloats(y), Is.EqualTo(Device.ToFloats(plain).Select((value, i) => value + added[i])));
        Free(x, w, residual, plain, y);
    }

    [Test]
    public void ThreadsDoNotChangeABit([Values(2, 10)] int images, [Values(1, 2)] int stride,
        [Values(9, 16)] int channels) => AssertSameBits(device =>
    {
        // With ten images one and two threads take a block each, three share each block. Of 16 channels lines are not
        // unfolded.
        var window = SlidingWindow.Same(new(images, 37, 41, channels), 3, stride);
        DeviceArray x = device.From(Random(window.Input.Count, 1)), w = device.From(Random(20 * window.Elements, 2)),
            y = device.Allocate(window.Output(20).Count), dx = device.Allocate(x.Length),
            dw = device.Allocate(w.Length);
        Convolution.Forward(x, w, y, window, 20, default(NoEpilogue));
        Convolution.BackwardInput(w, y, dx, window, 20);
        Convolution.BackwardWeight(x, y, dw, window, 20);
        return [y, dx, dw];
    });

    [Test]
    public void ANaNReachesTheWindowsThatSeeItAndNoOther()
    {
        var window = SlidingWindow.Same(new(2, 5, 6, 3), 3, 2);
        float[] x = Random(window.Input.Count, 1);
        x[2 * 18 + 3 * 3 + 1] = float.NaN;
        var sees = new HashSet<long>();
        ConvolutionReference.ForEach(window, (pixel, _, input) =>
        {
            if (float.IsNaN(x[input]))
                sees.Add(pixel);
        });
        DeviceArray ax = Device.From(x), w = Device.From(Random(4 * window.Elements, 2)),
            y = Device.Allocate(window.Output(4).Count);

        Convolution.Forward(ax, w, y, window, 4, default(NoEpilogue));

        Assert.That(sees, Is.Not.Empty);
        Assert.That(Device.ToFloats(y).Select((value, i) => float.IsNaN(value) == sees.Contains(i / 4)), Has.All.True);
        Free(ax, w, y);
    }

    [Test]
    public void NoImagesGiveNothingAndAGradientOfZero()
    {
        var window = SlidingWindow.Same(new(0, 5, 6, 3), 3, 2);
        DeviceArray none = Device.Allocate(0), w = Device.From(Random(4 * window.Elements, 2)),
            dw = Device.From(Random(w.Length, 3));

        Convolution.Forward(none, w, none, window, 4, default(NoEpilogue));
        Convolution.BackwardWeight(none, none, dw, window, 4);

        Assert.That(Device.ToFloats(dw), Has.All.Zero);
        Free(none, w, dw);
    }

    [Test]
    public void PaddingIsTensorFlowsAndPyTorchs()
    {
        Assert.That(WindowAxis.Same(256, 5, 2), Is.EqualTo(new WindowAxis(5, 2, 1, 2)));
        Assert.That(WindowAxis.Same(128, 3, 2), Is.EqualTo(new WindowAxis(3, 2, 0, 1)));
        Assert.That(WindowAxis.Same(7, 3, 1), Is.EqualTo(new WindowAxis(3, 1, 1, 1)));
        Assert.That(WindowAxis.Same(7, 1, 2), Is.EqualTo(new WindowAxis(1, 2, 0, 0)));
        Assert.That(WindowAxis.Padded(7, 2, 3).Outputs(224), Is.EqualTo(112));
        Assert.That(WindowAxis.Same(7, 2, 2).Outputs(7), Is.EqualTo(4));
    }

    [Test]
    public void SizesThatDoNotFitAreNamed()
    {
        DeviceArray x = Device.Allocate(2 * 5 * 6 * 3), w = Device.Allocate(4 * 27), y = Device.Allocate(7),
            large = Device.Allocate(2 * 5 * 6 * 4);
        var window = SlidingWindow.Padded(new(2, 5, 6, 3), 3, 1, 0);
        Assert.That(() => Convolution.Forward(x, w, y, window, 4, default(NoEpilogue)),
            Throws.ArgumentException.With.Message.Contains("y has 7 elements, expected 96"));
        Assert.That(() => Convolution.Forward(x, w, y, window with { Down = new(7, 1, 0, 0) }, 4, default(NoEpilogue)),
            Throws.ArgumentException.With.Message.Contains("rows: a kernel of 7 does not fit 5"));
        Assert.That(() => Convolution.Forward(x, w, y, window with { Across = new(3, 0, 0, 0) }, 4,
            default(NoEpilogue)),
            Throws.ArgumentException.With.Message.Contains("columns: a kernel of 3 with stride 0"));
        Assert.That(() => Convolution.Forward(x, w, y, window with { Input = new(2, 5, 0, 3) }, 4, default(NoEpilogue)),
            Throws.ArgumentException.With.Message.Contains("[2, 5, 0, 3]"));
        using (PackedMatrix packed = Convolution.Pack(w, window, 4))
            Assert.That(() => Convolution.Forward(x, packed, large, SlidingWindow.Padded(window.Input, 1, 1, 0),
                default(NoEpilogue)),
                Throws.ArgumentException.With.Message.Contains("packed for 27 elements a window, here are 3"));
        Free(x, w, y, large);
    }

    internal static double[] Plus(double[] values, float[] before, bool accumulate) =>
        [.. values.Select((value, i) => accumulate ? value + before[i] : value)];
}
