using Cliper.Kernels.Cpu;
using Cliper.Kernels.Memory;
using Cliper.Kernels.Operations;

namespace Cliper.Kernels.Tests.Operations;

public sealed class DepthwiseConvolutionTests(SimdLevel level) : HostDevices(level)
{
    // Sums of `terms` products below 1 in fp32, times 4 for the order of the sum.
    private static double Bound(int terms) => 4 * Math.Pow(2, -24) * (2 + Math.Sqrt(terms)) * Math.Sqrt(terms);

    private static IEnumerable<TestCaseData> Cases()
    {
        yield return Case("one pixel", SlidingWindow.Same(new(1, 1, 1, 1), 3, 1));
        yield return Case("3 x 3, full registers and a part", SlidingWindow.Same(new(2, 6, 23, 24), 3, 1));
        yield return Case("3 x 3 with stride 2 of TensorFlow", SlidingWindow.Same(new(2, 8, 42, 48), 3, 2));
        yield return Case("5 x 5", SlidingWindow.Same(new(2, 9, 17, 16), 5, 1));
        yield return Case("fewer channels than lanes", SlidingWindow.Padded(new(2, 5, 12, 3), 3, 1, 1));
        yield return Case("odd sizes and stride 2", SlidingWindow.Padded(new(1, 7, 25, 19), 5, 2, 2));
        yield return Case("another kernel down than across", new SlidingWindow(new(2, 7, 9, 17), new(2, 3, 1, 0),
            new(4, 1, 0, 2)));

        static TestCaseData Case(string name, SlidingWindow window) => new TestCaseData(window)
            .SetArgDisplayNames(name);
    }

    [TestCaseSource(nameof(Cases))]
    public void IsEachChannelsConvolutionWithItsGradients(SlidingWindow window)
    {
        int channels = window.Input.Channels;
        FeatureMap output = window.Output(channels);
        float[] x = Random(window.Input.Count, 1), weight = Random(window.Elements, 2), dy = Random(output.Count, 3),
            beforeX = Random(x.Length, 4), beforeWeight = Random(weight.Length, 5);
        double[] wide = Doubles.Of(x), weights = Doubles.Of(weight), gradient = Doubles.Of(dy),
            y = new double[output.Count], dx = new double[x.Length], dweight = new double[weight.Length];
        DepthwiseConvolutionReference.Forward(wide, weights, y, window);
        DepthwiseConvolutionReference.BackwardInput(weights, gradient, dx, window);
        DepthwiseConvolutionReference.BackwardWeight(wide, gradient, dweight, window);
        DeviceArray ax = Device.From(x), aw = Device.From(weight), ay = Device.Allocate(y.Length),
            ady = Device.From(dy);

        DepthwiseConvolution.Forward(ax, aw, ay, window);

        AssertClose(Device.ToFloats(ay), y, Bound(window.Taps), "y");
        foreach (bool accumulate in new[] { false, true })
        {
            DeviceArray adx = Device.From(beforeX), adw = Device.From(beforeWeight);
            DepthwiseConvolution.BackwardInput(aw, ady, new(adx, accumulate), window);
            DepthwiseConvolution.BackwardWeight(ax, ady, new(adw, accumulate), window);
            AssertClose(Device.ToFloats(adx), ConvolutionTests.Plus(dx, beforeX, accumulate), Bound(window.Taps + 1),
                "dx");
            AssertClose(Device.ToFloats(adw), ConvolutionTests.Plus(dweight, beforeWeight, accumulate),
                Bound((int)output.Pixels + 1), "dweight");
            Free(adx, adw);
        }
        Free(ax, aw, ay, ady);
    }

    [Test]
    public void ThreadsDoNotChangeABit() => AssertSameBits(device =>
    {
        var window = SlidingWindow.Same(new(3, 37, 41, 40), 3, 1);
        DeviceArray x = device.From(Random(window.Input.Count, 1)), w = device.From(Random(window.Elements, 2)),
            y = device.Allocate(x.Length), dx = device.Allocate(x.Length), dw = device.Allocate(w.Length);
        DepthwiseConvolution.Forward(x, w, y, window);
        DepthwiseConvolution.BackwardInput(w, y, dx, window);
        DepthwiseConvolution.BackwardWeight(x, y, dw, window);
        return [y, dx, dw];
    });

    [Test]
    public void ANaNStaysInItsChannelAndTheWindowsThatSeeIt()
    {
        var window = SlidingWindow.Same(new(2, 5, 19, 24), 3, 1);
        float[] x = Random(window.Input.Count, 1);
        x[(2 * 19 + 9) * 24 + 5] = float.NaN;
        var sees = new HashSet<long>();
        ConvolutionReference.ForEach(window, (pixel, tap, input) =>
        {
            if (float.IsNaN(x[input]))
                sees.Add(pixel * 24 + tap % 24);
        });
        DeviceArray ax = Device.From(x), w = Device.From(Random(window.Elements, 2)), y = Device.Allocate(x.Length);

        DepthwiseConvolution.Forward(ax, w, y, window);

        Assert.That(sees, Has.Count.EqualTo(9));
        Assert.That(Device.ToFloats(y).Select((value, i) => float.IsNaN(value) == sees.Contains(i)), Has.All.True);
        Free(ax, w, y);
    }

    [Test]
    public void SizesThatDoNotFitAreNamed()
    {
        DeviceArray x = Device.Allocate(2 * 5 * 6 * 3), w = Device.Allocate(27), y = Device.Allocate(7);
        var window = SlidingWindow.Same(new(2, 5, 6, 3), 3, 1);
        Assert.That(() => DepthwiseConvolution.Forward(x, w, y, window),
            Throws.ArgumentException.With.Message.Contains("y has 7 elements, expected 180"));
        Assert.That(() => DepthwiseConvolution.Forward(x, y, x, window),
            Throws.ArgumentException.With.Message.Contains("weight has 7 elements, expected 27"));
        Free(x, w, y);
    }
}
