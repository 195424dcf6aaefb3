using System.Reflection;
using Cliper.Kernels.Cpu;
using Cliper.Kernels.Memory;
using Cliper.Kernels.Operations;

namespace Cliper.Kernels.Tests.Operations;

/// <summary>
/// Every <see cref="IUnaryOperation"/> that the assembly holds, found by reflection, against its
/// <see cref="IElementwiseReference{TOp}"/>.
/// </summary>
public sealed class ElementwiseTests(SimdLevel level) : HostDevices(level)
{
    private static IEnumerable<Type> All => typeof(IUnaryOperation).Assembly.GetTypes()
        .Where(type => type.IsValueType && typeof(IUnaryOperation).IsAssignableFrom(type));

    // Exponentials and quotients are good to 3e-7 of the result, the argument of an exponential to 1.702 * 2^-24 |x|.
    private static double Bound(double x, double y) => (4e-7 + 3e-7 * Math.Abs(x)) * (1 + Math.Abs(y));

    [TestCaseSource(nameof(All))]
    public void LanesAndScalarAreTheFormula(Type operation)
    {
        Func<double, double> reference = ElementwiseReference.Forward(operation);
        float[] x = Sweep(), lanes = Run(operation, x), scalar = Scalar(operation, nameof(IUnaryOperation.Forward), x);
        for (int i = 0; i < x.Length; i++)
        {
            double expected = reference(x[i]);
            Assert.That(lanes[i], Is.EqualTo(expected).Within(Bound(x[i], expected)), $"lanes at {x[i]}");
            Assert.That(scalar[i], Is.EqualTo(expected).Within(Bound(x[i], expected)), $"scalar at {x[i]}");
        }
    }

    [TestCaseSource(nameof(All))]
    public void DerivativeIsTheFormulas(Type operation)
    {
        Func<double, double> reference = ElementwiseReference.Forward(operation);
        float[] x = Sweep(), lanes = RunBackward(operation, x, [.. x.Select(_ => 1f)], null),
            scalar = Scalar(operation, nameof(IUnaryOperation.Derivative), x);
        for (int i = 0; i < x.Length; i++)
        {
            double expected = ElementwiseReference.Derivative(reference, x[i]);
            double bound = 2 * Bound(x[i], expected);
            Assert.That(lanes[i], Is.EqualTo(expected).Within(bound), $"lanes at {x[i]}");
            Assert.That(scalar[i], Is.EqualTo(expected).Within(bound), $"scalar at {x[i]}");
        }
    }

    [TestCaseSource(nameof(All))]
    public void BackwardMultipliesAndAccumulates(Type operation)
    {
        float[] x = Random(67, 1), dy = Random(67, 2), before = Random(67, 3);
        float[] slope = RunBackward(operation, x, [.. x.Select(_ => 1f)], null);
        AssertClose(RunBackward(operation, x, dy, before),
            [.. x.Select((_, i) => before[i] + (double)dy[i] * slope[i])], 4 * Math.Pow(2, -24) * 3, "dx");
    }

    [TestCaseSource(nameof(All))]
    public void ANaNStaysInItsElementAndPlaceDoesNotMatter(Type operation)
    {
        float[] x = [.. Enumerable.Repeat(0.3f, 37)];
        x[5] = float.NaN;
        float[] y = Run(operation, x);
        Assert.That(y[5], Is.NaN);
        Assert.That(y.Where((_, i) => i != 5).Distinct().Count(), Is.EqualTo(1));
        Assert.That(RunBackward(operation, x, x, null)[5], Is.NaN);
    }

    [TestCaseSource(nameof(All))]
    public void OutputMayBeInputAndThreadsDoNotChangeABit(Type operation) => AssertSameBits(device =>
    {
        DeviceArray x = device.From(Random(50_021, 1)), y = device.Allocate(x.Length);
        Call(operation, nameof(Elementwise.Forward), x, y);
        Call(operation, nameof(Elementwise.Forward), x, x);
        Assert.That(device.ToFloats(x), Is.EqualTo(device.ToFloats(y)));
        return [x];
    });

    private static float[] Sweep() => [.. Enumerable.Range(-900, 1801).Select(i => i * 0.01f)];

    private float[] Run(Type operation, float[] x)
    {
        DeviceArray ax = Device.From(x), ay = Device.Allocate(x.Length);
        Call(operation, nameof(Elementwise.Forward), ax, ay);
        float[] y = Device.ToFloats(ay);
        Free(ax, ay);
        return y;
    }

    private float[] RunBackward(Type operation, float[] x, float[] dy, float[]? before)
    {
        DeviceArray ax = Device.From(x), ady = Device.From(dy), adx = before is null ? Device.Allocate(x.Length)
            : Device.From(before);
        Call(operation, nameof(Elementwise.Backward), ax, ady, new GradientTarget(adx, before is not null));
        float[] dx = Device.ToFloats(adx);
        Free(ax, ady, adx);
        return dx;
    }

    private static void Call(Type operation, string method, params object[] arguments) =>
        typeof(Elementwise).GetMethod(method)!.MakeGenericMethod(operation).Invoke(null, arguments);

    private static float[] Scalar(Type operation, string method, float[] x)
    {
        var function = operation.GetMethod(method, BindingFlags.Public | BindingFlags.Static, [typeof(float)])!
            .CreateDelegate<Func<float, float>>();
        return [.. x.Select(function)];
    }
}
