using Cliper.Kernels.Cpu;
using Cliper.Kernels.Memory;
using Cliper.Kernels.Operations;

namespace Cliper.Gpu.Tests.Operations;

/// <summary>
/// Convolutions and pooling on a GPU against the CPU's results, which their own tests compare with loops in double.
/// Inputs are numbers of 16 bits, so both compute the same function; each result is rounded once to 16 bits, and so are
/// the unfolded gradients that the input's gradient is the sum of.
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
    public void ConvolutionAndItsGradientsAreTheCpus(SlidingWindow window, int features, bool pixels)
    {
        FeatureMap output = window.Output(features);
        float[] x = Random(window.Input.Count, 1), weight = Random((long)features * window.Elements, 2),
            dy = Random(output.Count, 3),
            bias = Random(features, 4), beforeX = Random(x.Length, 5), beforeWeight = Random(weight.Length, 6);
        using var cpu = new CpuDevice(1);
        (float[] Y, float[] Dx, float[] Dw) expected = Run(cpu, values => cpu.From(values), values => cpu.From(values)),
            actual = Run(Device, values => Halves(values), values => pixels ? Device.From(values) : Halves(values));

        // Sums in fp32: K terms below 1, in another order.
        double sums = 8 * U32 * window.Elements;
        AssertClose(actual.Y, AsDoubles(expected.Y), value => sums + U16 * Math.Abs(value) + Tiny, "y");
        // The error of each tap's product, below the number of features, and of the sum.
        double taps = window.Taps * U16 * Math.Sqrt(features) * 2;
        AssertClose(actual.Dx, AsDoubles(expected.Dx), value => taps + 8 * U32 * features + 2 * U16 * Math.Abs(value)
            + Tiny, "dx");
        AssertClose(actual.Dw, AsDoubles(expected.Dw), value => 8 * U32 * output.Pixels, "dweight");

        (float[], float[], float[]) Run(Device device, Func<float[], DeviceArray> store,
            Func<float[], DeviceArray> storeX)
        {
            DeviceArray ax = storeX(x), aw = store(weight), ab = device.From(bias), ady = store(dy),
                ay = store(new float[dy.Length]),
                adx = storeX(beforeX), adw = device.From(beforeWeight);
            Convolution.Forward(ax, aw, ay, window, features, new ActivationEpilogue<Relu>(ab, default, features));
            Convolution.BackwardInput(aw, ady, new(adx, Accumulate: true), window, features);
            Convolution.BackwardWeight(ax, ady, new(adw, Accumulate: true), window, features);
            (float[], float[], float[]) results = (device.ToFloats(ay), device.ToFloats(adx), device.ToFloats(adw));
            foreach (DeviceArray array in new[] { ax, aw, ab, ady, ay, adx, adw })
                device.Free(array);
            return results;
        }
    }

    [TestCaseSource(nameof(Windows))]
    public void DepthwiseConvolutionAndItsGradientsAreTheCpus(SlidingWindow window)
    {
        FeatureMap output = window.Output(window.Input.Channels);
        float[] x = Random(window.Input.Count, 1), weight = Random(window.Elements, 2, half: false),
            dy = Random(output.Count, 3),
            beforeX = Random(x.Length, 5), beforeWeight = Random(weight.Length, 6);
        using var cpu = new CpuDevice(1);
        (float[] Y, float[] Dx, float[] Dw) expected = Run(cpu, values => cpu.From(values)),
            actual = Run(Device, values => Halves(values));

        double sums = 8 * U32 * window.Taps;
        AssertClose(actual.Y, AsDoubles(expected.Y), value => sums + U16 * Math.Abs(value) + Tiny, "y");
        AssertClose(actual.Dx, AsDoubles(expected.Dx), value => sums + U16 * Math.Abs(value) + Tiny, "dx");
        AssertClose(actual.Dw, AsDoubles(expected.Dw), value => 8 * U32 * output.Pixels, "dweight");

        (float[], float[], float[]) Run(Device device, Func<float[], DeviceArray> store)
        {
            DeviceArray ax = store(x), aw = device.From(weight), ady = store(dy), ay = store(new float[dy.Length]),
                adx = store(beforeX),
                adw = device.From(beforeWeight);
            DepthwiseConvolution.Forward(ax, aw, ay, window);
            DepthwiseConvolution.BackwardInput(aw, ady, new(adx, Accumulate: true), window);
            DepthwiseConvolution.BackwardWeight(ax, ady, new(adw, Accumulate: true), window);
            (float[], float[], float[]) results = (device.ToFloats(ay), device.ToFloats(adx), device.ToFloats(adw));
            foreach (DeviceArray array in new[] { ax, aw, ady, ay, adx, adw })
                device.Free(array);
            return results;
        }
    }

    [Test]
    public void PoolingIsTheCpusToTheBit([Values("2 6 8 16", "1 5 7 11")] string sizes, [Values] bool accumulate,
        [Values] bool nan)
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
        using var cpu = new CpuDevice(1);
        (float[] Y, float[] Dx) expected = Run(cpu, values => cpu.From(values)),
            actual = Run(Device, values => Halves(values));
        Assert.That(actual.Y, Is.EqualTo(expected.Y));
        Assert.That(actual.Dx, Is.EqualTo(expected.Dx));

        (float[], float[]) Run(Device device, Func<float[], DeviceArray> store)
        {
            DeviceArray ax = store(x), ay = store(new float[dy.Length]), ady = store(dy), adx = store(before);
            MaxPool.Forward(ax, ay, input);
            MaxPool.Backward(ax, ay, ady, new(adx, accumulate), input);
            (float[], float[]) results = (device.ToFloats(ay), device.ToFloats(adx));
            foreach (DeviceArray array in new[] { ax, ay, ady, adx })
                device.Free(array);
            return results;
        }
    }

    [Test]
    public void ReluIsTheCpusToTheBitAndKeepsNaN()
    {
        float[] x = [.. Random(37, 1).Append(float.NaN).Append(0f)], dy = Random(x.Length, 2);
        using var cpu = new CpuDevice(1);
        (float[] Y, float[] Dx) expected = Run(cpu, values => cpu.From(values)),
            actual = Run(Device, values => Halves(values));
        Assert.That(actual.Y, Is.EqualTo(expected.Y));
        Assert.That(actual.Dx, Is.EqualTo(expected.Dx));

        (float[], float[]) Run(Device device, Func<float[], DeviceArray> store)
        {
            DeviceArray ax = store(x), ay = store(new float[x.Length]), ady = store(dy),
                adx = store(new float[x.Length]);
            Elementwise.Forward<Relu>(ax, ay);
            Elementwise.Backward<Relu>(ax, ady, adx);
            (float[], float[]) results = (device.ToFloats(ay), device.ToFloats(adx));
            foreach (DeviceArray array in new[] { ax, ay, ady, adx })
                device.Free(array);
            return results;
        }
    }

    private static double[] AsDoubles(float[] values) => [.. values.Select(value => (double)value)];
}
