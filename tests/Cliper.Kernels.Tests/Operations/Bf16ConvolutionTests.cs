using Cliper.Kernels.Cpu;
using Cliper.Kernels.Memory;
using Cliper.Kernels.Operations;

namespace Cliper.Kernels.Tests.Operations;

/// <summary>Convolutions of bf16 operands on the CPU, against fp32 of the same rounded operands.</summary>
public sealed class Bf16ConvolutionTests(SimdLevel? emulated) : Bf16Devices(emulated)
{
    // Products of rounded operands are exact, so both sides have the roundings of an fp32 sum: twice the bound of
    // ConvolutionTests.
    private static double Bound(long terms) => 8 * Math.Pow(2, -24) * (2 + Math.Sqrt(terms)) * Math.Sqrt(terms);

    private static IEnumerable<TestCaseData> Cases()
    {
        yield return Case("one pixel", SlidingWindow.Padded(new(1, 1, 1, 1), 1, 1, 0), 1);
        yield return Case("1 x 1", SlidingWindow.Padded(new(2, 3, 5, 16), 1, 1, 0), 33);
        yield return Case("3 x 3", SlidingWindow.Padded(new(2, 6, 7, 16), 3, 1, 1), 24);
        yield return Case("5 x 5 with stride 2, odd", SlidingWindow.Same(new(2, 10, 8, 3), 5, 2), 7);
        yield return Case("long lines", SlidingWindow.Padded(new(3, 11, 13, 16), 3, 1, 1), 33);
        // Blocks enough for each worker to take its own, and for slices of a weight's gradient.
        yield return Case("many blocks", SlidingWindow.Padded(new(10, 40, 36, 12), 3, 1, 1), 7);

        static TestCaseData Case(string name, SlidingWindow window, int features) =>
            new TestCaseData(window, features).SetArgDisplayNames(name);
    }

    [TestCaseSource(nameof(Cases))]
    public void IsThatOfRoundedOperandsWithItsGradients(SlidingWindow window, int features)
    {
        using var plain = new CpuDevice(1);
        float[][] actual = Results(Device, window, features), expected = Results(plain, window, features);

        foreach ((int i, long terms, string what) in new[]
        {
            (0, window.Elements, "y"), (1, (long)features * window.Taps, "dx"),
            (2, window.Output(features).Pixels, "dweight"),
        })
            AssertClose(actual[i], [.. expected[i].Select(value => (double)value)], Bound(terms + 1), what);
    }

    private static float[][] Results(CpuDevice device, SlidingWindow window, int features)
    {
        int inputs = (int)window.Input.Count, outputs = (int)window.Output(features).Count,
            weights = features * window.Elements;
        DeviceArray x = Operand(inputs, 1), weight = Operand(weights, 2), dy = Operand(outputs, 3);
        DeviceArray y = device.Allocate(outputs);
        DeviceArray dx = Operand(inputs, 4), dweight = Operand(weights, 5);

        Convolution.Forward(x, weight, y, window, features, default(NoEpilogue));
        Convolution.BackwardInput(weight, dy, new(dx, true), window, features);
        Convolution.BackwardWeight(x, dy, new(dweight, true), window, features);

        float[][] results = [device.ToFloats(y), device.ToFloats(dx), device.ToFloats(dweight)];
        foreach (DeviceArray array in new[] { x, weight, dy, y, dx, dweight })
            device.Free(array);
        return results;

        DeviceArray Operand(int count, int seed) => device.From(Rounded(Numbers(count, seed)));
    }
}
